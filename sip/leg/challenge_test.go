package leg

import (
	"slices"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/sdp"
)

const challenge = `WWW-Authenticate: Digest realm="trunk", nonce="abc", qop="auth", algorithm=MD5`

func known(_ *Config, i *Invite) {
	i.Credentials = &auth.Credentials{Username: "liandong", Password: "secret"}
}

// RFC 3261 §22.2: "When a UAC resubmits a request with its credentials after
// receiving a 401 (Unauthorized) or 407 (Proxy Authentication Required) response, it
// MUST increment the CSeq header field value as it would normally when sending an
// updated request." §8.1.3.5: same Call-ID, To and From. §13.2.2.4: "The ACK MUST
// contain the same credentials as the INVITE."
func TestChallengeIsAnswered(t *testing.T) {
	s := outbound(t, known)
	invite := s.last("INVITE")
	s.take()
	s.reply(invite, 401, "", challenge)
	s.want("ACK INVITE", "")
	again := s.last("INVITE")
	if again.CSeq().SeqNo != invite.CSeq().SeqNo+1 || again.From().Value() != invite.From().Value() ||
		again.To().Value() != invite.To().Value() || string(again.Body()) != string(invite.Body()) {
		t.Errorf("\n%s", again)
	}
	if again.Via().Value() == invite.Via().Value() {
		t.Error("the same branch")
	}
	proof := header1(t, again, "authorization")
	if !strings.Contains(proof, `username="liandong"`) || strings.Contains(proof, "secret") {
		t.Errorf("Authorization: %s", proof)
	}
	s.take()
	s.reply(again, 200, peerSDP)
	if ack := s.last("ACK"); header1(t, ack, "authorization") != proof || ack.CSeq().SeqNo != again.CSeq().SeqNo {
		t.Errorf("\n%s", ack)
	}
	for _, method := range []string{"INVITE", "BYE"} {
		if method == "INVITE" {
			s.do(Modify{Direction: sdp.SendOnly})
		} else {
			s.do(End{})
		}
		first := s.last(method)
		s.reply(first, 407, "", strings.Replace(challenge, "WWW", "Proxy", 1))
		second := s.last(method)
		if second.CSeq().SeqNo != first.CSeq().SeqNo+1 || header1(t, second, "proxy-authorization") == "" {
			t.Errorf("%s\n%s", method, second)
		}
		if method == "INVITE" {
			s.reply(second, 200, strings.Replace(peerSDP, "sendrecv", "recvonly", 1))
		} else {
			s.reply(second, 200, "")
		}
	}
	if told := s.told(); told != "answered, changed" {
		t.Errorf("told %q", told)
	}
	s.wantDone()
}

func TestWrongCredentialsAreGivenOnce(t *testing.T) {
	s := outbound(t, known)
	s.reply(s.last("INVITE"), 401, "", challenge)
	s.reply(s.last("INVITE"), 401, "", challenge)
	s.want("INVITE ACK INVITE ACK", "failed 401")
	s = outbound(t)
	s.reply(s.last("INVITE"), 401, "", challenge)
	s.want("INVITE ACK", "failed 401")
}

// RFC 7616 §3.3: a challenge with stale=true says that the credentials were right, and is
// answered with the new nonce: not for ever.
func TestStaleNonceIsAnsweredAnew(t *testing.T) {
	stale := strings.NewReplacer("abc", "def", "algorithm", "stale=true, algorithm").Replace(challenge)
	for _, method := range []string{"INVITE", "BYE"} {
		s := outbound(t, known)
		if method == "BYE" {
			s.reply(s.last("INVITE"), 200, peerSDP)
			s.do(End{})
		}
		s.reply(s.last(method), 401, "", challenge)
		second := s.last(method)
		s.reply(second, 401, "", stale)
		third := s.last(method)
		if third.CSeq().SeqNo != second.CSeq().SeqNo+1 || !strings.Contains(header1(t, third, "authorization"),
			`nonce="def"`) || len(third.GetHeaders("authorization")) != 1 {
			t.Errorf("\n%s", third)
		}
		s.take()
		for n := 0; ; n++ {
			if strings.HasPrefix(s.names(), "ACK") && !strings.Contains(s.names(), "INVITE") || n == 9 {
				break
			}
			s.take()
			s.reply(third, 401, "", stale)
			if !strings.Contains(s.names(), method) {
				break
			}
			third = s.last(method)
			if n > 3 {
				t.Fatalf("%s: it goes on for ever", method)
			}
		}
		s.do(End{})
		s.wantDone()
	}
}

