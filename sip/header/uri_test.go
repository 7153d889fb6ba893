package header

import (
	"errors"
	"reflect"
	"testing"
)

func TestURI(t *testing.T) {
	for in, want := range map[string]URI{
		"sip:alice@atlanta.com":  sip("alice", "atlanta.com"),
		"SIPS:Alice@atlanta.com": {Scheme: "sips", User: "Alice", Host: "atlanta.com"},
		"sip:10.0.0.1:5070":      {Scheme: "sip", Host: "10.0.0.1", Port: 5070},
		"sip:gw_1.example;lr":    {Scheme: "sip", Host: "gw_1.example", Params: Params{{Key: "lr"}}},
		"sip:a:b%20c@h;x=": {Scheme: "sip", User: "a", Password: "b c", Host: "h",
			Params: Params{{Key: "x", HasValue: true}}},
		"sip:[2001:db8::10]:5070":    {Scheme: "sip", Host: "2001:db8::10", Port: 5070},      // RFC 5118 §4.4
		"sip:[2001:db8::10:5070]":    {Scheme: "sip", Host: "2001:db8::10:5070"},             // RFC 5118 §4.3
		"sip:ted@[::ffff:192.0.2.2]": {Scheme: "sip", User: "ted", Host: "::ffff:192.0.2.2"}, // RFC 5118 §4.8
		// RFC 3261 §19.1.3
		"sip:+1-212-555-1212:1234@gateway.com;user=phone": {Scheme: "sip", User: "+1-212-555-1212",
			Password: "1234", Host: "gateway.com", Params: Params{param("user", "phone")}},
		"sips:1212@gateway.com": {Scheme: "sips", User: "1212", Host: "gateway.com"},
		"sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com": {Scheme: "sip", Host: "atlanta.com",
			Params: Params{param("method", "REGISTER")}, Headers: "to=alice%40atlanta.com"},
		"sip:alice;day=tuesday@atlanta.com":          sip("alice;day=tuesday", "atlanta.com"),
		"sip:13812345678;phone-context=+86@10.0.0.1": sip("13812345678;phone-context=+86", "10.0.0.1"),
		"sip:*1%23@h": sip("*1#", "h"),
		"sip:100%@h":  sip("100%", "h"),
		"tel:+86-311-8765.4321;phone-context=+86;isub=1": {Scheme: "tel", User: "+86-311-8765.4321",
			Params: Params{param("phone-context", "+86"), param("isub", "1")}},
		"tel:12345":                          {Scheme: "tel", User: "12345"},
		"urn:service:sos.police":             {Scheme: "urn", Opaque: "service:sos.police"},
		"http://www.example.com/a?b=c;d":     {Scheme: "http", Opaque: "//www.example.com/a?b=c;d"},
		" sip:alice@atlanta.com\r\n ":        sip("alice", "atlanta.com"),
		"sip:%E5%B0%8F%E7%8E%8B@h;p%20q=%3B": {Scheme: "sip", User: "小王", Host: "h", Params: Params{param("p q", ";")}},
		"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com": sip(
			"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com"),
	} {
		got, err := ParseURI(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v %v, want %#v", in, got, err, want)
		}
		if again, err := ParseURI(got.String()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: written as %q reads as %#v %v", in, got, again, err)
		}
	}
}

func TestURIRefused(t *testing.T) {
	for _, in := range []string{
		"", "sip", "sip:", "12345", ":a@h", "1sip:a@h", "sip:a@", "sip:@", "sip:@h", "sip::x@h", "sip:a@h:",
		"sip:a@h:0", "sip:a@h:65536", "sip:a@h:+5",
		"sip:a@h:5060x", "sip:2001:db8::10", "sip:[2001:db8::10", "sip:[10.0.0.1]", "sip:[fe80::1%eth0]",
		"sip:[::1]5060", "sip:a b@h",
		"<sip:a@h>", "sip:a@h\">", "sip:a@h,sip:b@h", "sip:a@b@c", "tel:", "tel:;x=y", "sip:a@h\x00", "sip:a@ho$t",
	} {
		if got, err := ParseURI(in); !errors.Is(err, ErrURI) {
			t.Errorf("%q: got %#v %v, want ErrURI", in, got, err)
		}
	}
}

