package leg

import (
	"strings"
	"testing"
	"time"

	"liandong/sip/sdp"
)

// A party is asked by what changes nothing, in the dialog, and its answer says that it
// is alive, whatever it is: RFC 3261 §11 has OPTIONS answered as an INVITE would be.
func TestProbeIsGentle(t *testing.T) {
	for _, code := range []int{200, 405, 480, 486, 500, 501} {
		s := talkingOut(t)
		s.told()
		s.do(Probe{})
		s.want("OPTIONS", "")
		req := s.last("OPTIONS")
		if len(req.Body()) > 0 || header1(t, req, "session-expires") != "" {
			t.Errorf("it offers something\n%s", req)
		}
		s.pass(time.Second)
		s.take()
		s.reply(req, code, "")
		s.want("", "alive")
		s.pass(time.Minute)
		s.want("", "")
	}
}

func TestProbeByUpdate(t *testing.T) {
	s := outbound(t, timed)
	s.reply(s.last("INVITE"), 200, peerSDP, "Session-Expires: 600;refresher=uas", allowsUpdate())
	s.take()
	s.told()
	s.do(Probe{})
	s.want("UPDATE", "")
	req := s.last("UPDATE")
	if len(req.Body()) > 0 || header1(t, req, "session-expires") != "600;refresher=uas" {
		t.Errorf("\n%s", req)
	}
	s.reply(req, 200, "", "Session-Expires: 600;refresher=uas")
	s.take()
	s.want("", "alive")
	s.do(Probe{})
	s.reply(s.last("UPDATE"), 405, "")
	s.take()
	s.do(Probe{})
	s.want("OPTIONS", "alive")
}

// Who is dead is known to be so after three seconds, not after RFC 3261's 32, and the
// call is left to its owner.
func TestProbeOfADeadPhone(t *testing.T) {
	s := talkingIn(t)
	s.told()
	for range 3 {
		s.do(Probe{})
		s.pass(2999 * time.Millisecond)
		s.want("OPTIONS OPTIONS OPTIONS", "")
		s.take()
		s.pass(time.Millisecond)
		s.want("", "unanswered")
	}
	s.pass(40 * time.Second) // the last one is repeated, in case
	if told := s.told(); told != "" || s.leg.Phase != talking {
		t.Errorf("told %q", told)
	}
	s.request("INFO", "") // it was the network
	if told := s.told(); told != "alive, info " {
		t.Errorf("told %q", told)
	}
	s.do(End{})
	s.reply(s.last("BYE"), 200, "")
	s.wantDone()
}

// A late answer is one, and a shorter patience is kept.
func TestProbeIsAnsweredLate(t *testing.T) {
	s := talkingIn(t)
	s.told()
	s.do(Probe{Patience: time.Second})
	s.pass(time.Second)
	if told := s.told(); told != "unanswered" {
		t.Errorf("told %q", told)
	}
	s.reply(s.last("OPTIONS"), 200, "")
	if told := s.told(); told != "alive" {
		t.Errorf("told %q", told)
	}
}

// RFC 5057 §5.1: 481 ends the dialog. To OPTIONS some phones say so of every dialog, and
// are asked by a re-INVITE, which offers what was agreed.
func TestProbeOfWhoKnowsNoSuchCall(t *testing.T) {
	s := talkingIn(t)
	s.told()
	s.do(Probe{})
	s.reply(s.last("OPTIONS"), 481, "")
	again := s.last("INVITE")
	if direction(t, again.Body()) != "sendrecv" {
		t.Errorf("\n%s", again)
	}
	s.reply(again, 200, peerSDP)
	if told := s.told(); !strings.HasPrefix(told, "alive") {
		t.Errorf("told %q", told)
	}
	s.take()
	s.do(Probe{})
	s.reply(s.last("OPTIONS"), 481, "")
	s.reply(s.last("INVITE"), 481, "")
	if told := s.told(); told != "lost" {
		t.Errorf("told %q", told)
	}

	s = talkingIn(t, allowsUpdate())
	s.told()
	s.do(Probe{})
	s.reply(s.last("UPDATE"), 481, "")
	if told := s.told(); told != "lost" {
		t.Errorf("told %q", told)
	}
	s.last("BYE")
	s.wantDone()
}

// A proxy that says that it has reached nobody, and a transport that cannot send, need
// not be waited for.
func TestProbeThatReachesNobody(t *testing.T) {
	for _, code := range []int{408, 503, 504} {
		s := talkingIn(t)
		s.told()
		s.do(Probe{})
		s.reply(s.last("OPTIONS"), code, "")
		if told := s.told(); told != "unanswered" {
			t.Errorf("%d: told %q", code, told)
		}
	}
	s := talkingIn(t)
	s.told()
	s.do(Probe{})
	s.note(s.leg.Failed(s.now, s.sent[0]))
	if told := s.told(); told != "unanswered" {
		t.Errorf("told %q", told)
	}
}

// What is on its way anyway asks as well.
func TestProbeBesideAModify(t *testing.T) {
	s := talkingIn(t)
	s.told()
	s.do(Modify{Direction: sdp.SendOnly})
	s.do(Probe{})
	s.want("INVITE", "")
	s.reply(s.last("INVITE"), 100, "")
	if told := s.told(); told != "" {
		t.Errorf("told %q by a 100, which is of the next hop", told)
	}
	s.pass(3 * time.Second)
	s.reply(s.last("INVITE"), 200, heldSDP())
	if told := s.told(); told != "unanswered, alive, changed" {
		t.Errorf("told %q", told)
	}
}

// A leg that ends does not go on asking.
func TestProbeEndsWithTheLeg(t *testing.T) {
	s := talkingIn(t)
	s.told()
	s.do(Probe{})
	s.take()
	s.do(End{})
	bye := s.last("BYE")
	s.reply(bye, 200, "")
	s.take()
	s.pass(time.Minute)
	if s.want("", ""); !s.leg.Done() {
		t.Error("not done")
	}
	s.do(Probe{})
	s.want("", "")
}

// The process has died between a question and its answer, and for longer than an answer is waited for: the next one
// asks again, and does not take for gone who could not be heard.
func TestProbeOverAnOutage(t *testing.T) {
	for _, answered := range []bool{true, false} {
		s := talkingOut(t)
		s.told()
		s.do(Probe{})
		s.take()
		s.now = s.now.Add(time.Minute)
		s.leg = Restore(testConfig(1), s.local, reread(t, write(t, s.leg.State)))
		s.leg.Wait(s.now)
		s.tick()
		s.want("OPTIONS", "")
		req := s.last("OPTIONS")
		s.take()
		if answered {
			s.reply(req, 200, "")
			s.want("", "alive")
			s.pass(time.Minute)
			s.want("", "")
			continue
		}
		s.pass(waits)
		if s.told() != "unanswered" {
			t.Error("who is gone is not missed")
		}
	}
}
