package leg

import (
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/sdp"
)

// Each test quotes the sentence that it holds the leg to.

// RFC 3261 §8.1.1: "A valid SIP request formulated by a UAC MUST, at a minimum,
// contain the following header fields: To, From, CSeq, Call-ID, Max-Forwards,
// and Via". §13.2.1: the INVITE also carries Contact, and should carry Allow and
// Supported. RFC 3581 §3: the client asks for its port by an empty rport.
func TestInviteIsCompleteOnTheWire(t *testing.T) {
	s := outbound(t)
	text := s.sent[0].Msg.String()
	for _, want := range []string{
		"INVITE sip:12345@10.0.0.2:5060 SIP/2.0\r\n", "\r\nMax-Forwards: 70\r\n",
		"\r\nTo: <sip:12345@10.0.0.2:5060>\r\n",
		"\r\nContact: <sip:10.0.0.1:5060;transport=udp>\r\n",
		"\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY\r\n",
		"\r\nSupported: replaces, join, timer, 100rel, norefersub\r\n", "\r\nContent-Type: application/sdp\r\n",
		"\r\nContent-Length: ", "\r\nUser-Agent: liandong\r\n",
		"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK", ";rport\r\n", "\r\nCall-ID: " + s.callID + "\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if tagOf(&gosip.ToHeader{Params: s.last("INVITE").From().Params}) == "" {
		t.Error("no tag in From")
	}
}

// RFC 3327 §5.4: the Path of a phone is the Route of a request to it, and RFC 3261 §9.1: the CANCEL "MUST include the
// Route header field's values" of the INVITE.
func TestInviteHasTheRoutesOfAPath(t *testing.T) {
	s := outbound(t, func(_ *Config, i *Invite) { i.Routes = []string{"sip:10.0.0.9:5070;lr;ob", "sip:10.0.0.8;lr"} })
	s.receive(s.response(s.last("INVITE"), 180, ""))
	s.do(End{})
	for _, method := range []string{"INVITE", "CANCEL"} {
		text := s.last(method).String()
		if !strings.Contains(text, "Route: <sip:10.0.0.9:5070;lr;ob>\r\nRoute: <sip:10.0.0.8;lr>\r\n") {
			t.Errorf("no way in\n%s", text)
		}
	}
	s = newScript(t)
	cmd := inviteTo(t, addrB, "udp")
	cmd.Routes = []string{"nonsense"}
	s.leg = NewOutbound(testConfig(1), s.local)
	s.do(cmd)
	if len(s.take()) != 0 {
		t.Error("an INVITE goes without its way")
	}
}

// RFC 3261 §13.3.1.4: "The 2xx response is passed to the transport with an
// interval that starts at T1 seconds and doubles for each retransmission until
// it reaches T2 seconds [...] Response retransmissions cease when an ACK request
// for the response is received. This is independent of whatever transport
// protocols are used to send the response."
func TestAnswerIsResentUntilAck(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			s := newScript(t)
			s.callID, s.way.Transport = "in-1", transport
			cfg := testConfig(1)
			leg, out := NewInbound(cfg, s.now, s.packet(s.invite()), localAt(addrA, mediaA, transport))
			s.leg = leg
			s.note(out)
			s.ourTag = leg.Dialog.LocalTag
			s.do(Answer{})
			s.take()
			var at []time.Duration
			for range 6 {
				s.tick()
				at = append(at, s.now.Sub(epoch))
				if s.names() != "200/INVITE" {
					t.Fatalf("resent %q", s.names())
				}
				s.take()
			}
			want := []time.Duration{500, 1500, 3500, 7500, 11500, 15500}
			for i := range want {
				if at[i] != want[i]*time.Millisecond {
					t.Errorf("copies at %v, want %v ms", at, want)
					break
				}
			}
			s.ack(s.seq, "")
			s.pass(time.Minute)
			s.want("", "invited, changed")
		})
	}
}

// RFC 3261 §13.3.1.4: "If the server retransmits the 2xx response for 64*T1
// seconds without receiving an ACK, the dialog is confirmed, but the session
// SHOULD be terminated. This is accomplished with a BYE".
func TestAnswerWithoutAckEndsWithBye(t *testing.T) {
	s := inbound(t)
	s.do(Answer{})
	s.pass(31999 * time.Millisecond)
	s.take()
	s.events = nil
	s.pass(time.Millisecond)
	s.want("BYE", "timeout")
	s.wantDone()
}

// RFC 3261 §15: "the callee's UA MUST NOT send a BYE on a confirmed dialog until
// it has received an ACK for its 2xx response or until the server transaction
// times out."
func TestByeWaitsForAck(t *testing.T) {
	t.Run("ack", func(t *testing.T) {
		s := inbound(t)
		s.do(Answer{})
		s.take()
		s.do(End{})
		s.want("", "invited, changed")
		s.ack(s.seq, "")
		s.want("BYE", "")
		s.reply(s.last("BYE"), 200, "")
		s.wantDone()
	})
	t.Run("timeout", func(t *testing.T) {
		s := inbound(t)
		s.do(Answer{})
		s.do(End{})
		s.pass(31999 * time.Millisecond)
		if strings.Contains(s.names(), "BYE") {
			t.Error("BYE before the ACK")
		}
		s.take()
		s.pass(time.Millisecond)
		s.want("BYE", "invited, changed")
		s.wantDone()
	})
	t.Run("the caller is faster", func(t *testing.T) {
		s := inbound(t)
		s.do(Answer{})
		s.do(End{})
		s.take()
		s.request("BYE", "")
		s.pass(time.Minute)
		s.want("200/BYE", "invited, changed")
	})
}

