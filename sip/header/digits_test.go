package header

import (
	"errors"
	"testing"
)

func TestDigits(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5"},
		{"application/dtmf-relay", "Signal= 5\nDuration= 160", "5"},
		{"Application/DTMF-Relay; charset=utf-8", " signal = * ", "*"},
		{"application/dtmf-relay", "Signal=11\r\n", "#"},
		{"application/dtmf-relay", "Duration=100\r\nSignal=d", "D"},
		{"application/dtmf-relay", "Signal=16", "!"},
		{"application/dtmf-relay", "Signal=flash", "!"},
		{"application/dtmf-relay", "7", "7"},
		{"application/dtmf", "5", "5"},
		{"application/dtmf", "10\r\n", "*"},
		{"application/dtmf", "11", "#"},
		{"application/dtmf", "16", "!"},
		{"application/dtmf", "#", "#"},
		{"application/dtmf", "*31", "*31"},
		{"application/dtmf", "Signal=3\r\nDuration=250", "3"},
		{"application/vnd.nortelnetworks.digits",
			"p=Digit-Collection\r\ny=Digits\r\ns=success\r\nu=12345678\r\ni=87654321\r\nd=5\r\n", "5"},
		{"application/vnd.nortelnetworks.digits", "d=*812", "*812"},
		{"audio/telephone-event", "\x0a\x8a\x03\x20", "*"},
		{"audio/telephone-event", "\x10\x00\x01\x40", "!"},
		{"audio/telephone-event", "5\r\n", "5"},
		{"audio/telephone-event", "d=11", "#"},
		{"application/hook-flash", "", "!"},
	} {
		if got, err := Digits(c.kind, []byte(c.body)); err != nil || got != c.want {
			t.Errorf("%s %q: got %q %v, want %q", c.kind, c.body, got, err, c.want)
		}
	}
}

func TestNoDigits(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       error
	}{
		{"application/sdp", "5", ErrNotDigits},
		{"", "5", ErrNotDigits},
		{"application/dtmf-relay", "", ErrSyntax},
		{"application/dtmf-relay", "Signal=\r\n", ErrSyntax},
		{"application/dtmf-relay", "Signal=5 6", ErrSyntax},
		{"application/dtmf", "x", ErrSyntax},
		{"application/dtmf", "012345678901234567890123456789012", ErrSyntax},
		{"application/vnd.nortelnetworks.digits", "p=5", ErrSyntax},
		{"audio/telephone-event", "\x11\x00\x00\x00", ErrSyntax},
	} {
		if got, err := Digits(c.kind, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s %q: got %q %v, want %v", c.kind, c.body, got, err, c.want)
		}
	}
}
