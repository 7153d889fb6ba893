package leg

import (
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// refer lets the party send a REFER and gives its id; the owner has not spoken.
func (s *script) refer(to string, lines ...string) uint32 {
	s.t.Helper()
	s.request("REFER", "", append([]string{"Refer-To: " + to}, lines...)...)
	for _, e := range s.events {
		if r, ok := e.(Referred); ok {
			s.events = nil
			return r.ID
		}
	}
	return 0
}

// notified takes the NOTIFY that was sent last and answers it.
func (s *script) notified(event, state, status string) {
	s.t.Helper()
	n := s.last("NOTIFY")
	body := string(n.Body())
	if got := header1(s.t, n, "event"); got != event {
		s.t.Errorf("Event %q, want %q", got, event)
	}
	if got := header1(s.t, n, "subscription-state"); !strings.HasPrefix(got, state) {
		s.t.Errorf("Subscription-State %q, want %q", got, state)
	}
	if got := header1(s.t, n, "content-type"); got != "message/sipfrag;version=2.0" {
		s.t.Errorf("Content-Type %q", got)
	}
	if !strings.HasPrefix(body, "SIP/2.0 "+status) || !strings.HasSuffix(body, "\r\n") {
		s.t.Errorf("body %q, want %q", body, status)
	}
	s.take()
	s.reply(n, 200, "")
}

// RFC 3515 §2.4.4: "The agent MUST NOT respond to a REFER with a final response other
// than 202 [...] until the user has accepted"; §2.4.4: "Agents accepting REFER MUST
// implement NOTIFY"; §2.4.5: progress, and a final status at the end; §2.4.7: then
// the subscription is terminated with "noresource".
func TestReferProgress(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>", "Referred-By: <sip:1101@10.0.0.1>")
	s.want("", "")
	s.do(Report{ID: id, Code: 100})
	s.want("202/REFER NOTIFY", "")
	s.notified("refer", "active;expires=120", "100 Trying")
	s.do(Report{ID: id, Code: 180})
	s.notified("refer", "active;expires=", "180 Ringing")
	s.do(Report{ID: id, Code: 200})
	s.notified("refer", "terminated;reason=noresource", "200 OK")
	s.do(Report{ID: id, Code: 486}) // it has been told to the end
	s.want("", "")
	s.request("BYE", "")
	s.want("200/BYE", "bye")
	s.wantDone()
}

// The event carries what the party has asked for.
func TestReferTold(t *testing.T) {
	s := talkingIn(t)
	s.request("REFER", "", "Refer-To: <sip:2101@10.0.0.1?Replaces=c%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>",
		"Referred-By: \"Desk\" <sip:1101@10.0.0.1>")
	e, ok := s.events[len(s.events)-1].(Referred)
	if !ok || e.To.Number() != "2101" || e.To.Replaces == nil || e.To.Replaces.CallID != "c@h" ||
		e.By.URI.User != "1101" || e.By.Display != "Desk" {
		t.Errorf("%+v", e)
	}
}

// RFC 3515 §2.4.2: "An agent responding to a REFER method MUST return a 400 (Bad
// Request) if the request contained zero or more than one Refer-To header field
// values."
func TestReferMalformed(t *testing.T) {
	for _, lines := range [][]string{
		nil,
		{"Refer-To: <sip:a@h>", "Refer-To: <sip:b@h>"},
		{"Refer-To: <sip:a@h?Replaces=c>"},
	} {
		s := talkingOut(t)
		s.told()
		s.seq++
		text := s.text("REFER", s.seq, s.ourTag, "")
		for _, l := range lines {
			text = strings.Replace(text, "\r\nMax-Forwards", "\r\n"+l+"\r\nMax-Forwards", 1)
		}
		s.receive(text)
		s.want("400/REFER", "")
	}
}

// A REFER that the owner does not allow is refused with the owner's code, and
// nothing is told after it.
func TestReferRefused(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:0900123@10.0.0.1>")
	s.do(Report{ID: id, Code: 603})
	s.want("603/REFER", "")
	s.take()
	s.do(Report{ID: id, Code: 200})
	s.want("", "")
}

// RFC 4488 §4: with "Refer-Sub: false" no subscription is made, and the 2xx says
// so by the same header field.
func TestReferWithoutSubscription(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>", "Refer-Sub: FALSE ;x=y", "Supported: norefersub", "Require: norefersub")
	s.do(Report{ID: id, Code: 100})
	s.want("202/REFER", "")
	if got := header1(t, s.answer(), "refer-sub"); got != "false" {
		t.Errorf("Refer-Sub %q", got)
	}
	s.take()
	s.do(Report{ID: id, Code: 180})
	s.do(Report{ID: id, Code: 200})
	s.want("", "")
}

// RFC 3515 §2.4.6: "the CSeq number from the REFER request that created the
// subscription" is the id of NOTIFYs of the second and later REFERs of a dialog.
func TestRefersInOneDialog(t *testing.T) {
	s := talkingOut(t)
	one := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: one, Code: 100})
	s.notified("refer", "active", "100")
	two := s.refer("<sip:119@10.0.0.1>")
	s.do(Report{ID: two, Code: 100})
	s.notified("refer;id="+itoa(int(two)), "active", "100")
	s.do(Report{ID: one, Code: 486})
	s.notified("refer", "terminated", "486 Busy Here")
	s.do(Report{ID: two, Code: 200})
	s.notified("refer;id="+itoa(int(two)), "terminated", "200 OK")
}