// RFC 3261 §9.1: "If no provisional response has been received, the CANCEL
// request MUST NOT be sent; rather, the client MUST wait for the arrival of a
// provisional response before sending the request."
func TestCancelWaitsForProvisional(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.take()
	s.do(End{Fields: reasonField(200, "Call completed elsewhere")})
	s.want("", "")
	s.reply(invite, 100, "")
	s.want("CANCEL", "")
	cancel := s.last("CANCEL")
	// "The Request-URI, Call-ID, To, the numeric part of CSeq, and From header
	// fields in the CANCEL request MUST be identical to those in the request
	// being cancelled, including tags. A CANCEL constructed by a client MUST
	// have only a single Via header field value matching the top Via value".
	for _, name := range []string{"via", "to", "from", "call-id"} {
		if header1(t, cancel, name) != header1(t, invite, name) || len(cancel.GetHeaders(name)) != 1 {
			t.Errorf("%s of CANCEL %q, of INVITE %q", name, header1(t, cancel, name), header1(t, invite, name))
		}
	}
	if cancel.CSeq().SeqNo != invite.CSeq().SeqNo || cancel.Recipient.String() != invite.Recipient.String() {
		t.Error("CSeq or Request-URI differ")
	}
	if r := header1(t, cancel, "reason"); !strings.Contains(r, "Call completed elsewhere") {
		t.Errorf("Reason %q", r)
	}
	s.take()
	s.reply(cancel, 200, "")
	s.reply(invite, 487, "")
	s.want("ACK", "")
	s.wantDone()
}

// RFC 3261 §9.1: "If there is no final response for the original request in
// 64*T1 seconds [...] the client SHOULD then consider the original transaction
// cancelled and SHOULD destroy the client transaction handling the original
// request."
func TestCancelledInviteIsNotWaitedForForEver(t *testing.T) {
	s := outbound(t)
	s.reply(s.last("INVITE"), 180, "")
	s.do(End{})
	s.reply(s.last("CANCEL"), 200, "")
	begin := s.now
	s.wantDone()
	if d := s.now.Sub(begin); d > 32*time.Second {
		t.Errorf("waited %v", d)
	}
}

// RFC 3261 §9.1, §13.2.2.4, §15: a 2xx that crosses the CANCEL makes a dialog
// all the same: "the UAC core MUST generate an ACK request for each 2xx", and
// ends what it does not want by BYE.
func TestAnswerCrossingCancelGetsAckAndBye(t *testing.T) {
	for _, early := range []int{100, 180} {
		s := outbound(t)
		invite := s.last("INVITE")
		s.reply(invite, early, "")
		s.do(End{})
		s.take()
		s.events = nil
		s.reply(invite, 200, peerSDP)
		s.want("ACK BYE", "")
		bye := s.last("BYE")
		if bye.CSeq().SeqNo != invite.CSeq().SeqNo+1 || tagOf(bye.To()) != "peer" {
			t.Errorf("BYE %s", bye)
		}
		s.take()
		s.reply(invite, 200, peerSDP)
		s.want("ACK", "")
		s.reply(bye, 200, "")
		s.wantDone()
	}
}

// RFC 3261 §9.2: "If the UAS did not find a matching transaction for the CANCEL
// according to the procedure above, it SHOULD respond to the CANCEL with a 481";
// else "the UAS SHOULD immediately respond to the INVITE with a 487"; "the To tag of
// the response to the CANCEL and the To tag in the response to the original
// request SHOULD be the same".
func TestCancelEndsTheInvite(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 180})
	s.take()
	s.receive(s.textVia("z9hG4bKp1", "CANCEL", s.seq, "", "",
		"Reason: SIP ;cause=200 ;text=\"Call completed elsewhere\""))
	if got := s.names(); got != "200/CANCEL 487/INVITE" {
		t.Fatalf("sent %q", got)
	}
	if a, b := s.sent[0].Msg.To().Value(), s.sent[1].Msg.To().Value(); a != b {
		t.Errorf("To %q and %q", a, b)
	}
	e, ok := s.events[len(s.events)-1].(Ended)
	if !ok || e.Cause != Cancel || len(e.Reasons) != 1 {
		t.Errorf("told %+v", s.events)
	}
	s.receive(s.textVia("z9hG4bKp1", "ACK", s.seq, s.ourTag, ""))
	s.wantDone()
}

func TestCancelWithoutInviteGets481(t *testing.T) {
	s := inbound(t)
	s.take()
	s.receive(s.text("CANCEL", s.seq, "", ""))
	s.want("481/CANCEL", "invited")
}

// RFC 3261 §9.2: after a final response the CANCEL has no effect on the INVITE, its
// responses and the session.
func TestCancelAfterAnswerHasNoEffect(t *testing.T) {
	s := inbound(t)
	s.do(Answer{})
	s.take()
	s.receive(s.textVia("z9hG4bKp1", "CANCEL", s.seq, "", ""))
	s.want("200/CANCEL", "invited, changed")
}

// RFC 3261 §13.2.2.4: "Multiple 2xx responses may arrive at the UAC for a single
// INVITE request due to a forking proxy. [...] If, after acknowledging any 2xx
// response to an INVITE, the UAC does not want to continue with that dialog,
// then the UAC MUST terminate the dialog by sending a BYE request".
func TestSecondForkIsAcknowledgedAndEnded(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.theirTag = "desk1"
	s.reply(invite, 180, "")
	s.theirTag = "desk2"
	s.reply(invite, 180, "")
	s.theirTag = "desk1"
	s.reply(invite, 200, peerSDP)
	s.take()
	s.theirTag = "desk2"
	s.reply(invite, 200, peerSDP, "Contact: <sip:110@10.0.0.2:5999>")
	s.want("ACK BYE", "progressed 180, progressed 180, answered")
	if bye := s.last("BYE"); tagOf(bye.To()) != "desk2" || bye.Recipient.Port != 5999 {
		t.Errorf("BYE to %s at %s", bye.To().Value(), bye.Recipient.String())
	}
	s.reply(s.last("BYE"), 200, "")
	s.take()
	s.do(End{})
	if bye := s.last("BYE"); tagOf(bye.To()) != "desk1" {
		t.Errorf("BYE to %s", bye.To().Value())
	}
}

