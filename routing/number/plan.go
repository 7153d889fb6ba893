package number

import (
	"regexp"
	"strings"
)

// Plan is how digits are read at one place.
type Plan struct {
	AreaCode string // of local numbers, with its 0: "0311"; "": local numbers stay as they are
}

// The forms of the national numbering plan (工信部 电信网编号计划), each without
// its prefix.
var (
	mobile  = regexp.MustCompile(`^1[3-9]\d{9}$`)
	iot     = regexp.MustCompile(`^1(?:4[0146]|0[0-9])\d{10}$`) // 13 digits
	fixed   = regexp.MustCompile(`^(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}$`)
	local   = regexp.MustCompile(`^[2-8]\d{6,7}$`)
	short   = regexp.MustCompile(`^` + codes + `$`)
	service = regexp.MustCompile(`^[48]00\d{7}$`)
	foreign = regexp.MustCompile(`^[1-9]\d{6,14}$`)

	cityCode = regexp.MustCompile(`^0(?:10|2\d|[3-9]\d{2})` + codes + `$`)
	areaCode = regexp.MustCompile(`^(0(?:10|2\d|[3-9]\d{2}))(` + codes + `)$`)
	beijing  = regexp.MustCompile(`^10(?:1[12]\d|12\d{3})$`) // +8610110 is Beijing's 110, no operator's 10110
)

// codes are 110, 12345, 10086, 95588, 96110 and their like.
const codes = `(?:1[12]\d|1[12]\d{2,3}|9[56]\d{3,6}|10\d{3,6})`

// maxRaw is more than any number is written with.
const maxRaw = 64

// Normalise reads a number as a trunk or a phone wrote it: "tel:" and "sip:",
// parameters, host, spaces, hyphens and brackets are dropped. Mobile and fixed
// numbers of any spelling become +86…, foreign ones +…; short codes, 95/96
// and 400/800 numbers stay as they are. ok is false when it is no number.
func (p Plan) Normalise(raw string) (e164 string, ok bool) {
	digits, context := clean(raw)
	if context != "" && !strings.HasPrefix(digits, "+") {
		if e164, ok = p.read(context + digits); ok {
			return e164, true
		}
	}
	return p.read(digits)
}

// ShortCode takes the area code off a normalised short code: 031112345 is the 12345 of 0311.
func ShortCode(e164 string) (area, code string, ok bool) {
	m := areaCode.FindStringSubmatch(e164)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

func (p Plan) read(s string) (string, bool) {
	switch {
	case strings.HasPrefix(s, "+"):
		return p.international(s[1:])
	case strings.HasPrefix(s, "00"):
		return p.international(s[2:])
	case strings.HasPrefix(s, "86") && isNational(s[2:]):
		return "+86" + s[2:], true
	}
	return p.domestic(s)
}

// international reads what follows the plus or 00. Where a switch put one
// before a number that has its own prefix ("+0311…", "+0086…"), that counts.
func (p Plan) international(s string) (string, bool) {
	switch {
	case strings.HasPrefix(s, "0"):
		return p.read(s)
	case strings.HasPrefix(s, "86"):
		return p.national(s[2:])
	}
	return international(s)
}

// national reads what follows the country code. A trunk prefix 0 left in by
// mistake ("+860311…") and a second country code are taken out. Short codes
// lose the country code; one city's 110, as it is shown in another, keeps the
// area code.
func (p Plan) national(s string) (string, bool) {
	bare := strings.TrimPrefix(s, "0")
	switch {
	case beijing.MatchString(bare):
		return "0" + bare, true
	case special(s):
		return s, true
	case isNational(bare):
		return "+86" + bare, true
	case cityCode.MatchString("0" + bare):
		return "0" + bare, true
	}
	return p.read(s)
}

// domestic reads a number without country code.
func (p Plan) domestic(s string) (string, bool) {
	area := strings.TrimPrefix(p.AreaCode, "0")
	switch {
	case special(s):
		return s, true
	case mobile.MatchString(s), iot.MatchString(s):
		return "+86" + s, true
	case strings.HasPrefix(s, "0") && isNational(s[1:]):
		return "+86" + s[1:], true
	case strings.HasPrefix(s, "0") && service.MatchString(s[1:]):
		return s[1:], true
	case cityCode.MatchString(s):
		return s, true
	case local.MatchString(s) && area != "":
		return "+86" + area + s, true
	case local.MatchString(s):
		return s, true
	}
	return "", false
}

func isNational(s string) bool {
	return mobile.MatchString(s) || iot.MatchString(s) || fixed.MatchString(s) && !service.MatchString(s)
}

// special numbers are dialled as they are, from everywhere.
func special(s string) bool { return short.MatchString(s) || service.MatchString(s) }

func international(s string) (string, bool) {
	if !foreign.MatchString(s) {
		return "", false
	}
	return "+" + s, true
}

// clean leaves digits and a leading plus; "" when anything else is in it.
// context is the number's phone-context if that is a prefix (RFC 3966 §5.1.5).
func clean(raw string) (digits, context string) {
	if len(raw) > 4*maxRaw {
		return "", ""
	}
	s := strings.TrimSpace(raw)
	for _, scheme := range []string{"tel:", "sip:", "sips:"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			s = s[len(scheme):]
			break
		}
	}
	s, _, _ = strings.Cut(s, "@")
	s, params, _ := strings.Cut(s, ";")
	s, _, _ = strings.Cut(s, ":")
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(key, "phone-context") && strings.HasPrefix(value, "+") {
			context = keepDigits(value)
		}
	}
	return keepDigits(s), context
}

func keepDigits(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -.()", r):
		default:
			return ""
		}
	}
	if b.Len() > maxRaw {
		return ""
	}
	return b.String()
}
