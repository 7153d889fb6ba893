package ua

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

func TestReadAddress(t *testing.T) {
	tests := []struct {
		in, display, uri, tag string
		ok                    bool
	}{
		{`"Wang \"Li\", 1101" <sip:1101@h;lr>;tag=a`, `Wang \"Li\", 1101`, "sip:1101@h;lr", "a", true},
		{"sip:1101@h;TAG=a", "", "sip:1101@h", "a", true},
		{"Anna Bell<sip:h> ; x=\"1;2\" ; tag = a", "Anna Bell", "sip:h", "a", true},
		{"<tel:+8613812345678>;tag=a", "", "tel:+8613812345678", "a", true},
		{"<sip:[2001:db8::1]:5070>", "", "sip:[2001:db8::1]:5070", "", true},
		{`sip:1101@h;+sip.instance="<urn:uuid:1>";tag=a`, "", "sip:1101@h", "a", true},
		{"sip:1101;phone-context=+86@h;tag=a", "", "sip:1101;phone-context=+86@h", "a", true},
		{"sip:a@b?Route=x", "", "", "", false}, // RFC 3261 §20: must be in brackets
		{`"open <sip:a@b>`, "", "", "", false},
		{"<sip:a@b", "", "", "", false},
		{"<sip:a@b> junk", "", "", "", false},
		{"<sip:>", "", "", "", false},
		{"<sip:a b@c>", "", "", "", false},
		{"", "", "", "", false},
		{"1101", "", "", "", false},
	}
	for _, tt := range tests {
		var a address
		err := readAddress(tt.in, &a)
		if (err == nil) != tt.ok {
			t.Errorf("%q: error %v", tt.in, err)
			continue
		}
		if tt.ok && (a.DisplayName != tt.display || a.Address.String() != tt.uri ||
			a.Params.GetOr("tag", "") != tt.tag) {
			t.Errorf("%q: %q %q %v", tt.in, a.DisplayName, a.Address.String(), a.Params)
		}
	}
}

func TestReadVia(t *testing.T) {
	tests := []struct{ in, want string }{
		{"SIP/2.0/UDP h", "SIP/2.0/UDP h"},
		{"sip / 2.0 / TCP   h : 5060 ; branch = x ;rport", "SIP/2.0/TCP h:5060;branch=x;rport"},
		{"SIP/2.0/UDP [::ffff:192.0.2.10]:19823;RPort", "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;rport"},
		{`SIP/2.0/UDP h;x="a;b";branch=y`, `SIP/2.0/UDP h;x="a;b";branch=y`},
		{"SIP/2.0/UDP", ""}, {"SIP/2.0 h", ""}, {"HTTP/1.1/TCP h", ""}, {"SIP/2.0/UDP h:0", ""},
		{"SIP/2.0/UDP h:x", ""},
		{"SIP/2.0/UDP [::1", ""}, {"SIP/2.0/UDP :5060", ""}, {"SIP/2.0/UDP a b", ""}, {"SIP/2.0/UDP [::1]5060", ""},
	}
	for _, tt := range tests {
		var via gosip.ViaHeader
		err := readVia(tt.in, &via)
		if (err == nil) != (tt.want != "") || err == nil && via.Value() != tt.want {
			t.Errorf("%q: %v %v", tt.in, via, err)
		}
	}
}

func TestFramer(t *testing.T) {
	const a, b = "A\r\nContent-Length: 2\r\n\r\nxy", "B\r\nl : 0\r\n\r\n"
	tests := []struct {
		name  string
		parts []string
		want  []string
		pings int
		err   error
	}{
		{"two at once", []string{a + b}, []string{a, b}, 0, errMore},
		{"cut in the body", []string{a[:len(a)-1], "y" + b}, []string{a, b}, 0, errMore},
		{"cut in the head", []string{"A\r\nContent-Le", a[13:]}, []string{a}, 0, errMore},
		{"ping", []string{"\r\n\r\n" + a}, []string{a}, 1, errMore},
		{"ping in halves", []string{"\r\n", "\r\n", "\r", "\n\r", "\n"}, nil, 2, errMore},
		{"breaks before a message", []string{"\r\n" + a}, []string{a}, 0, errMore},
		{"no length", []string{"A\r\nTo: x\r\n\r\nbody"}, []string{"A\r\nTo: x\r\n\r\n"}, 0, errUnframed},
		{"two lengths", []string{"A\r\nl: 1\r\nl: 2\r\n\r\n"}, []string{"A\r\nl: 1\r\nl: 2\r\n\r\n"}, 0, errUnframed},
		{"head without end", []string{string(bytes.Repeat([]byte("x"), maxMessage+1))}, nil, 0, errTooLong},
		{"body too long", []string{"A\r\nl: 65536\r\n\r\n"}, []string{"A\r\nl: 65536\r\n\r\n"}, 0, errTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f framer
			var got []string
			var pings int
			var last error
			for _, part := range tt.parts {
				f.feed([]byte(part))
				for last = nil; last == nil; {
					msg, ping, err := f.next()
					if last = err; ping {
						pings++
					} else if msg != nil {
						got = append(got, string(msg))
					}
				}
			}
			if !reflect.DeepEqual(got, tt.want) || pings != tt.pings || !errors.Is(last, tt.err) {
				t.Errorf("%q, %d pings, %v", got, pings, last)
			}
		})
	}
}