// RFC 3261 §13.2.2.4: "The ACK MUST be passed to the client transport every time
// a retransmission of the 2xx final response that triggered the ACK arrives";
// "The sequence number of the CSeq header field MUST be the same as the INVITE
// being acknowledged, but the CSeq method MUST be ACK".
func TestEachCopyOfAnswerIsAcknowledged(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.reply(invite, 200, peerSDP)
	first := s.last("ACK")
	if first.CSeq().SeqNo != invite.CSeq().SeqNo || first.Via().Value() == invite.Via().Value() {
		t.Errorf("ACK %s", first)
	}
	s.take()
	s.pass(10 * time.Second)
	s.reply(invite, 200, peerSDP)
	s.want("ACK", "answered")
	if s.last("ACK").String() != first.String() {
		t.Error("the copy differs")
	}
}

// RFC 3261 §17.1.1.2: timer B: "the client transaction SHOULD inform the TU that
// a timeout has occurred"; §8.1.3.1: "it MUST be treated as if a 408 (Request
// Timeout) status code has been received", a fatal transport error "MUST be treated
// as a 503 (Service Unavailable) status code."
func TestNoAnswerAtAll(t *testing.T) {
	s := outbound(t)
	s.wantDone()
	if s.now.Sub(epoch) != 32*time.Second {
		t.Errorf("after %v", s.now.Sub(epoch))
	}
	s.want("INVITE INVITE INVITE INVITE INVITE INVITE INVITE", "failed 408")

	s = outbound(t)
	s.note(s.leg.Failed(s.now, s.sent[0]))
	s.want("INVITE", "failed 503")
	s.wantDone()
}

// RFC 3261 §14.2: "A UAS that receives an INVITE on a dialog while an INVITE it
// had sent on that dialog is in progress MUST return a 491 (Request Pending)
// response to the received INVITE."
func TestGlareIsRefused(t *testing.T) {
	for name, s := range map[string]*script{"caller": talkingOut(t), "callee": talkingIn(t)} {
		s.do(Modify{Direction: sdp.SendOnly})
		s.request("INVITE", peerSDP)
		if s.answer().StatusCode != 491 {
			t.Errorf("%s answers %d", name, s.answer().StatusCode)
		}
	}
}

// RFC 3261 §14.1: "1. If the UAC is the owner of the Call-ID of the dialog ID
// (meaning it generated the value), T has a randomly chosen value between 2.1
// and 4 seconds in units of 10 ms. 2. If the UAC is not the owner of the Call-ID
// of the dialog ID, T has a randomly chosen value of between 0 and 2 seconds in
// units of 10 ms."
func TestGlareIsTriedAgain(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range uint64(200) {
		s := talkingOut(t, func(c *Config, _ *Invite) { *c = testConfig(seed); c.SessionExpires = 0 })
		d := glareWait(t, s)
		if d < 2100*time.Millisecond || d > 4*time.Second || d%(10*time.Millisecond) != 0 {
			t.Fatalf("the owner waits %v", d)
		}
		seen[d] = true
		s = talkingIn(t)
		if d := glareWait(t, s); d < 0 || d > 2*time.Second || d%(10*time.Millisecond) != 0 {
			t.Fatalf("the other waits %v", d)
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d different times", len(seen))
	}
}

func glareWait(t *testing.T, s *script) time.Duration {
	t.Helper()
	s.events = nil
	s.do(Modify{Direction: sdp.Inactive})
	invite := s.last("INVITE")
	s.reply(invite, 491, "")
	s.take()
	begin := s.now
	for s.names() == "" && s.now.Sub(begin) < time.Minute {
		s.tick()
	}
	again := s.last("INVITE")
	if again.CSeq().SeqNo != invite.CSeq().SeqNo+1 || direction(t, again.Body()) != "inactive" {
		t.Errorf("tried again as\n%s", again)
	}
	d := s.now.Sub(begin)
	s.reply(again, 200, strings.Replace(peerSDP, "sendrecv", "inactive", 1))
	if told := s.told(); told != "changed" {
		t.Errorf("told %q", told)
	}
	return d
}

// RFC 3261 §14.1: "a UAC MUST NOT initiate a new INVITE transaction within a
// dialog while another INVITE transaction is in progress in either direction."
func TestReinviteWaitsForItsTurn(t *testing.T) {
	s := inbound(t)
	s.do(Answer{})
	s.take()
	s.do(Modify{Direction: sdp.SendOnly})
	s.want("", "invited, changed")
	s.ack(s.seq, "")
	s.want("INVITE", "")
	invite := s.last("INVITE")
	s.take()
	s.do(Modify{Direction: sdp.SendRecv})
	s.want("", "")
	s.reply(invite, 200, strings.Replace(peerSDP, "sendrecv", "recvonly", 1))
	s.want("ACK INVITE", "changed")
}

// RFC 3261 §14.1: "If a UA receives a non-2xx final response to a re-INVITE, the
// session parameters MUST remain unchanged, as if no re-INVITE had been issued."
func TestRefusedModifyChangesNothing(t *testing.T) {
	s := talkingOut(t)
	s.events = nil
	before := s.leg.Media.Session.Direction
	s.do(Modify{Direction: sdp.Inactive})
	s.reply(s.last("INVITE"), 488, "")
	s.want("INVITE ACK", "refused 488")
	if s.leg.Media.Session.Direction != before {
		t.Error("the session has changed")
	}
	s.take()
	s.request("INVITE", peerSDP)
	if d := direction(t, s.answer().Body()); d != "sendrecv" {
		t.Errorf("the wish has stayed: %s", d)
	}
}

// RFC 3261 §12.2.1.2: "If the response for a request within a dialog is a 481
// (Call/Transaction Does Not Exist) or a 408 (Request Timeout), the UAC SHOULD
// terminate the dialog. A UAC SHOULD also terminate a dialog if no response at
// all is received for the request".
func TestLostDialogEnds(t *testing.T) {
	for _, code := range []int{481, 408, 0} {
		s := talkingIn(t)
		s.events = nil
		s.do(Modify{Direction: sdp.SendOnly})
		if code != 0 {
			s.reply(s.last("INVITE"), code, "")
		} else {
			s.pass(33 * time.Second)
		}
		if told := s.told(); told != "lost" {
			t.Errorf("%d: told %q", code, told)
		}
		s.wantDone()
	}
}

// RFC 3261 §14.2: "A UAS that receives a second INVITE before it sends the final
// response to a first INVITE with a lower CSeq sequence number on the same
// dialog MUST return a 500 (Server Internal Error) response to the second INVITE
// and MUST include a Retry-After header field with a randomly chosen value of
// between 0 and 10 seconds."
func TestSecondInviteBeforeFinalGets500(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 180})
	s.take()
	s.request("INVITE", peerSDP)
	s.want("500/INVITE", "invited")
	if n, ok := number(s.answer(), "retry-after"); !ok || n > 10 {
		t.Errorf("Retry-After %q", header1(t, s.answer(), "retry-after"))
	}
}

