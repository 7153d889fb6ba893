package header

import (
	"errors"
	"testing"
)

// What desk phones write into Refer-To, and the strict form of the same.
func TestReferTo(t *testing.T) {
	for given, want := range map[string]string{
		// with and without brackets, display name, port, parameters, scheme, host
		"<sip:12345@10.0.0.1>":                   "<sip:12345@10.0.0.1>",
		"sip:12345@10.0.0.1":                     "<sip:12345@10.0.0.1>",
		`"Government" <sip:12345@10.0.0.1:5060>`: "<sip:12345@10.0.0.1:5060>",
		"Gov <sip:12345@h;user=phone>;x=y":       "<sip:12345@h;user=phone>",
		"<sips:12345@[2001:db8::1]>":             "<sips:12345@[2001:db8::1]>",
		"sip:12345":                              "<sip:12345>",
		"<sip:12345>":                            "<sip:12345>",
		"12345":                                  "<sip:12345>",
		"12345@10.0.0.1:5060":                    "<sip:12345@10.0.0.1:5060>",
		"<tel:+86-311-12345>":                    "<tel:+86-311-12345>",
		"sip:12345@h;user=phone":                 "<sip:12345@h;user=phone>",
		// RFC 3515 §2.1, RFC 4579 §5.11
		"<sip:12345@h;method=INVITE>": "<sip:12345@h;method=INVITE>",
		"<sip:2101@h;method=bye>":     "<sip:2101@h;method=BYE>",
		// RFC 3515 §4: the examples
		"<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>": "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
		"<sip:dave@denver.example.org?Accept-Contact=sip:dave%40x%3Bonly=true&Call-ID=55432%40alice.example>":  "<sip:dave@denver.example.org>",
		// a Replaces that nobody has escaped, and one without brackets around it
		"<sip:2101@h?Replaces=c@h;to-tag=a;from-tag=b>":                      "<sip:2101@h?Replaces=c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>",
		"sip:2101@h?Replaces=c%40h%3Bfrom-tag%3Db%3Bto-tag%3Da%3Bearly-only": "<sip:2101@h?Replaces=c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db%3Bearly-only>",
		// a phone that knows no tag of the other side yet
		"<sip:2101@h?Replaces=c%40h%3Bto-tag%3D%3Bfrom-tag%3Db>": "<sip:2101@h?Replaces=c%40h%3Bto-tag%3D%3Bfrom-tag%3Db>",
		"sip:2101?replaces=c@h;to-tag=a;from-tag=b":              "<sip:2101?Replaces=c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>",
	} {
		r, err := ParseReferTo(given)
		if err != nil {
			t.Errorf("%s: %v", given, err)
		} else if r.String() != want {
			t.Errorf("%s\nread as %s\nwant    %s", given, r, want)
		}
	}
}

func TestReferToParts(t *testing.T) {
	r, err := ParseReferTo("<sip:2101@10.0.0.1:5060;method=INVITE?Replaces=a84b4c76%40h%3Bto-tag%3Dx%3Bfrom-tag%3Dy>")
	if err != nil || r.Number() != "2101" || r.Method != "INVITE" || r.URI.Port != 5060 || len(r.URI.Params) != 0 ||
		r.URI.Headers != "" {
		t.Errorf("%+v %v", r, err)
	}
	if want := (Replaces{CallID: "a84b4c76@h", To: "x", From: "y"}); r.Replaces == nil || *r.Replaces != want {
		t.Errorf("%+v", r.Replaces)
	}
	for given, number := range map[string]string{"sip:12345": "12345", "12345": "12345", "<tel:12345>": "12345",
		"<sip:%31%31%30@h>": "110"} {
		if r, err := ParseReferTo(given); err != nil || r.Number() != number {
			t.Errorf("%s: %q %v", given, r.Number(), err)
		}
	}
}

func TestReferToRefused(t *testing.T) {
	for _, s := range []string{
		"", " ", "<>", "<sip:>", "<sip:12345@h", `"open <sip:a@h>`, "<sip:a@h>, <sip:b@h>", "<sip:a@h> <sip:b@h>",
		"<sip:a@h> rest",
		"<sip:a@h?Replaces=c>", "<sip:a@h?Replaces=c%3Bto-tag%3Da>", "<sip:a@h?Replaces=%3Bto-tag%3Da%3Bfrom-tag%3Db>",
		"<sip:a@h?Replaces=c%3Bto-tag%3Da%3Bto-tag%3Da%3Bfrom-tag%3Db>", "<sip:a@h;method=>", "sip:a b@h",
		"<sip:a%3fb@h>", "<sip:a@h?Replaces=c%0d%0aEvil:1%3Bto-tag%3Da%3Bfrom-tag%3Db>",
	} {
		if r, err := ParseReferTo(s); err == nil {
			t.Errorf("%q is read as %s", s, r)
		} else if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrURI) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// RFC 3891 §6.1, the examples.
func TestReplaces(t *testing.T) {
	for given, want := range map[string]Replaces{
		"98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff": {CallID: "98732@sip.example.com", To: "ff87ff",
			From: "r33th4x0r"},
		"12adf2f34456gs5;to-tag=12345;from-tag=54321": {CallID: "12adf2f34456gs5", To: "12345",
			From: "54321"},
		"87134@171.161.34.23;to-tag=24796;from-tag=0": {CallID: "87134@171.161.34.23", To: "24796",
			From: "0"},
		"c;to-tag=1;from-tag=2;early-only;x=y": {CallID: "c", To: "1", From: "2", EarlyOnly: true},
	} {
		if got, err := ParseReplaces(given); err != nil || got != want {
			t.Errorf("%s: %+v %v", given, got, err)
		}
	}
}

func FuzzReferTo(f *testing.F) {
	for _, s := range []string{
		"<sip:12345@h:5060;method=BYE>", "sip:2101?replaces=c@h;to-tag=a;from-tag=b", `"D" <tel:110>`, "12345",
		"<sip:a?b=c&Replaces=%3B>",
		"sip:2101@h?Replaces=c%40h%3Bfrom-tag%3Db%3Bto-tag%3Da%3Bearly-only",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		repeat(t, s, ParseReferTo, ReferTo.String)
		repeat(t, s, ParseReplaces, Replaces.String)
	})
}
