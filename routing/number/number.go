// Package number turns what trunks and phones send as a caller's number into
// one form that desks, tickets and look-ups can rely on, and says how far it
// is to be trusted. It is pure. Numbers print and log themselves masked.
package number

import (
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Number is who calls.
type Number struct {
	E164   string // "+8613812345678"; a short code or service number as it is; "" when there is none
	Raw    string // the user part as it came on the wire
	Status Status
	Source string // where it was read: "pai", "rpid", "from"; "" nowhere
}

// Status says what the number is worth.
type Status uint8

// The statuses, in the words of the ticket field.
const (
	OK          Status = iota // a number that can be called back
	Restricted                // known, but the caller wishes it withheld (RFC 3323 Privacy: id)
	Unavailable               // there is none: anonymous, or a handset without a SIM
	Invalid                   // there is something, but no number
)

func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case Restricted:
		return "restricted"
	case Unavailable:
		return "unavailable"
	}
	return "invalid"
}

// MarshalText and UnmarshalText keep stored calls readable.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote; an unknown word is Invalid.
func (s *Status) UnmarshalText(b []byte) error {
	for *s = OK; *s < Invalid; *s++ {
		if s.String() == string(b) {
			return nil
		}
	}
	return nil
}

// LogValue shows the number masked.
func (n Number) LogValue() slog.Value {
	return slog.GroupValue(slog.String("number", n.String()), slog.String("status", n.Status.String()),
		slog.String("source", n.Source))
}

// String is the number masked, for logs and pages.
func (n Number) String() string {
	if n.E164 != "" {
		return Mask(n.E164)
	}
	return Mask(n.Raw)
}

// GoString keeps %#v from printing the number.
func (n Number) GoString() string { return "number.Number{" + n.String() + "}" }

// Mask hides the middle of a number: "138****5678", "+86138****5678",
// "0311****567". Short codes of up to five digits say nothing about a person
// and stay as they are.
func Mask(s string) string {
	head := ""
	if rest, ok := strings.CutPrefix(s, "+86"); ok && len(rest) > 5 {
		head, s = "+86", rest
	}
	n := utf8.RuneCountInString(s)
	if n <= 5 {
		return head + s
	}
	show := 3
	if n < 10 {
		show = 2
	}
	return head + s[:at(s, show)] + "****" + s[at(s, n-min(4, n-show-3)):]
}

// at is where a character of a text begins, from 0.
func at(s string, character int) (i int) {
	for range character {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}
