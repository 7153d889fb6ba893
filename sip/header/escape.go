package header

import "strings"

// Marks that stand unescaped in the parts of a URI: RFC 3261 §25.1.
const (
	mark       = "-_.!~*'()"
	userMarks  = mark + "&=+$,;?/"
	passMarks  = mark + "&=+$,"
	paramMarks = mark + "[]/:&+$"
	valueMarks = mark + "[]/?:+$"
	telMarks   = mark + "+#"
)

// escape writes s with a percent code for all but letters, digits and marks.
func escape(s, marks string) string {
	if only(s, marks) {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; alphanum(c) || strings.IndexByte(marks, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// Unescape takes percent codes off. A percent sign that begins none stands for
// itself, as devices send it.
func Unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	text := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				text = append(text, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		text = append(text, s[i])
	}
	return string(text)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}
