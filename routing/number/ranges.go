package number

import "strings"

// Range is one number, or all numbers that begin alike.
type Range struct {
	digits string // as dialled here, see [National]
	open   bool   // more digits follow
}

// Range reads a number in any spelling, or the beginning of numbers with a *
// behind it: "0311*", "138*", "+852*". A beginning has three digits at least, or
// with the country code two behind it. ok is false when it is neither.
func (p Plan) Range(s string) (r Range, ok bool) {
	start, open := strings.CutSuffix(s, "*")
	if !open {
		e164, ok := p.Normalise(s)
		return Range{digits: National(e164)}, ok
	}
	if rest, plus := strings.CutPrefix(start, "+"); plus {
		start = "00" + rest
	}
	if strings.Trim(start, "0123456789") != "" {
		return Range{}, false
	}
	begins := p.beginning(start)
	return Range{digits: begins, open: true}, len(start) >= 3 && len(begins) >= 3
}

// beginning is how a number that begins with s begins in its national form.
func (p Plan) beginning(s string) string {
	area := strings.TrimPrefix(p.AreaCode, "0")
	rest, china := strings.CutPrefix(s, "0086")
	switch rest = strings.TrimPrefix(rest, "0"); {
	case china && len(rest) < 2: // all of China
		return ""
	case china && (rest[0] != '1' || rest[1] < '3'):
		return "0" + rest
	case china:
		return rest
	case area != "" && s != "" && s[0] >= '2' && s[0] <= '8' && !strings.HasPrefix(s, "400") &&
		!strings.HasPrefix(s, "800"):
		return "0" + area + s
	}
	return s
}

// Holds says whether a normalised number lies in the range.
func (r Range) Holds(e164 string) bool {
	dialled := National(e164)
	if r.open {
		return strings.HasPrefix(dialled, r.digits)
	}
	return dialled == r.digits && dialled != ""
}

// National is a normalised number as it is dialled in this country: a fixed one
// with its area code and 0, a mobile one as it is, one abroad with 00.
func National(e164 string) string {
	rest, china := strings.CutPrefix(e164, "+86")
	switch {
	case china && (mobile.MatchString(rest) || iot.MatchString(rest)):
		return rest
	case china:
		return "0" + rest
	}
	if rest, plus := strings.CutPrefix(e164, "+"); plus {
		return "00" + rest
	}
	return e164
}