// A URI made of another party's text must stay one URI.
func TestURIEscapes(t *testing.T) {
	for want, u := range map[string]URI{
		"sip:a%40b%3E%0D%0A@h":   sip("a@b>\r\n", "h"),
		"sip:x@[2001:db8::1]":    sip("x", "2001:db8::1"),
		"sip:x@[::1]:5060;a=%3B": {User: "x", Host: "::1", Port: 5060, Params: Params{param("a", ";")}},
		"tel:+1%3Bx":             {Scheme: "tel", User: "+1;x"},
	} {
		if got := u.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNameAddr(t *testing.T) {
	for in, want := range map[string]NameAddr{
		// RFC 3261 §20.20
		`sip:+12125551212@phone2net.com;tag=887s`: {URI: sip("+12125551212", "phone2net.com"),
			Params: Params{param("tag", "887s")}},
		`"A. G. Bell" <sip:agb@bell-telephone.com>`: {Display: "A. G. Bell",
			URI: sip("agb", "bell-telephone.com")},
		`Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8`: {Display: "Anonymous",
			URI: sip("c8oqz84zk7z", "privacy.org"), Params: Params{param("tag", "hyh8")}},
		// RFC 4475 §3.1.1.6
		`caller<sip:caller@example.com>;tag=323`: {Display: "caller",
			URI: sip("caller", "example.com"), Params: Params{param("tag", "323")}},
		// RFC 4475 §3.1.2.15
		`Bell, Alexander <sip:a@b>;tag=43`: {Display: "Bell, Alexander",
			URI: sip("a", "b"), Params: Params{param("tag", "43")}},
		// RFC 4475 §3.1.2.14
		`"Watson" < sip:t@e.org >`: {Display: "Watson", URI: sip("t", "e.org")},
		// RFC 4475 §3.1.1.1
		"\"J \\\\\\\"\"  <sip:j@d>\r\n  ;\r\n  tag = 98": {Display: `J \"`, URI: sip("j", "d"),
			Params: Params{param("tag", "98")}},
		`"" <sip:a@b>;;x;`: {URI: sip("a", "b"),
			Params: Params{{Key: "x"}}},
		`<sip:a@b;x=y>;x="q;\"<"`: {URI: URI{Scheme: "sip", User: "a", Host: "b",
			Params: Params{param("x", "y")}}, Params: Params{param("x", `q;"<`)}},
		"\"bell\a nul\x00\" <sip:a@b>": {Display: "bell  nul ", URI: sip("a", "b")},
		`<sip:a@b>;+sip.instance="<urn:uuid:1>";received=[2001:db8::1]`: {URI: sip("a", "b"),
			Params: Params{param("+sip.instance", "<urn:uuid:1>"), param("received", "[2001:db8::1]")}},
	} {
		got, err := ParseNameAddr(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v %v, want %#v", in, got, err, want)
		}
		if again, err := ParseNameAddr(got.String()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: written as %q reads as %#v %v", in, got, again, err)
		}
	}
	for _, in := range []string{
		"", "<>", "alice", `"Mr. J. User <sip:j.user@example.com>`, "<sip:a@b", `"a" sip:a@b`, `x" <sip:a@b>`,
		"<sip:a@b>x", `<sip:a@b>;x="y`, `<sip:a@b>;x=y"z"`,
		"<sip:a@b>;a b=c", "sip:a@b, sip:c@d", `"a\`,
	} {
		if got, err := ParseNameAddr(in); err == nil {
			t.Errorf("%q: got %#v, want an error", in, got)
		}
	}
}

func TestLists(t *testing.T) {
	if list, err := ParseNameAddrs(`,"a, b" <sip:a@b,c>, ,<tel:1>`[1:]); err == nil {
		t.Errorf("a comma in the host: %#v", list)
	}
	if list, err := ParseNameAddrs(` , <sip:a@b>,, <tel:1>,`); err != nil || len(list) != 2 {
		t.Errorf("empty entries: %#v %v", list, err)
	}
	for _, in := range []string{"", " , ", `<sip:a@b>, "`} {
		if list, err := ParseNameAddrs(in); err == nil {
			t.Errorf("%q: got %#v, want an error", in, list)
		}
	}
}

func TestParams(t *testing.T) {
	p := Params{param("a", "1"), {Key: "LR"}}
	q := p.With("A", "2").With("b", "x y")
	if v, ok := q.Get("a"); v != "2" || !ok || q.String() != `;A=2;LR;b="x y"` || p.String() != ";a=1;LR" {
		t.Errorf("with: %s, and %s before", q, p)
	}
	if _, ok := q.Get("lr"); !ok || q.Without("lr", "B").String() != ";A=2" || len(q) != 3 {
		t.Errorf("without: %s", q.Without("lr", "B"))
	}
	if tag := (NameAddr{Params: Params{param("Tag", "x")}}).Tag(); tag != "x" {
		t.Errorf("tag %q", tag)
	}
}