// RFC 3261 §14.2: "If the new session description is not acceptable, the UAS can
// reject it by returning a 488 (Not Acceptable Here) response for the re-INVITE."
func TestUnacceptableReinviteKeepsTheCall(t *testing.T) {
	s := talkingOut(t)
	s.events = nil
	s.request("INVITE", badSDP)
	s.want("488/INVITE", "")
	s.receive(s.textVia("z9hG4bKp1", "ACK", s.seq, s.ourTag, ""))
	s.take()
	s.request("INVITE", heldSDP())
	s.want("200/INVITE", "changed")
	if d := direction(t, s.answer().Body()); d != "recvonly" {
		t.Errorf("hold answered %s", d)
	}
}

// RFC 3261 §13.2.1: the offer may come in the 2xx: "if the initial offer is in
// the first reliable non-failure message from the UAS back to the UAC, the
// answer MUST be in the acknowledgement for that message (in this specification,
// ACK for a 2xx response)".
func TestDelayedOffer(t *testing.T) {
	t.Run("ours", func(t *testing.T) {
		s := outbound(t, func(_ *Config, i *Invite) { i.DelayedOffer = true })
		if len(s.last("INVITE").Body()) != 0 {
			t.Error("an offer in the INVITE")
		}
		s.reply(s.last("INVITE"), 200, peerSDP)
		s.want("INVITE ACK", "answered")
		if len(s.last("ACK").Body()) == 0 {
			t.Error("no answer in the ACK")
		}
	})
	t.Run("theirs", func(t *testing.T) {
		s := inbound(t, "-offer")
		s.do(Answer{})
		if len(s.answer().Body()) == 0 {
			t.Error("no offer in the 200")
		}
		s.ack(s.seq, peerSDP)
		s.want("100/INVITE 200/INVITE", "invited, changed")
	})
	t.Run("theirs, never answered", func(t *testing.T) {
		s := inbound(t, "-offer")
		s.do(Answer{})
		s.ack(s.seq, "")
		s.want("100/INVITE 200/INVITE BYE", "invited, no media")
		s.wantDone()
	})
	for name, answer := range map[string]string{
		"unreadable": "hello", "without a common codec": badSDP,
		"declined": strings.Replace(peerSDP, "m=audio 30000 ", "m=audio 0 ", 1),
	} {
		// Nobody could hear the caller, nor the caller anybody: better the call
		// ends, and says why, so that the network or the caller tries again.
		t.Run("theirs, the answer "+name, func(t *testing.T) {
			s := inbound(t, "-offer")
			s.do(Answer{})
			s.ack(s.seq, answer)
			s.want("100/INVITE 200/INVITE BYE", "invited, no media")
			if why := header1(t, s.last("BYE"), "reason"); !strings.HasPrefix(why, "SIP ;cause=488") {
				t.Errorf("Reason %q", why)
			}
			s.wantDone()
		})
		t.Run("theirs, in the middle of the call, the answer "+name, func(t *testing.T) {
			s := talkingOut(t)
			s.events = nil
			s.request("INVITE", "")
			s.ack(s.seq, answer)
			s.request("INVITE", heldSDP())
			s.want("200/INVITE 200/INVITE", "changed")
		})
	}
	t.Run("theirs, in the middle of the call", func(t *testing.T) {
		s := talkingOut(t)
		s.events = nil
		s.request("INVITE", "")
		if len(s.answer().Body()) == 0 {
			t.Error("no offer in the 200")
		}
		s.take()
		s.receive(s.text("INVITE", s.seq+1, s.ourTag, peerSDP))
		s.want("491/INVITE", "") // RFC 3264 §4: our offer is not answered yet
		s.ack(s.seq, heldSDP())
		s.want("491/INVITE", "changed")
	})
}