// Each of two proxies on the way may ask: RFC 3261 §22.3.
func TestTwoProxiesAsk(t *testing.T) {
	s := outbound(t, known)
	s.reply(s.last("INVITE"), 407, "", strings.Replace(challenge, "WWW", "Proxy", 1))
	s.reply(s.last("INVITE"), 401, "", challenge)
	third := s.last("INVITE")
	if header1(t, third, "authorization") == "" || header1(t, third, "proxy-authorization") == "" {
		t.Errorf("\n%s", third)
	}
	s.take()
	s.reply(third, 401, "", challenge)
	s.want("ACK", "failed 401")
}

// answeredBy is a call of ours that has been answered.
func answeredBy(t *testing.T, transport string) *script {
	t.Helper()
	s := newScript(t)
	s.way.Transport = transport
	s.local = localAt(addrA, mediaA, transport)
	s.leg = NewOutbound(testConfig(1), s.local)
	s.callID = s.leg.CallID()
	s.do(inviteTo(t, addrB, transport))
	s.reply(s.last("INVITE"), 200, peerSDP, "Contact: <sip:110@10.0.0.2:5060;transport="+transport+">")
	s.take()
	return s
}

// A connection that is gone takes the call with it; a datagram that could not be sent
// does not.
func TestUnsendableInTheCall(t *testing.T) {
	for transport, told := range map[string]string{"udp": "answered, refused 503", "tcp": "answered, refused 503"} {
		s := answeredBy(t, transport)
		s.do(Modify{Direction: sdp.SendOnly})
		s.note(s.leg.Failed(s.now, s.sent[0]))
		if transport == "tcp" && s.leg.Phase == talking { // by UDP
			s.note(s.leg.Failed(s.now, s.sent[1]))
		}
		if got := s.told(); got != told {
			t.Errorf("%s: told %q, want %q", transport, got, told)
		}
	}
}

// A session that nobody has carried for a while is offered again, once, when it is to be, and not where it would go by
// a connection that is gone.
func TestRenew(t *testing.T) {
	for transport, invites := range map[string]int{"udp": 1, "tcp": 0, "tls": 0} {
		s := answeredBy(t, transport)
		invited := func() bool {
			return slices.ContainsFunc(s.sent, func(p Packet) bool { return p.Method() == "INVITE" })
		}
		s.do(Renew{After: time.Second})
		s.do(Renew{After: time.Second})
		s.pass(999 * time.Millisecond)
		if invited() {
			t.Errorf("%s: offered too soon", transport)
		}
		s.pass(time.Millisecond)
		if invites > 0 {
			s.reply(s.last("INVITE"), 200, peerSDP)
		}
		sent := 0
		for _, p := range s.sent {
			if strings.HasPrefix(p.Msg.String(), "INVITE ") {
				sent++
			}
		}
		if sent != invites {
			t.Errorf("%s: %d offers, want %d", transport, sent, invites)
		}
	}
}

// RFC 3326, RFC 3261 §21.5.4: what a refusal says goes up.
func TestFailureSaysWhy(t *testing.T) {
	s := outbound(t)
	s.reply(s.last("INVITE"), 503, "", "Retry-After: 7 (soon)", "Reason: Q.850;cause=34;text=\"No circuit\"")
	f, ok := s.events[0].(Failed)
	if !ok || f.Code != 503 || f.RetryAfter.Seconds() != 7 || len(f.Reasons) != 1 || f.Reasons[0].Cause != 34 {
		t.Errorf("told %+v", s.events)
	}
}

// What another party wrote cannot begin a header of its own in our messages.
func TestFieldsCannotInject(t *testing.T) {
	s := inbound(t)
	s.take()
	s.do(Reject{Code: 486, Fields: []header.Field{{Name: "Reason", Value: "a\r\nX-Evil: 1\nb"}}})
	if s.answer().GetHeaders("X-Evil") != nil {
		t.Errorf("\n%s", s.answer())
	}
}

// A copy is answered where it comes from, also when a router has moved the sender.
func TestCopyIsAnsweredWhereItComesFrom(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 180})
	s.take()
	s.way.Remote = addrNAT
	s.receive(s.textVia("z9hG4bKp1", "INVITE", s.seq, "", peerSDP))
	s.want("180/INVITE", "invited")
	if got := s.sent[0].Flow.Remote; got != addrNAT {
		t.Errorf("sent to %v", got)
	}
}

// Whatever is forgotten by the acts, an ended leg becomes Done.
func TestEndedLegIsDroppedInTheEnd(t *testing.T) {
	s := talkingOut(t)
	s.do(End{})
	stuck := &client{Method: gosip.INVITE}
	stuck.Invite.Start(s.now, s.leg.timing(s.way), s.last("BYE"))
	stuck.Invite.Receive(s.now, gosip.NewResponse(180, "Ringing"))
	s.leg.Clients = append(s.leg.Clients, stuck)
	s.wantDone()
}
