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
	short   = regexp.MustCompile(`^(?:1[12]\d|1[12]\d{2,3}|12345|12\d{3}|9[56]\d{3,6}|10\d{3,6})$`)
	service = regexp.MustCompile(`^[48]00\d{7}$`)
	foreign = regexp.MustCompile(`^[1-9]\d{6,14}$`)
)

// Normalise reads a number as a trunk or a phone wrote it: "tel:" and "sip:",
// parameters, host, spaces, hyphens and brackets are dropped. Mobile and fixed
// numbers of any spelling become +86…, foreign ones +…; short codes, 95/96
// and 400/800 numbers stay as they are. ok is false when it is no number.
func (p Plan) Normalise(raw string) (e164 string, ok bool) {
	s := clean(raw)
	switch {
	case strings.HasPrefix(s, "+86"):
		return p.national(s[3:])
	case strings.HasPrefix(s, "0086"):
		return p.national(s[4:])
	case strings.HasPrefix(s, "+"):
		return abroad(s[1:])
	case strings.HasPrefix(s, "00"):
		return abroad(s[2:])
	case strings.HasPrefix(s, "86") && isNational(s[2:]):
		return "+86" + s[2:], true
	}
	return p.domestic(s)
}

// national reads what follows the country code. A trunk prefix 0 left in by
// mistake ("+860311…") is taken out; short codes lose the country code.
func (p Plan) national(s string) (string, bool) {
	if isNational(strings.TrimPrefix(s, "0")) {
		return "+86" + strings.TrimPrefix(s, "0"), true
	}
	if special(s) {
		return s, true
	}
	return p.domestic(s)
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
	case local.MatchString(s) && area != "":
		return "+86" + area + s, true
	case local.MatchString(s):
		return s, true
	}
	return "", false
}

func isNational(s string) bool {
	return mobile.MatchString(s) || iot.MatchString(s) || fixed.MatchString(s)
}

// special numbers are dialled as they are, from everywhere.
func special(s string) bool { return short.MatchString(s) || service.MatchString(s) }

func abroad(s string) (string, bool) {
	if !foreign.MatchString(s) {
		return "", false
	}
	return "+" + s, true
}

// clean leaves digits and a leading plus; "" when anything else is in it.
func clean(raw string) string {
	s := strings.TrimSpace(raw)
	for _, scheme := range []string{"tel:", "sip:", "sips:"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			s = s[len(scheme):]
			break
		}
	}
	s, _, _ = strings.Cut(s, ";")
	s, _, _ = strings.Cut(s, "@")
	s, _, _ = strings.Cut(s, ":")
	var b strings.Builder
	for i, r := range s {
		switch {
		case r >= '0' && r <= '9', r == '+' && i == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -.()", r):
		default:
			return ""
		}
	}
	return b.String()
}
