package leg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// states are legs in every place that they can stand.
var states = []func(t *testing.T) *script{
	func(t *testing.T) *script { return outbound(t) },
	func(t *testing.T) *script { return outbound(t, func(_ *Config, i *Invite) { i.DelayedOffer = true }) },
	func(t *testing.T) *script {
		s := outbound(t)
		s.reply(s.last("INVITE"), 183, peerSDP, "Require: 100rel", "RSeq: 1")
		return s
	},
	func(t *testing.T) *script {
		s := outbound(t)
		s.reply(s.last("INVITE"), 180, "")
		s.do(End{})
		return s
	},
	func(t *testing.T) *script { return talkingOut(t, timed) },
	func(t *testing.T) *script {
		s := talkingOut(t)
		s.do(Modify{Direction: sdp.SendOnly})
		return s
	},
	func(t *testing.T) *script { return inbound(t) },
	func(t *testing.T) *script { return inbound(t, "Max-Forwards: 0") },
	func(t *testing.T) *script {
		s := required(t, "-offer")
		s.do(Progress{Code: 180})
		s.do(Answer{})
		return s
	},
	func(t *testing.T) *script {
		s := inbound(t, "-offer")
		s.do(Answer{})
		return s
	},
	func(t *testing.T) *script { return talkingIn(t) },
	func(t *testing.T) *script {
		s := talkingIn(t)
		s.do(End{})
		return s
	},
	func(t *testing.T) *script {
		s := talkingIn(t)
		s.request("BYE", "")
		return s
	},
	func(t *testing.T) *script {
		s := newScript(t)
		s.leg = NewOutbound(testConfig(1), localAt(addrA, mediaA, "udp"))
		return s
	},
}

// fill puts the leg's own names into a message of the fuzzer's, so that it is
// not always a stranger's.
func (s *script) fill(text string) string {
	branch := ""
	if len(s.leg.Clients) > 0 {
		branch = s.leg.Clients[len(s.leg.Clients)-1].Branch
	}
	return strings.NewReplacer("{id}", s.callID, "{us}", s.ourTag, "{branch}", branch).Replace(text)
}

// FuzzReceive feeds whatever can be parsed into a leg in each state: no panic,
// an answer to each request but ACK, and an end all the same.
func FuzzReceive(f *testing.F) {
	t := &testing.T{}
	seed := newScript(t)
	seed.callID = "{id}"
	for _, method := range []string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER",
		"HELLO"} {
		f.Add(seed.text(method, 20, "{us}", peerSDP, "Session-Expires: 100;refresher=uas", "Supported: timer"))
		f.Add(seed.text(method, 20, "", "", "RAck: 1 10 INVITE", "Require: 100rel"))
	}
	for _, code := range []string{"100", "183", "200", "401", "422", "481", "491", "500"} {
		for _, method := range []string{"INVITE", "BYE", "UPDATE", "PRACK"} {
			f.Add("SIP/2.0 " + code +
				" X\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch={branch}\r\nFrom: <sip:a@b>;tag={us}\r\n" +
				"To: <sip:c@d>;tag=peer\r\nCall-ID: {id}\r\nCSeq: 1 " + method +
				"\r\nRequire: 100rel\r\nRSeq: 2\r\nMin-SE: 3000\r\n" +
				"Session-Expires: 90\r\nContact: <sip:x@10.0.0.2;transport=tcp>\r\nContent-Type: application/sdp\r\n\r\n" + peerSDP)
		}
	}
	torture, _ := filepath.Glob("../../../shared/testdata/rfc4475/*.dat")
	for _, name := range torture {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, state := range states {
			s := state(t)
			m, err := gosip.ParseMessage([]byte(s.fill(text)))
			if err != nil {
				return
			}
			feed(t, i, s, m)
		}
	})
}

func feed(t *testing.T, state int, s *script, m gosip.Message) {
	t.Helper()
	before := m.String()
	req, isRequest := m.(*gosip.Request)
	wants := false
	if isRequest && req.Method != gosip.ACK && req.Via() != nil {
		key, ok := txn.KeyOf(req)
		wants = !ok || s.leg.serverOf(key) == nil // a copy is answered with its last response, if there is one
	}
	out := s.leg.Receive(s.now, Packet{Msg: m, Flow: s.way})
	if wants && !answers(out, req) {
		t.Fatalf("state %d: no answer to\n%s", state, before)
	}
	if m.String() != before {
		t.Fatalf("state %d: the message was changed", state)
	}
	s.leg.Do(s.now, End{})
	begin := s.now
	for !s.leg.Done() {
		at, ok := s.leg.Deadline()
		if !ok {
			t.Fatalf("state %d: not done, and waits for nothing", state)
		}
		s.now = later(s.now, at)
		s.leg.Tick(s.now)
		if next, ok := s.leg.Deadline(); ok && !next.After(s.now) {
			t.Fatalf("state %d: a timer that is due has not acted", state)
		}
		if s.now.Sub(begin) > 5*32*time.Second {
			t.Fatalf("state %d: no end after\n%s", state, before)
		}
	}
}

func answers(out Out, req *gosip.Request) bool {
	for _, p := range out.Packets {
		if res, ok := p.Msg.(*gosip.Response); ok && (req.CSeq() == nil ||
			res.CSeq() != nil && res.CSeq().Value() == req.CSeq().Value()) {
			return true
		}
	}
	return false
}

// FuzzNewInbound begins a leg with whatever INVITE can be parsed.
func FuzzNewInbound(f *testing.F) {
	seed := newScript(&testing.T{})
	seed.callID = "in-1"
	f.Add(seed.invite())
	f.Add(seed.invite("Require: 100rel", "Diversion: <sip:110@x>;reason=no-answer", "History-Info: <sip:a@b>;index=1"))
	f.Add(seed.invite("-Contact", "P-Asserted-Identity: <tel:+8613812345678>",
		"Call-Info: <urn:x>;purpose=emergency-CallId"))
	torture, _ := filepath.Glob("../../../shared/testdata/rfc4475/*.dat")
	for _, name := range torture {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := gosip.ParseMessage([]byte(text))
		req, ok := m.(*gosip.Request)
		if err != nil || !ok || req.Method != gosip.INVITE {
			return
		}
		s := newScript(t)
		leg, out := NewInbound(testConfig(1), s.now, Packet{Msg: req, Flow: s.way}, localAt(addrA, mediaA, "udp"))
		if req.Via() != nil && !answers(out, req) {
			t.Fatalf("no answer to\n%s", text)
		}
		s.leg = leg
		leg.Do(s.now, Answer{})
		leg.Do(s.now, End{})
		for !leg.Done() {
			at, ok := leg.Deadline()
			if !ok {
				t.Fatal("not done, and waits for nothing")
			}
			s.now = later(s.now, at)
			leg.Tick(s.now)
		}
	})
}
