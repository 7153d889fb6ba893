package leg

import (
	"strings"
	"testing"

	"liandong/sip/sdp"
)

// RFC 3311 §5.2: an UPDATE changes the session and the remote target as a re-INVITE
// does, and its offer is answered in the 2xx.
func TestUpdateChangesTheSession(t *testing.T) {
	s := talkingIn(t)
	s.events = nil
	s.request("UPDATE", heldSDP(), "Contact: <sip:110@10.0.0.2:5099>")
	s.want("200/UPDATE", "changed")
	if d := direction(t, s.answer().Body()); d != "recvonly" {
		t.Errorf("answered %s", d)
	}
	s.take()
	s.do(End{})
	if s.last("BYE").Recipient.Port != 5099 {
		t.Error("UPDATE is a target refresh request (RFC 3311 §5.1)")
	}
}

// RFC 3311 §5.2: "If an UPDATE is received that contains an offer, and the UAS
// has generated an offer (in an UPDATE, PRACK or INVITE) to which it has not yet
// received an answer, the UAS MUST reject the UPDATE with a 491 response."
func TestUpdateAgainstOurOfferGets491(t *testing.T) {
	s := talkingIn(t)
	s.do(Modify{Direction: sdp.SendOnly})
	s.take()
	s.request("UPDATE", peerSDP)
	s.want("491/UPDATE", "invited, changed")

	s = outbound(t)
	s.reply(s.last("INVITE"), 180, "")
	s.take()
	s.request("UPDATE", peerSDP)
	s.want("491/UPDATE", "progressed 180")
}

// RFC 3311 §5.2: "if an UPDATE is received that contains an offer, and the UAS
// has received an offer (in an UPDATE, PRACK, or INVITE) to which it has not yet
// generated an answer, the UAS MUST reject the UPDATE with a 500 response, and
// MUST include a Retry-After header field with a randomly chosen value between 0
// and 10 seconds."
func TestUpdateBeforeOurAnswerGets500(t *testing.T) {
	s := inbound(t)
	s.do(Progress{Code: 180})
	s.take()
	s.request("UPDATE", peerSDP)
	s.want("500/UPDATE", "invited")
	if n, ok := number(s.answer(), "retry-after"); !ok || n > 10 {
		t.Error("no Retry-After")
	}
}

// Once offer and answer are complete by a reliable provisional response, an
// early dialog can be updated.
func TestUpdateOfEarlyDialog(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.reply(invite, 183, peerSDP, "Require: 100rel", "RSeq: 1")
	s.take()
	s.request("UPDATE", strings.Replace(heldSDP(), "30000", "30002", 1))
	s.want("200/UPDATE", "progressed 183, changed")

	s = required(t)
	s.do(Progress{Code: 183, Media: true})
	s.prack("")
	s.take()
	s.request("UPDATE", heldSDP())
	s.want("200/UPDATE", "invited, changed, changed")
}

func TestUnacceptableUpdateGets488(t *testing.T) {
	s := talkingIn(t)
	s.events = nil
	s.request("UPDATE", badSDP)
	s.want("488/UPDATE", "")
}