// One NOTIFY at a time: a later one cannot overtake an earlier one, and none is
// left out.
func TestNotifyInOrder(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	for _, code := range []int{100, 180, 200} {
		s.do(Report{ID: id, Code: code})
	}
	s.want("202/REFER NOTIFY", "")
	s.notified("refer", "active", "100")
	s.notified("refer", "active", "180")
	s.notified("refer", "terminated", "200")
	s.want("", "")
}

// RFC 3261 §17.2.2: a copy of the REFER gets the same answer and asks for nothing
// again.
func TestReferCopy(t *testing.T) {
	s := talkingOut(t)
	s.seq++
	text := s.text("REFER", s.seq, s.ourTag, "", "Refer-To: <sip:12345@10.0.0.1>")
	s.receive(text)
	s.do(Report{ID: uint32(s.seq), Code: 100})
	s.take()
	s.told()
	s.receive(text)
	s.want("202/REFER", "")
}

// Phones that say BYE at once after the 202: RFC 5057 §5.1: the subscription is
// another usage of the dialog and goes on.
func TestReferOutlivesBye(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: id, Code: 100})
	s.notified("refer", "active", "100")
	s.request("BYE", "")
	s.want("200/BYE", "bye")
	s.do(Report{ID: id, Code: 180})
	s.notified("refer", "active", "180")
	if s.leg.Done() {
		t.Fatal("done with a subscription open")
	}
	s.do(Report{ID: id, Code: 200})
	s.notified("refer", "terminated", "200")
	s.wantDone()
}

// RFC 6665 §4.2.2: a NOTIFY that is refused or unanswered ends the subscription,
// and nothing else: the call goes on.
func TestNotifyRefused(t *testing.T) {
	for _, code := range []int{481, 405, 0} {
		s := talkingOut(t)
		id := s.refer("<sip:12345@10.0.0.1>")
		s.do(Report{ID: id, Code: 100})
		if n := s.last("NOTIFY"); code != 0 {
			s.reply(n, code, "")
		} else {
			s.pass(33 * time.Second)
		}
		s.take()
		s.do(Report{ID: id, Code: 180})
		s.want("", "")
		s.request("INFO", "")
		s.want("200/INFO", "info ")
	}
}

