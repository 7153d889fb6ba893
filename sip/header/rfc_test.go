package header

import (
	"reflect"
	"testing"
	"time"
)

// same checks a reading, and that its strict form reads the same.
func same[T interface{ String() string }](t *testing.T, parse func(string) ([]T, error), in string, want ...T) {
	t.Helper()
	got, err := parse(in)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got %#v %v, want %#v", in, got, err, want)
		return
	}
	if again, err := parse(join(got)); err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("%q: written as %q reads as %#v %v", in, join(got), again, err)
	}
}

func sip(user, host string) URI { return URI{Scheme: "sip", User: user, Host: host} }

func param(key, value string) Param { return Param{Key: key, Value: value, HasValue: true} }

// RFC 3325 §10.
func TestAssertedIdentity(t *testing.T) {
	same(t, ParseNameAddrs, `"Cullen Jennings" <sip:fluffy@cisco.com>`,
		NameAddr{Display: "Cullen Jennings", URI: sip("fluffy", "cisco.com")})
	same(t, ParseNameAddrs, `tel:+14085264000`, NameAddr{URI: URI{Scheme: "tel", User: "+14085264000"}})
	same(t, ParseNameAddrs, `"Wang, \"Xiao\" 小王" <sip:13812345678@10.1.1.1;user=phone>, <tel:+86-138-1234-5678>`,
		NameAddr{Display: `Wang, "Xiao" 小王`, URI: URI{Scheme: "sip", User: "13812345678", Host: "10.1.1.1",
			Params: Params{param("user", "phone")}}},
		NameAddr{URI: URI{Scheme: "tel", User: "+86-138-1234-5678"}})
	// draft-ietf-sip-privacy-04 §5.1
	same(t, ParseNameAddrs, `"John Doe" <sip:jdoe@foo.com>;party=calling;id-type=subscriber;privacy=full;screen=yes`,
		NameAddr{Display: "John Doe", URI: sip("jdoe", "foo.com"), Params: Params{
			param("party", "calling"), param("id-type", "subscriber"), param("privacy", "full"),
			param("screen", "yes")}})
}