// RFC 3261 §12.1.1, §12.1.2: the callee takes the route set "in order", the
// caller "in reverse order". §12.2.1.1: "If the route set is not empty, and the
// first URI in the route set contains the lr parameter, the UAC MUST place the
// remote target URI into the Request-URI and MUST include a Route header field
// containing the route set values in order".
func TestRouteSet(t *testing.T) {
	routes := []string{"Record-Route: <sip:p1.example;lr>, <sip:10.0.0.3:5070;lr>", "Record-Route: <sip:10.0.0.4;lr>"}
	t.Run("callee", func(t *testing.T) {
		s := inbound(t, routes...)
		s.do(Answer{})
		if n := len(s.answer().GetHeaders("record-route")); n != 3 {
			t.Errorf("%d Record-Route in the 200", n)
		}
		s.ack(s.seq, "")
		s.do(End{})
		wantRoutes(t, s.last("BYE"), "sip:110@10.0.0.2:5060", "<sip:p1.example;lr>", "<sip:10.0.0.3:5070;lr>",
			"<sip:10.0.0.4;lr>")
		if p := s.sent[len(s.sent)-1]; p.Target != "p1.example:5060" || p.Flow.Remote.IsValid() {
			t.Errorf("sent to %+v", p)
		}
	})
	t.Run("caller", func(t *testing.T) {
		s := outbound(t)
		s.reply(s.last("INVITE"), 200, peerSDP, routes...)
		wantRoutes(t, s.last("ACK"), "sip:110@10.0.0.2:5060", "<sip:10.0.0.4;lr>", "<sip:10.0.0.3:5070;lr>",
			"<sip:p1.example;lr>")
		if p := s.sent[len(s.sent)-1]; p.Flow.Remote.String() != "10.0.0.4:5060" {
			t.Errorf("sent to %+v", p)
		}
	})
	// "If the route set is not empty, and its first URI does not contain the lr
	// parameter, the UAC MUST place the first URI from the route set into the
	// Request-URI, [...] MUST add a Route header field containing the remainder
	// of the route set values in order [...] and MUST then place the remote
	// target URI into the Route header field as the last value."
	t.Run("strict", func(t *testing.T) {
		s := inbound(t, "Record-Route: <sip:10.0.0.3:5070>, <sip:10.0.0.4;lr>")
		s.do(Answer{})
		s.ack(s.seq, "")
		s.do(End{})
		wantRoutes(t, s.last("BYE"), "sip:10.0.0.3:5070", "<sip:10.0.0.4;lr>", "<sip:110@10.0.0.2:5060>")
	})
}

func wantRoutes(t *testing.T, req *gosip.Request, uri string, routes ...string) {
	t.Helper()
	if got := req.Recipient.String(); got != uri {
		t.Errorf("Request-URI %q, want %q", got, uri)
	}
	var got []string
	for _, h := range req.GetHeaders("route") {
		got = append(got, h.Value())
	}
	if strings.Join(got, " ") != strings.Join(routes, " ") {
		t.Errorf("Route %v, want %v", got, routes)
	}
}

// RFC 3261 §12.2.2: "When a UAS receives a target refresh request, it MUST
// replace the dialog's remote target URI with the URI from the Contact header
// field in that request, if present." §12.2.1.2: so does the UAC with the 2xx.
func TestTargetRefresh(t *testing.T) {
	s := talkingOut(t)
	s.request("INVITE", peerSDP, "Contact: <sip:moved@10.0.0.9:5062>")
	s.ack(s.seq, "")
	s.take()
	s.do(Modify{Direction: sdp.SendOnly})
	if got := s.last("INVITE").Recipient.String(); got != "sip:moved@10.0.0.9:5062" {
		t.Errorf("Request-URI %s", got)
	}
	if got := s.sent[0].Flow.Remote.String(); got != "10.0.0.9:5062" {
		t.Errorf("sent to %s", got)
	}
	s.reply(s.last("INVITE"), 200, peerSDP, "Contact: <sip:again@10.0.0.8>")
	if got := s.last("ACK").Recipient.String(); got != "sip:again@10.0.0.8" {
		t.Errorf("ACK to %s", got)
	}
	s.do(End{})
	if got := s.last("BYE").Recipient.String(); got != "sip:again@10.0.0.8" {
		t.Errorf("BYE to %s", got)
	}
}

// What began by TLS goes on by it: to the Contact where that says so too, else
// by the connection that there is.
func TestTLSIsNotLeft(t *testing.T) {
	for contact, want := range map[string]Flow{
		"sip:110@10.0.0.2:5060;transport=udp": {Network: "lab", Transport: "tls", Remote: addrC},
		"sip:110@10.0.0.2":                    {Network: "lab", Transport: "tls", Remote: addrC},
		"sip:110@10.0.0.2:5060;transport=TLS": {Network: "lab", Transport: "tls", Remote: addrB},
		"sips:110@10.0.0.2:5060":              {Network: "lab", Transport: "tls", Remote: addrB},
	} {
		s := outbound(t, func(_ *Config, i *Invite) { i.Flow.Transport, i.Flow.Remote = "tls", addrC })
		if via := s.last("INVITE").Via().Transport; via != "TLS" {
			t.Errorf("Via of %s", via)
		}
		s.reply(s.last("INVITE"), 200, peerSDP, "Contact: <"+contact+">")
		s.take()
		s.do(End{})
		if got := s.sent[0].Flow; got.Network != want.Network || got.Transport != want.Transport ||
			got.Remote != want.Remote {
			t.Errorf("Contact %s: BYE by %+v", contact, got)
		}
	}
}

// RFC 3261 §8.1.1.8, §12.1.1: "If the Request-URI or top Route header field value
// contains a SIPS URI, the Contact header field MUST contain a SIPS URI as well."
func TestSipsContact(t *testing.T) {
	s := outbound(t, func(_ *Config, i *Invite) { i.RequestURI = "sips:12345@10.0.0.2:5061" })
	if got := s.last("INVITE").Contact().Address.String(); got != "sips:10.0.0.1:5060" {
		t.Errorf("Contact %s of a call to a sips URI", got)
	}
	if got := outbound(t).last("INVITE").Contact().Address.String(); got != "sip:10.0.0.1:5060;transport=udp" {
		t.Errorf("Contact %s of a call to a sip URI", got)
	}
}