// Nobody reports: the party is not left waiting, nor the leg.
func TestReferNeverReported(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: id, Code: 100})
	s.notified("refer", "active", "100")
	s.pass(referLife)
	s.notified("refer", "terminated;reason=noresource", "408")
	s.do(End{})
	s.last("BYE")
	s.wantDone()
}

// End tells what is left to be told, and leaves the BYE to the party for a while.
func TestReferEnds(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: id, Code: 100})
	s.notified("refer", "active", "100")
	s.do(End{Grace: time.Second})
	s.want("NOTIFY", "")
	s.notified("refer", "terminated", "487 Request Terminated")
	s.request("BYE", "")
	s.want("200/BYE", "")
	s.take()
	s.pass(3 * time.Second)
	s.want("", "")
	s.wantDone()
}

// The phone that waits for our BYE gets it.
func TestGraceIsShort(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: id, Code: 200})
	s.notified("refer", "terminated", "200")
	s.do(End{Grace: time.Second})
	s.pass(900 * time.Millisecond)
	s.want("", "")
	s.pass(200 * time.Millisecond)
	s.want("BYE", "")
	s.reply(s.last("BYE"), 200, "")
	s.wantDone()
}

// Before the answer there is nothing to hand on.
func TestReferBeforeAnswer(t *testing.T) {
	s := inbound(t)
	s.take()
	s.told()
	s.request("REFER", "", "Refer-To: <sip:12345@10.0.0.1>")
	s.want("403/REFER", "")
}

// A party cannot pile up REFERs.
func TestRefersAreBounded(t *testing.T) {
	s := talkingOut(t)
	for range maxReferrals {
		s.do(Report{ID: s.refer("<sip:12345@10.0.0.1>"), Code: 100})
	}
	s.take()
	if id := s.refer("<sip:12345@10.0.0.1>"); id != 0 {
		t.Error("one too many is told")
	}
	if s.answer().StatusCode != gosip.StatusInternalServerError {
		t.Error(s.names())
	}
}

// RFC 6665 §4.4.1: "A subscription is destroyed after a notifier sends a NOTIFY request
// with a 'Subscription-State' of 'terminated'", which a SUBSCRIBE with Expires 0 asks
// for; §4.2.1.2: each SUBSCRIBE is followed by a NOTIFY at once.
func TestReferUnsubscribed(t *testing.T) {
	s := talkingOut(t)
	id := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: id, Code: 100})
	s.notified("refer", "active;expires=120", "100 Trying")
	s.request("SUBSCRIBE", "", "Event: refer", "Expires: 60")
	if got := header1(t, s.answer(), "expires"); s.answer().StatusCode != 200 || got != "60" {
		t.Errorf("answered %d, Expires %q", s.answer().StatusCode, got)
	}
	s.notified("refer", "active;expires=60", "100 Trying")
	s.request("SUBSCRIBE", "", "Event: refer", "Expires: 0")
	s.notified("refer", "terminated;reason=timeout", "100 Trying")
	s.do(Report{ID: id, Code: 200})
	s.want("", "")
	for _, event := range []string{"Event: refer", "Event: refer;id=77"} {
		s.request("SUBSCRIBE", "", event, "Expires: 0")
		s.want("481/SUBSCRIBE", "")
		s.take()
	}
}

// The second REFER of a dialog is told apart by its id, also to a party that has said
// BYE (RFC 5057 §5.1).
func TestReferUnsubscribedById(t *testing.T) {
	s := talkingOut(t)
	one := s.refer("<sip:12345@10.0.0.1>")
	s.do(Report{ID: one, Code: 100})
	s.notified("refer", "active", "100 Trying")
	two := s.refer("<sip:110@10.0.0.1>")
	s.do(Report{ID: two, Code: 100})
	event := "refer;id=" + itoa(int(two))
	s.notified(event, "active", "100 Trying")
	s.request("BYE", "")
	s.take()
	s.request("SUBSCRIBE", "", "Event: "+event, "Expires: 0")
	s.notified(event, "terminated;reason=timeout", "100 Trying")
	s.do(Report{ID: one, Code: 200})
	s.notified("refer", "terminated;reason=noresource", "200 OK")
	s.wantDone()
}

