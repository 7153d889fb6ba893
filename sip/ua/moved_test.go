package ua

import (
	"slices"
	"testing"
	"time"
)

func TestCallsHearThatAPhoneMovedToItsContact(t *testing.T) {
	told := make(chan string, 10)
	r := newRig(t, func(c *Config) {
		c.Bindings = func(_ string, live []Binding) { told <- live[0].Flow.Remote.String() }
	})
	p := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register("Contact: <sip:1101@127.0.0.1:5077;transport=tcp>"), 200)
	<-told
	_ = p.conn.Close()
	eventually(t, "the flow leads to the Contact", func() bool {
		live := r.Locate("1101")
		return len(live) == 1 && live[0].Flow.Remote.String() == "127.0.0.1:5077"
	})
	select {
	case at := <-told:
		if at != "127.0.0.1:5077" {
			t.Errorf("told %s", at)
		}
	case <-time.After(patience):
		t.Error("Locate knows the new way, Config.Bindings was never told: calls keep the dead one")
	}
}

// A phone behind a NAT comes back by another connection, and often with another Contact: it is the same phone all the
// same, by its instance (RFC 5626 §4.1) or by the Call-ID of its registrations (RFC 3261 §10.2.4).
func TestPhoneThatConnectsAgainIsTheSamePhone(t *testing.T) {
	for _, c := range []struct{ name, first, then string }{
		{"Call-ID", "<sip:1101@10.1.2.3:50001;transport=tcp>", "<sip:1101@10.1.2.3:50002;transport=tcp>"},
		{"instance", `<sip:1101@10.1.2.3:50001;transport=tcp>;+sip.instance="<urn:uuid:1>"`,
			`<sip:1101@10.1.2.3:50002;transport=tcp>;+sip.instance="<urn:uuid:1>"`},
		{"Contact", "<sip:1101@10.1.2.3;transport=tcp>", "<sip:1101@10.1.2.3;transport=tcp>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			p := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
			wantCode(t, p.register("Contact: "+c.first), 200)
			was := r.Locate("1101")[0].Contact
			_ = p.conn.Close()
			eventually(t, "the connection is known to be gone", func() bool { return len(r.Locate("1101")) == 0 })
			p.peer, p.challenge = r.tcp("127.0.0.1"), ""
			if c.name == "instance" {
				p.callID = "another@boot"
			}
			wantCode(t, p.register("Contact: "+c.then), 200)
			live := r.Locate("1101")
			if len(live) != 1 || live[0].Flow.Remote != p.local() {
				t.Fatalf("reached by %+v", live)
			}
			if live[0].Contact != was && !slices.Contains(live[0].Before, was) {
				t.Errorf("its dialogs name %s, and nothing leads from there: %+v", was, live[0])
			}
		})
	}
}

// RFC 5626 §5.3: no more than one Contact of an instance is called; and a phone that has registered by TLS too is not
// rung twice.
func TestEachPhoneIsLocatedOnce(t *testing.T) {
	r := newRig(t, nil)
	one, two := newPhone(r.udp("127.0.0.1"), "1101", "MD5"), newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	wantCode(t, one.register(one.contact()+`;+sip.instance="<urn:uuid:1>";reg-id=1`), 200)
	wantCode(t, two.register(two.contact()+`;+sip.instance="<urn:uuid:1>";reg-id=2`), 200)
	if live := r.Locate("1101"); len(live) != 1 || live[0].Flow.Transport != "tcp" {
		t.Errorf("one phone by two ways: %+v", live)
	}
	three := newPhone(r.udp("127.0.0.1"), "1101", "MD5")
	wantCode(t, three.register(three.contact()), 200)
	if live := r.Locate("1101"); len(live) != 2 {
		t.Errorf("two phones: %+v", live)
	}
}