// RFC 3261 §12.1.1: "If the request was sent over TLS, and the Request-URI contained a SIPS URI, the
// 'secure' flag is set to TRUE." In the open it is not, and the caller, who is taken all the same, is told
// a Contact that can be reached: by a sips one its ACK would go to a port for TLS that is not there.
func TestSipsInTheOpenIsTaken(t *testing.T) {
	for transport, want := range map[string]string{"tls": "sips:10.0.0.1:5060",
		"udp": "sip:10.0.0.1:5060;transport=udp"} {
		s := newScript(t)
		s.callID, s.way.Transport = "in-1", transport
		invite := strings.Replace(s.invite(), "INVITE sip:", "INVITE sips:", 1)
		leg, out := NewInbound(testConfig(1), s.now, s.packet(invite), localAt(addrA, mediaA, "udp"))
		s.leg, s.ourTag = leg, leg.Dialog.LocalTag
		s.note(out)
		s.do(Answer{})
		if got := s.answer().Contact().Address.String(); got != want {
			t.Errorf("by %s: Contact %s, want %s", transport, got, want)
		}
	}
}

// behindRouter is the call of a phone whose Contact cannot be reached, answered.
func behindRouter(t *testing.T) *script {
	t.Helper()
	s := newScript(t)
	s.callID, s.way.Symmetric = "in-1", true
	leg, out := NewInbound(testConfig(1), s.now, s.packet(s.invite("Contact: <sip:110@192.168.1.5>")),
		localAt(addrA, mediaA, "udp"))
	s.leg, s.ourTag = leg, leg.Dialog.LocalTag
	s.note(out)
	s.do(Answer{})
	return s
}

// A phone behind a router is reached by the way that it came.
func TestSymmetricFlow(t *testing.T) {
	s := behindRouter(t)
	s.ack(s.seq, "")
	s.way.Remote = addrC
	s.request("OPTIONS", "")
	s.take()
	s.do(End{})
	if p := s.sent[0]; p.Flow.Remote != addrC || s.last("BYE").Recipient.Host != "192.168.1.5" {
		t.Errorf("BYE to %v", p.Flow)
	}
}

// A phone that has registered anew is reached by its new way, also by what is
// being repeated to it; one that comes back by TCP is reached by TCP.
func TestMovedFlow(t *testing.T) {
	s := behindRouter(t)
	s.do(Move{Flow: Flow{Network: "lab", Transport: "udp", Remote: addrNAT}})
	s.take()
	s.pass(600 * time.Millisecond)
	if p := s.sent[0]; s.answer().StatusCode != 200 || p.Flow.Remote != addrNAT {
		t.Errorf("the 200 is repeated to %v", p.Flow)
	}
	s.ack(s.seq, "")
	s.take()
	s.do(Modify{Direction: sdp.SendRecv})
	s.take()
	s.do(Move{Flow: Flow{Network: "lab", Transport: "udp", Remote: addrC}})
	s.pass(600 * time.Millisecond)
	if p := s.sent[0]; p.Flow.Remote != addrC || !p.Flow.Symmetric {
		t.Errorf("repeated to %v", p.Flow)
	}
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.take()
	s.way.Remote, s.way.Transport = addrNAT, "tcp"
	s.request("OPTIONS", "")
	s.take()
	s.do(End{})
	if p := s.sent[0]; p.Flow.Remote != addrNAT || p.Flow.Transport != "tcp" || s.last("BYE").Via().Transport != "TCP" {
		t.Errorf("BYE to %v", p.Flow)
	}
}

// A Contact that names a transport we do not have is reached by the one that
// the call has come by.
func TestContactWithForeignTransport(t *testing.T) {
	s := talkingIn(t)
	s.request("INVITE", peerSDP, "Contact: <sip:110@10.0.0.9:5070;transport=ws>")
	s.ack(s.seq, "")
	s.take()
	s.do(End{})
	if p := s.sent[0]; p.Flow.Transport != "udp" || p.Flow.Remote.String() != "10.0.0.9:5070" {
		t.Errorf("BYE to %v", p.Flow)
	}
}

// RFC 3261 §12.2.2: "If the remote sequence number was not empty, but the
// sequence number of the request is lower than the remote sequence number, the
// request is out of order and MUST be rejected with a 500 (Server Internal
// Error) response."
func TestRequestOutOfOrderGets500(t *testing.T) {
	s := talkingIn(t)
	s.request("OPTIONS", "")
	s.take()
	s.receive(s.text("INFO", s.seq-1, s.ourTag, ""))
	if s.answer().StatusCode != 500 {
		t.Errorf("answered %d", s.answer().StatusCode)
	}
}