// RFC 3326 §2 and §3.
func TestReason(t *testing.T) {
	same(t, ParseReasons, `SIP ;cause=200 ;text="Call completed elsewhere"`,
		Reason{Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"})
	same(t, ParseReasons, `Q.850 ;cause=16 ;text="Terminated"`,
		Reason{Protocol: "Q.850", Cause: 16, Text: "Terminated"})
	same(t, ParseReasons, `SIP ;cause=600 ;text="Busy Everywhere", Q.850;cause=17`,
		Reason{Protocol: "SIP", Cause: 600, Text: "Busy Everywhere"}, Reason{Protocol: "Q.850", Cause: 17})
	same(t, ParseReasons, `Q.850;cause=31;text=Normal unspecified;location=LN`, // a text without its quotes
		Reason{Protocol: "Q.850", Cause: 31, Text: "Normal unspecified", Params: Params{param("location", "LN")}})
	same(t, ParseReasons, `Q.850;cause=0;x`, Reason{Protocol: "Q.850", Params: Params{{Key: "x"}}})
	same(t, ParseReasons, `SIP`, Reason{Protocol: "SIP"})
	if got := (Reason{Protocol: "SIP", Cause: 200,
		Text: "Call completed elsewhere"}).String(); got != `SIP ;cause=200 ;text="Call completed elsewhere"` {
		t.Errorf("written as %s", got)
	}
}

// RFC 5806 §4 and §9.
func TestDiversion(t *testing.T) {
	same(t, ParseDiversions, `<sip:WeLuvYou@p4.isp.com>;reason=time-of-day`,
		Diversion{Who: NameAddr{URI: sip("WeLuvYou", "p4.isp.com")}, Reason: "time-of-day"})
	same(t, ParseDiversions,
		`<sip:+19195551004@isp.com>;reason=user-busy, "110" <tel:110>;reason="no-answer";counter=3;privacy=full;screen=no`,
		Diversion{Who: NameAddr{URI: sip("+19195551004", "isp.com")}, Reason: "user-busy"},
		Diversion{Who: NameAddr{Display: "110", URI: URI{Scheme: "tel", User: "110"},
			Params: Params{param("screen", "no")}}, Reason: "no-answer", Counter: 3, Privacy: "full"})
	d := Diversion{Who: NameAddr{URI: sip("110", "h")}, Reason: "deflection", Counter: 1}
	if got := d.String(); got != "<sip:110@h>;reason=deflection;counter=1" || d.Who.Params != nil {
		t.Errorf("written as %s, leaving %v", got, d.Who.Params)
	}
}

// RFC 7044 §5.1.
func TestHistory(t *testing.T) {
	same(t, ParseHistory, `<sip:UserA@ims.example.com>;index=1;foo=bar`,
		HistoryEntry{Who: NameAddr{URI: sip("UserA", "ims.example.com"), Params: Params{param("foo", "bar")}},
			Index: "1"})
	same(t, ParseHistory,
		`<sip:UserA@ims.example.com?Reason=SIP%3Bcause%3D302>;index=1.1,<sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1,<sip:45432@192.168.0.3>;index=1.3;rc=1.2`,
		HistoryEntry{Who: NameAddr{URI: sip("UserA", "ims.example.com")}, Index: "1.1",
			Reasons: []Reason{{Protocol: "SIP", Cause: 302}}},
		HistoryEntry{Who: NameAddr{URI: sip("UserB", "example.com")}, Index: "1.2", How: "mp", From: "1.1",
			Privacy: "history", Reasons: []Reason{{Protocol: "SIP", Cause: 486}}},
		HistoryEntry{Who: NameAddr{URI: sip("45432", "192.168.0.3")}, Index: "1.3", How: "rc", From: "1.2"})
	// RFC 4458 §2
	same(t, ParseHistory, `<sip:12345@h;user=phone;cause=302?Reason=Q.850%20%3Btext%3D%22a%2C%20b%22&x=y>;index=1.1`,
		HistoryEntry{Who: NameAddr{URI: URI{Scheme: "sip", User: "12345", Host: "h",
			Params: Params{param("user", "phone")}, Headers: "x=y"}},
			Index: "1.1", Cause: 302, Reasons: []Reason{{Protocol: "Q.850", Text: "a, b"}}})
}

func TestNextIndex(t *testing.T) {
	for want, list := range map[string][]HistoryEntry{
		"1": nil, "1.1": {{Index: "1"}}, "1.2.1": {{Index: "1"}, {Index: "1.2"}},
	} {
		if got := NextIndex(list); got != want {
			t.Errorf("after %v: got %s, want %s", list, got, want)
		}
	}
}

// RFC 7433 §4.
func TestUserToUser(t *testing.T) {
	same(t, ParseUserToUser, `56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar`,
		UserToUser{Data: "56a390f3d2b7310023a2", Encoding: "hex", Purpose: "foo", Content: "bar"})
	same(t, ParseUserToUser, `"a;b, c";purpose=isdn-uui, 04aa;x=1`,
		UserToUser{Data: "a;b, c", Purpose: "isdn-uui"}, UserToUser{Data: "04aa", Params: Params{param("x", "1")}})
	u := UserToUser{Data: "30314a2f313130", Encoding: "hex", Purpose: "liandong"}
	if got, err := u.Bytes(); err != nil || string(got) != "01J/110" ||
		u.String() != "30314a2f313130;encoding=hex;purpose=liandong" {
		t.Errorf("%s holds %q %v", u, got, err)
	}
	if _, err := (UserToUser{Data: "xyz"}).Bytes(); err == nil {
		t.Error("no hex, no error")
	}
}

// RFC 3261 §20.9.
func TestCallInfo(t *testing.T) {
	for want, c := range map[string]CallInfo{
		`<http://www.example.com/alice/photo.jpg>;purpose=icon`: {"http://www.example.com/alice/photo.jpg", "icon"},
		`<urn:emergency:uid:callid:a56e556d871:bcf.state.pa.us>;purpose=emergency-CallId`: {
			"urn:emergency:uid:callid:a56e556d871:bcf.state.pa.us", "emergency-CallId"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// RFC 4028 §4 and §5.
func TestSessionExpires(t *testing.T) {
	for in, want := range map[string]SessionExpires{
		"4000;refresher=uac": {4000 * time.Second, "uac"}, "90": {90 * time.Second, ""},
		" 1800 ; refresher=UAS": {1800 * time.Second, "uas"},
		"4294967295":            {4294967295 * time.Second, ""}, "90;refresher=who;x": {90 * time.Second, ""},
	} {
		got, err := ParseSessionExpires(in)
		if err != nil || got != want {
			t.Errorf("%q: got %v %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "+5", "x", "4294967296", ";refresher=uac", "1 2", "90;="} {
		if got, err := ParseSessionExpires(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}
