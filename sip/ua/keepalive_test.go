package ua

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A phone whose Contact is not where it came from is asked by OPTIONS once in 25 s; one
// that is where it says, and one on a connection, are left alone.
func TestPhonesBehindNATAreHeldOpen(t *testing.T) {
	r := newRig(t, nil)
	behind, direct, connected := newPhone(r.udp("127.0.0.1"), "1101", "MD5"),
		newPhone(r.udp("127.0.0.1"), "1102", "MD5"), newPhone(r.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, behind.register("Contact: <sip:1101@192.168.1.5:5060>"), 200)
	wantCode(t, direct.register(direct.contact()), 200)
	wantCode(t, connected.register("Contact: <sip:1102@192.168.1.6:5060;transport=tcp>"), 200)
	if all := r.registrar.behindNAT(); len(all) != 1 || all[0].User != "1101" {
		t.Fatalf("%+v", all)
	}
	for s := range int64(holdInterval) {
		r.holdOpen(time.Unix(1_800_000_000+s, 0))
	}
	ask := behind.receive()
	if !strings.HasPrefix(ask, "OPTIONS sip:1101@192.168.1.5:5060 SIP/2.0\r\n") ||
		!strings.Contains(field(t, ask, "Via"), ";rport") {
		t.Errorf("asked by\n%s", ask)
	}
	unmatched := r.Stats().Unmatched
	behind.send(strings.Replace(ask, ask[:strings.Index(ask, "\r\n")], "SIP/2.0 200 OK", 1))
	// heard after the answer; nothing else came here
	wantCode(t, direct.ask(direct.request("OPTIONS", "1102").String()), 200)
	if s := r.Stats(); s.Unmatched != unmatched || s.Malformed != 0 {
		t.Errorf("the answer is %+v", s)
	}
}

func TestContactAddr(t *testing.T) {
	for contact, want := range map[string]netip.AddrPort{
		"sip:1101@10.0.0.1":              netip.MustParseAddrPort("10.0.0.1:5060"),
		"sip:1101@[2001:db8::1]:5070;ob": netip.MustParseAddrPort("[2001:db8::1]:5070"),
		"sip:1101@phone.example":         {},
		"nothing":                        {},
	} {
		if got := contactAddr(contact); got != want {
			t.Errorf("%s: %v", contact, got)
		}
	}
}