// RFC 3261 §8.2 and §11, for whatever a party may ask in a call.
func TestRefusals(t *testing.T) {
	cases := []struct {
		name   string
		method string
		body   string
		lines  []string
		code   int
		header string // that the response must have
		value  string
	}{
		// §11.2: "The response to an OPTIONS is constructed using the standard
		// rules for a SIP response"; "Allow, Accept, [...] Supported header
		// fields SHOULD be present in a 200 (OK) response".
		{"options", "OPTIONS", "", nil, 200, "Accept", "application/sdp"},
		{"options allow", "OPTIONS", "", nil, 200, "Allow",
			"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY"},
		// §8.2.1: "If the UAS recognizes but does not support the method of a
		// request, it MUST generate a 405 (Method Not Allowed) response. [...]
		// The UAS MUST also add an Allow header field to the 405".
		{"message", "MESSAGE", "", nil, 405, "Allow",
			"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY"},
		// RFC 6665 §8.3.2: a 489 "MUST" list in Allow-Events what there is
		{"subscribe", "SUBSCRIBE", "", []string{"Event: presence"}, 489, "Allow-Events", "conference, dialog, refer"},
		{"notify", "NOTIFY", "", nil, 481, "", ""},
		// §21.5.2: "This is the appropriate response when a UAS does not
		// recognize the request method".
		{"unknown method", "HELLO", "", nil, 501, "", ""},
		// §8.2.2.3: "If a UAS does not understand an option-tag listed in a
		// Require header field, it MUST respond by generating a response with
		// status code 420 (Bad Extension). The UAS MUST add an Unsupported
		// header field, and list in it those options it does not understand".
		{"require", "INVITE", peerSDP, []string{"Require: timer, precondition, 100rel, foo"}, 420, "Unsupported",
			"precondition, foo"},
		// §8.2.3: "the UAS MUST reject the request with a 415 (Unsupported Media
		// Type) response. The response MUST contain an Accept header field
		// listing the types of all bodies it understands".
		{"body", "INVITE", "hello", []string{"Content-Type: text/plain"}, 415, "Accept", "application/sdp"},
		{"encoding", "INVITE", peerSDP, []string{"Content-Encoding: gzip"}, 415, "Accept-Encoding", "identity"},
		{"optional body", "INVITE", "hello", []string{"Content-Type: text/plain",
			"Content-Disposition: render;handling=optional"}, 200, "", ""},
		{"no codec", "INVITE", badSDP, nil, 488, "", ""},
		{"method and CSeq differ", "INFO", "", []string{"CSeq: 99 OPTIONS"}, 400, "", ""},
		{"info", "INFO", "hello", []string{"Content-Type: text/plain"}, 415, "Accept",
			"application/dtmf-relay, application/dtmf, application/vnd.nortelnetworks.digits, audio/telephone-event, application/hook-flash"},
		{"empty info", "INFO", "", nil, 200, "", ""},
		{"key", "INFO", "Signal=5\r\nDuration=160\r\n", []string{"Content-Type: application/dtmf-relay"}, 200, "", ""},
		{"record", "INFO", "", []string{"Record: on"}, 200, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := talkingIn(t)
			s.request(c.method, c.body, c.lines...)
			res := s.answer()
			if res.StatusCode != c.code {
				t.Fatalf("answered %d, want %d", res.StatusCode, c.code)
			}
			if c.header != "" && header1(t, res, c.header) != c.value {
				t.Errorf("%s: %q, want %q", c.header, header1(t, res, c.header), c.value)
			}
		})
	}
}

// RFC 3261 §12.2.2: "If the UAS wishes to reject the request because it does not
// wish to recreate the dialog, it MUST respond to the request with a 481".
func TestStrangersGet481(t *testing.T) {
	s := talkingIn(t)
	for _, method := range []string{"BYE", "INFO", "INVITE", "UPDATE", "PRACK", "OPTIONS"} {
		s.seq++
		s.receive(s.text(method, s.seq, "another", ""))
		if s.answer().StatusCode != 481 {
			t.Errorf("%s answered %d", method, s.answer().StatusCode)
		}
	}
	s.theirTag = "stranger"
	s.request("BYE", "")
	if s.answer().StatusCode != 481 || s.leg.Phase != talking {
		t.Errorf("BYE of a stranger answered %d", s.answer().StatusCode)
	}
}

// What an INVITE may be refused for before anybody is asked.
func TestFirstInviteRefused(t *testing.T) {
	cases := []struct {
		name  string
		lines []string
		code  int
	}{
		// §8.1.1.6: "If the Max-Forwards value reaches 0 before the request
		// reaches its destination, it will be rejected with a 483(Too Many Hops)".
		{"hops", []string{"Max-Forwards: 0"}, 483},
		{"require", []string{"Require: precondition"}, 420},
		{"body", []string{"Content-Type: text/plain"}, 415},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := inbound(t, c.lines...)
			s.want(itoa(c.code)+"/INVITE", "")
			s.receive(s.textVia("z9hG4bKp1", "ACK", s.seq, s.ourTag, ""))
			s.wantDone()
		})
	}
	s := newScript(t)
	s.callID = "in-1"
	leg, out := NewInbound(testConfig(1), s.now, s.packet(s.text("INVITE", 10, "", badSDP)),
		localAt(addrA, mediaA, "udp"))
	s.leg = leg
	s.note(out)
	s.want("488/INVITE", "")
}

// RFC 3261 §8.2.2.2: "If the request has no tag in the To header field, the UAS
// core MUST check the request against ongoing transactions. If the From tag,
// Call-ID, and CSeq exactly match those associated with an ongoing transaction,
// but the request does not match that transaction [...], the UAS core SHOULD
// generate a 482 (Loop Detected) response".
func TestMergedInviteGets482(t *testing.T) {
	s := inbound(t)
	s.take()
	s.receive(s.invite())
	s.want("482/INVITE", "invited")
}

func TestOwnInviteComingBackGets482(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.take()
	s.note(s.leg.Receive(s.now, Packet{Msg: invite, Flow: s.way}))
	s.want("482/INVITE", "")
}

// RFC 3261 §15: "The caller's UA MAY send a BYE for either confirmed or early
// dialogs". §15.1.2: "The UAS MUST still respond to any pending requests received
// for that dialog. It is RECOMMENDED that a 487 (Request Terminated) response be
// generated to those pending requests."
func TestByeBeforeAnswer(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 180})
	s.take()
	s.request("BYE", "")
	s.want("200/BYE 487/INVITE", "invited, bye")
	s.wantDone()
}

func TestByeEndsTheCall(t *testing.T) {
	s := talkingOut(t)
	s.events = nil
	s.request("BYE", "", "Reason: Q.850;cause=16;text=\"bye\"")
	e, ok := s.events[0].(Ended)
	if !ok || e.Cause != Bye || len(e.Reasons) != 1 {
		t.Errorf("told %+v", s.events)
	}
	s.want("200/BYE", "bye")
	// A copy gets the same answer as long as copies may come, whatever the
	// order says the next request gets 481.
	s.take()
	s.receive(s.textVia("z9hG4bKp1", "BYE", s.seq, s.ourTag, ""))
	s.want("200/BYE", "")
	s.take()
	s.request("INFO", "")
	s.want("481/INFO", "")
	s.wantDone()
}

