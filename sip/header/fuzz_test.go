package header

import (
	"reflect"
	"strings"
	"testing"

	"unicode/utf8"
)

// again checks that whatever is read of s, by any parser, reads the same once
// written, and that nothing written can begin another header field.
func again(t *testing.T, s string) {
	t.Helper()
	repeat(t, s, ParseNameAddrs, join)
	repeat(t, s, ParseNameAddr, NameAddr.String)
	repeat(t, s, ParseURI, URI.String)
	repeat(t, s, ParseDiversions, join)
	repeat(t, s, ParseHistory, join)
	repeat(t, s, ParseReasons, FormatReasons)
	repeat(t, s, ParseUserToUser, join)
}

func repeat[T any](t *testing.T, s string, parse func(string) (T, error), write func(T) string) {
	t.Helper()
	first, err := parse(s)
	if err != nil {
		return
	}
	text := write(first)
	if strings.ContainsAny(text, "\r\n\x00") {
		t.Fatalf("%q is written as %q", s, text)
	}
	if second, err := parse(text); err != nil || !reflect.DeepEqual(second, first) {
		t.Fatalf("%q is %#v, but written as %q it is %#v %v", s, first, text, second, err)
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{
		`"Cullen \"J\" Jennings" <sip:fluffy@cisco.com;user=phone?a=b>;tag=1;x="y;z", tel:+14085264000;phone-context=+86`,
		`SIP ;cause=200 ;text="Call completed elsewhere", Q.850;cause=16`,
		`<sip:UserA@ims.example.com;cause=302?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1.1;mp=1`,
		`"56a390";encoding=hex;purpose=foo`, `<urn:x:y>;purpose=emergency-CallId`, `4000;refresher=uac`,
		`sip:a%40b:c%3a@[::1]:5060;x=%3B;lr`, `Bell, A <sip:a@b>`, "sip:%00@h", `<sip:a@b>;reason="x\y";counter=07`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { again(t, s) })
}

// Whatever a program puts into a party, it is written as one that can be read.
func FuzzWrite(f *testing.F) {
	f.Add("小王 \"x\"\r\nEvil: 1", "13812345678", "10.0.0.1", "k", "v;w")
	f.Fuzz(func(t *testing.T, display, user, host, key, value string) {
		n := NameAddr{Display: display, URI: URI{Scheme: "sip", User: user, Host: host}}
		if host == "" || !only(host, "-._") {
			return // a host comes from the configuration, which checks it
		}
		if IsToken(key) {
			n.Params = n.Params.With(key, value)
		}
		got, err := ParseNameAddr(n.String())
		if err != nil || got.URI.User != user {
			t.Fatalf("%#v is written as %q: %v", n, n, err)
		}
		if want := strings.Map(blank, display); utf8.ValidString(display) && got.Display != want {
			t.Fatalf("%q is written as %q", display, n)
		}
	})
}

func blank(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

func FuzzDigits(f *testing.F) {
	f.Add("application/dtmf-relay", []byte("Signal=5\r\nDuration=160\r\n"))
	f.Add("application/dtmf", []byte("10"))
	f.Add("audio/telephone-event", []byte{10, 0x80, 3, 32})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		keys, err := Digits(kind, body)
		if (err == nil) != (keys != "") || strings.Trim(keys, digitsOfEvent) != "" {
			t.Fatalf("%q %q: %q %v", kind, body, keys, err)
		}
	})
}
