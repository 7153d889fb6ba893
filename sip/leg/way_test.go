package leg

import (
	"net/netip"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const nowhere = "Contact: <sip:pstn@10.255.1.1:5060>"

// goes is where a method was sent to since the last take, in order.
func (s *script) goes(method string) (list []string) {
	for _, p := range s.sent {
		if req, ok := p.Msg.(*gosip.Request); ok && string(req.Method) == method {
			to := p.Target
			if p.Flow.Remote.IsValid() {
				to = p.Flow.Remote.String()
			}
			list = append(list, p.Flow.Transport+" "+to)
			if via := req.Via(); via.Transport != map[string]string{"udp": "UDP", "tcp": "TCP",
				"tls": "TLS"}[p.Flow.Transport] {
				s.t.Errorf("Via %s on a message by %s", via.Transport, p.Flow.Transport)
			}
		}
	}
	return list
}

func (s *script) wantGoes(method string, want ...string) {
	s.t.Helper()
	got := s.goes(method)
	if len(got) != len(want) {
		s.t.Errorf("%s goes to %q, want %q", method, got, want)
		return
	}
	for i := range want {
		if got[i] != want[i] {
			s.t.Errorf("%s goes to %q, want %q", method, got, want)
			return
		}
	}
}

// A Contact that swallows everything: the ACK of a copy of the 2xx and the third BYE go
// back to where the 2xx came from.
func TestContactThatLeadsNowhere(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	ok := s.response(invite, 200, peerSDP, nowhere)
	s.take()
	s.receive(ok)
	s.wantGoes("ACK", "udp 10.255.1.1:5060")
	s.take()
	s.receive(ok)
	s.receive(ok)
	s.wantGoes("ACK", "udp 10.0.0.2:5060", "udp 10.255.1.1:5060")
	s.take()
	s.do(End{})
	s.pass(4 * time.Second)
	s.wantGoes("BYE", "udp 10.255.1.1:5060", "udp 10.255.1.1:5060", "udp 10.0.0.2:5060", "udp 10.255.1.1:5060")
	s.reply(s.last("BYE"), 200, "")
	s.wantDone()
}

// What has been found to work is what the next request goes by.
func TestTheWayThatWorksIsKept(t *testing.T) {
	s := talkingIn(t, nowhere)
	s.do(Probe{})
	s.pass(2 * time.Second)
	s.wantGoes("OPTIONS", "udp 10.255.1.1:5060", "udp 10.255.1.1:5060", "udp 10.0.0.2:5060")
	s.reply(s.last("OPTIONS"), 200, "")
	s.take()
	s.do(End{})
	s.wantGoes("BYE", "udp 10.0.0.2:5060")
}

// A name that resolves to nothing, and a connection that cannot be made, are errors: the next
// way is taken at once, and in the end the trunk's other targets.
func TestEveryWayIsTried(t *testing.T) {
	s := newScript(t)
	s.local.Others = []Hop{{Flow{Network: "lab", Transport: "udp", Remote: addrC}, ""}}
	s.leg = NewOutbound(testConfig(1), s.local)
	s.callID = s.leg.CallID()
	s.do(inviteTo(t, addrB, "udp"))
	s.reply(s.last("INVITE"), 200, peerSDP, "Contact: <sip:119@no-such-host.invalid:5060;transport=tcp>")
	for range 5 {
		last := s.sent[len(s.sent)-1]
		if _, ok := last.Msg.(*gosip.Request); ok {
			s.note(s.leg.Failed(s.now, last))
		}
	}
	s.wantGoes("ACK", "tcp no-such-host.invalid:5060", "udp no-such-host.invalid:5060", "udp 10.0.0.2:5060",
		"udp "+addrC.String())
	s.take()
	s.do(End{})
	first := s.last("BYE").CSeq().SeqNo
	s.note(s.leg.Failed(s.now, s.sent[0]))
	s.wantGoes("BYE", "tcp no-such-host.invalid:5060", "udp no-such-host.invalid:5060")
	if second := s.last("BYE").CSeq().SeqNo; second != first+1 {
		t.Errorf("CSeq %d after %d", second, first)
	}
	s.reply(s.last("BYE"), 200, "")
	s.wantDone()
}

// RFC 3263 §4.1: a trunk whose TCP is gone is reached by UDP; who has connected to us from
// some port is not there by UDP, but at its Contact.
func TestConnectionThatIsGone(t *testing.T) {
	s := newScript(t)
	s.way.Transport, s.way.Remote = "tcp", netip.MustParseAddrPort("10.0.0.2:43210")
	s.callID = "in-1"
	s.local = localAt(addrA, mediaA, "tcp")
	leg, out := NewInbound(testConfig(1), s.now, s.packet(s.invite("Contact: <sip:110@10.0.0.2:5070;transport=tcp>")),
		s.local)
	s.leg, s.ourTag = leg, leg.Dialog.LocalTag
	s.note(out)
	s.do(Answer{})
	s.ack(s.seq, "")
	s.take()
	s.do(End{})
	for range 4 {
		s.note(s.leg.Failed(s.now, s.sent[len(s.sent)-1]))
	}
	s.wantGoes("BYE", "tcp 10.0.0.2:5070", "udp 10.0.0.2:5070", "tcp 10.0.0.2:43210")
	s.wantDone()
}

// Keys and numbers do not go in the open because a connection is gone.
func TestTLSHasNoOtherWay(t *testing.T) {
	s := newScript(t)
	s.way.Transport = "tls"
	s.local = localAt(addrA, mediaA, "tls")
	s.local.Others = []Hop{{Flow{Network: "lab", Transport: "udp", Remote: addrC}, ""}}
	s.leg = NewOutbound(testConfig(1), s.local)
	s.callID = s.leg.CallID()
	s.do(inviteTo(t, addrB, "tls"))
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.do(End{})
	s.note(s.leg.Failed(s.now, s.sent[len(s.sent)-1]))
	s.wantGoes("BYE", "tls 10.0.0.2:5060")
}

// A phone is reached the way that it came. One that is not behind a router and wants TCP
// gets it (RFC 3261 §12.2.1.1), and UDP if it does not take it.
func TestPhoneThatWantsTCP(t *testing.T) {
	for contact, want := range map[string]string{
		"<sip:110@10.0.0.2:5060;transport=tcp>":    "tcp 10.0.0.2:5060",
		"<sip:110@192.168.0.9:5060;transport=tcp>": "udp 10.0.0.2:5060",
		"<sip:110@10.0.0.2:5090>":                  "udp 10.0.0.2:5060",
		"<sip:110@10.0.0.2:5090;transport=udp>":    "udp 10.0.0.2:5060",
	} {
		s := newScript(t)
		s.way.Symmetric = true
		s.callID = "in-1"
		leg, out := NewInbound(testConfig(1), s.now, s.packet(s.invite("Contact: "+contact)), s.local)
		s.leg, s.ourTag = leg, leg.Dialog.LocalTag
		s.note(out)
		s.do(Answer{})
		s.ack(s.seq, "")
		s.do(End{})
		s.wantGoes("BYE", want)
		if want[:3] == "tcp" {
			s.note(s.leg.Failed(s.now, s.sent[len(s.sent)-1]))
			s.wantGoes("BYE", want, "udp 10.0.0.2:5060")
		}
	}
}

// A party that is only slow is not asked after at another target of its trunk, which would
// know nothing of the call.
func TestSlownessIsNoReasonForAnotherTarget(t *testing.T) {
	s := newScript(t)
	s.local.Others = []Hop{{Flow{Network: "lab", Transport: "udp", Remote: addrC}, ""}}
	s.leg = NewOutbound(testConfig(1), s.local)
	s.callID = s.leg.CallID()
	s.do(inviteTo(t, addrB, "udp"))
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.do(Probe{})
	s.pass(4 * time.Second)
	s.wantGoes("OPTIONS", "udp 10.0.0.2:5060", "udp 10.0.0.2:5060", "udp 10.0.0.2:5060", "udp 10.0.0.2:5060")
}

// A phone's TCP connection is from some port of its own, where nothing listens by UDP.
func TestPhoneByTCPHasOneWay(t *testing.T) {
	s := newScript(t)
	s.local = localAt(addrA, mediaA, "tcp")
	s.leg = NewOutbound(testConfig(1), s.local)
	s.callID = s.leg.CallID()
	cmd := inviteTo(t, addrNAT, "tcp")
	cmd.Flow.Symmetric = true
	s.do(cmd)
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.do(End{})
	s.note(s.leg.Failed(s.now, s.sent[len(s.sent)-1]))
	s.wantGoes("BYE", "tcp "+addrNAT.String())
}