// RFC 3261 §18.2.2, RFC 3581 §4: where a response goes.
func TestResponsesFindTheirWay(t *testing.T) {
	cases := []struct {
		name, via, received, to string
	}{
		{"as it says", "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKx", "", "10.0.0.2:5060"},
		// "If the host portion of the "sent-by" parameter [...] differs from the
		// packet source address, the server MUST add a "received" parameter";
		// without rport the response goes there at the port of sent-by.
		{"received", "SIP/2.0/UDP 192.168.0.7:6000;branch=z9hG4bKx", ";received=10.0.0.2", "10.0.0.2:6000"},
		{"default port", "SIP/2.0/UDP phone.example;branch=z9hG4bKx", ";received=10.0.0.2", "10.0.0.2:5060"},
		// RFC 3581 §4: with an empty rport the server "MUST set the value of the
		// parameter to the source port of the request. [...] it MUST also insert a
		// "received" parameter containing the source IP address".
		{"rport", "SIP/2.0/UDP 192.168.0.7:6000;rport;branch=z9hG4bKx", ";received=10.0.0.2", "10.0.0.2:40000"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t)
			s.callID = "in-1"
			if c.name == "rport" {
				s.way.Remote = addrNAT
			}
			_, out := NewInbound(testConfig(1), s.now, s.packet(s.invite("Via: "+c.via)), localAt(addrA, mediaA, "udp"))
			p := out.Packets[0]
			if p.Flow.Remote.String() != c.to {
				t.Errorf("sent to %v, want %s", p.Flow.Remote, c.to)
			}
			via := header1(t, p.Msg, "via")
			if !strings.Contains(via, c.received) || (c.received == "") == strings.Contains(via, "received") {
				t.Errorf("Via: %s", via)
			}
			if c.name == "rport" && !strings.Contains(via, ";rport=40000") {
				t.Errorf("Via: %s", via)
			}
		})
	}
}

// RFC 3261 §13.3.1.1: "the UAS MUST send a non-100 provisional response at every
// minute, to handle the possibility of lost provisional responses."
func TestProvisionalIsRepeatedEachMinute(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 182})
	s.take()
	s.pass(3 * time.Minute)
	s.want("182/INVITE 182/INVITE 182/INVITE", "invited")
}

// RFC 3261 §13.3.1: "If the request is an INVITE that contains an Expires header
// field, the UAS core sets a timer for the number of seconds indicated in the
// header field value. When the timer fires, the invitation is considered to be
// expired. If the invitation expires before the UAS has generated a final
// response, a 487 (Request Terminated) response SHOULD be generated."
func TestInvitationExpires(t *testing.T) {
	s := inbound(t, "Expires: 20")
	s.do(Progress{Code: 180})
	s.take()
	s.pass(20 * time.Second)
	s.want("487/INVITE", "invited, timeout")
}

// RFC 3261 §17.2.1: a refusal is resent until the ACK comes.
func TestRejectIsResentUntilAck(t *testing.T) {
	s := inbound(t)
	s.take()
	s.do(Reject{Code: 486, Fields: reasonField(17, "busy")})
	s.pass(2 * time.Second)
	s.want("486/INVITE 486/INVITE 486/INVITE", "invited")
	s.receive(s.textVia("z9hG4bKp1", "ACK", s.seq, s.ourTag, ""))
	s.take()
	s.pass(4 * time.Second)
	s.want("", "")
	s.wantDone()
}

// A caller may send its location along with its offer.
func TestOfferInMultipart(t *testing.T) {
	body := "--b1\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n" + peerSDP + "\r\n--b1--\r\n"
	s := newScript(t)
	s.callID = "in-1"
	leg, out := NewInbound(testConfig(1), s.now, s.packet(s.text("INVITE", 10, "", body,
		"Content-Type: multipart/mixed;boundary=b1")), localAt(addrA, mediaA, "udp"))
	s.leg = leg
	s.note(out)
	if len(s.events) != 1 {
		t.Errorf("sent %s, told %+v", s.names(), s.events)
	}
}

// A leg that is told to end twice ends once.
func TestEndIsIdempotent(t *testing.T) {
	s := talkingIn(t)
	s.events = nil
	s.do(End{})
	s.do(End{})
	s.do(Reject{Code: 486})
	s.do(Modify{Direction: sdp.Inactive})
	s.want("BYE", "")
	s.note(s.leg.Failed(s.now, s.sent[0]))
	s.wantDone()
}

// A party that is never ready for our re-INVITE has refused it.
func TestGlareEndsInTheEnd(t *testing.T) {
	s := talkingIn(t)
	s.events = nil
	s.do(Modify{Direction: sdp.Inactive})
	tries := 0
	for len(s.events) == 0 && tries < 20 {
		s.reply(s.last("INVITE"), 491, "")
		s.take()
		for len(s.events) == 0 && !strings.HasPrefix(s.names(), "INVITE") {
			s.tick()
		}
		tries++
	}
	s.want("", "refused 491")
	if tries != 11 {
		t.Errorf("tried %d times", tries)
	}
}

// A party that acknowledges none of our 2xx is put off, and what is resent stays
// bounded.
func TestReinvitesWithoutAck(t *testing.T) {
	s := talkingIn(t)
	for range 6 {
		s.request("INVITE", peerSDP)
	}
	s.want("200/INVITE 200/INVITE 200/INVITE 200/INVITE 500/INVITE 500/INVITE", "invited, changed")
}

// A BYE before the answer is against the rules, but clear.
func TestCalleeByeBeforeAnswer(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.reply(invite, 180, "")
	s.take()
	s.request("BYE", "")
	s.want("200/BYE CANCEL", "progressed 180, failed 480")
	s.reply(invite, 487, "")
	s.wantDone()
}