// A phone that answers no NOTIFY still hears what has become of its transfer, not only
// when the first one has been given up after 32 s.
func TestUnansweredNotifyKeepsNothingBack(t *testing.T) {
	s := talkingIn(t)
	s.request("REFER", "", "Refer-To: <sip:12345@10.0.0.1>")
	id := uint32(s.seq)
	s.do(Report{ID: id, Code: 100})
	s.do(Report{ID: id, Code: 180})
	s.do(Report{ID: id, Code: 200})
	s.take()
	s.pass(2 * noticePatience)
	last := s.last("NOTIFY")
	if body := string(last.Body()); !strings.HasPrefix(body, "SIP/2.0 200") {
		t.Errorf("after %v the last NOTIFY says %q", 2*noticePatience, body)
	}
	s.take()
	s.pass(time.Second)
	if got := s.last("NOTIFY"); got.CSeq().SeqNo != last.CSeq().SeqNo {
		t.Errorf("an old one is repeated\n%s", got)
	}
	s.reply(last, 200, "")
	s.do(End{})
	s.reply(s.last("BYE"), 200, "")
	s.wantDone()
}

// The last NOTIFY of one transfer does not keep another's back, and is not given up.
func TestTwoTransfersOfASilentPhone(t *testing.T) {
	s := talkingIn(t)
	for range 2 {
		s.request("REFER", "", "Refer-To: <sip:12345@10.0.0.1>")
		s.do(Report{ID: uint32(s.seq), Code: 503})
		s.request("REFER", "", "Refer-To: <sip:12345@10.0.0.1>")
		s.do(Report{ID: uint32(s.seq), Code: 100})
		s.do(Report{ID: uint32(s.seq), Code: 486})
	}
	s.pass(40 * time.Second)
	if n := len(s.leg.Refer.Referrals) + len(s.leg.Clients); n != 0 {
		t.Errorf("%d are left", n)
	}
	s.do(End{})
	s.wantDone()
}

// RFC 3891 §3: "the value "0" for a tag" is one that is not there, as for a phone whose
// second line has got no more than a 100.
func TestNamedBeforeTheFirstTag(t *testing.T) {
	s := inbound(t)
	for _, to := range []string{"", "0", s.ourTag} {
		if !s.leg.Named(header.Replaces{CallID: s.callID, To: to, From: s.theirTag}) {
			t.Errorf("to-tag %q: not named", to)
		}
	}
	if s.leg.Named(header.Replaces{CallID: s.callID, From: "other"}) {
		t.Error("a stranger's tag names it")
	}
	s.do(Answer{})
	if s.leg.Named(header.Replaces{CallID: s.callID, From: s.theirTag}) {
		t.Error("once answered the tag is known")
	}
}

// RFC 3891 §3: "If the Replaces header field is present in a request other than INVITE, or
// more than one Replaces header field is present [...] the UAS MUST reject the request with
// a 400 Bad Request response." RFC 3911 §4: the same for Join, and for both together.
func TestReplacesThatNamesNoOneDialog(t *testing.T) {
	for _, lines := range [][]string{
		{"Replaces: a@b;to-tag=1;from-tag=2", "REPLACES: c@d;to-tag=1;from-tag=2"},
		{"Replaces: a@b;to-tag=1"},
		{"Replaces: a@b;to-tag=1;to-tag=2;from-tag=3"},
		{"Replaces: a@b;to-tag=1;from-tag=2", "Join: a@b;to-tag=1;from-tag=2"},
		{"Join: ;to-tag=1;from-tag=2"},
	} {
		s := inbound(t, lines...)
		s.want("400/INVITE", "")
	}
	s := inbound(t, "Replaces: a@b;to-tag=1;from-tag=2")
	s.want("100/INVITE", "invited")
}
