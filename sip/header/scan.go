package header

import "strings"

// unfold makes one line of a value that may be folded (RFC 3261 §7.3.1) and
// trims it.
func unfold(s string) string {
	if strings.ContainsAny(s, "\r\n\t") {
		s = strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == '\t' {
				return ' '
			}
			return r
		}, s)
	}
	return strings.Trim(s, " ")
}

// Split cuts s at each sep outside of quotes and angle brackets. ok is false
// when a quote or bracket is left open.
func Split(s string, sep byte) (parts []string, ok bool) {
	for more := true; more; {
		var part string
		part, s, more, ok = Cut(s, sep)
		parts = append(parts, part)
	}
	return parts, ok
}

// Cut cuts s at the first sep outside of quotes and angle brackets; more is false where there is none. closed is false
// when a quote or bracket is left open.
func Cut(s string, sep byte) (part, rest string, more, closed bool) {
	quoted, angle := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !angle:
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == sep && !angle:
			return s[:i], s[i+1:], true, true
		}
	}
	return s, "", false, !quoted && !angle
}

// each runs read over the entries of a comma list; empty entries are passed
// over (RFC 3261 §7.3.1 has none, devices do).
func each[T any](s string, read func(string) (T, error)) ([]T, error) {
	parts, ok := Split(unfold(s), ',')
	if !ok {
		return nil, ErrSyntax
	}
	var list []T
	for _, part := range parts {
		if part = unfold(part); part == "" {
			continue
		}
		v, err := read(part)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if list == nil {
		return nil, ErrAbsent
	}
	return list, nil
}

// join writes a comma list.
func join[T interface{ String() string }](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, ", ")
}

// unquote reads a quoted-string that is the whole of s.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", false
	}
	text := make([]byte, 0, len(s))
	for i := 1; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			return string(text), i == len(s)-1
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
			text = append(text, printable(s[i]))
		default:
			text = append(text, printable(c))
		}
	}
	return "", false
}

// quote writes s as a quoted-string.
func quote(s string) string {
	text := make([]byte, 1, len(s)+2)
	text[0] = '"'
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			text = append(text, '\\')
		}
		text = append(text, printable(s[i]))
	}
	return string(append(text, '"'))
}

func printable(c byte) byte {
	if c < ' ' || c == 0x7f {
		return ' '
	}
	return c
}

// IsToken: RFC 3261 §25.1 token.
func IsToken(s string) bool { return s != "" && only(s, "-.!%*_+`'~") }

// only says whether s is letters, digits and the given marks.
func only(s, marks string) bool {
	for i := 0; i < len(s); i++ {
		if !alphanum(s[i]) && strings.IndexByte(marks, s[i]) < 0 {
			return false
		}
	}
	return true
}

func alphanum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// allDigits says whether s is one digit or more.
func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
