package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/sdp"
)

// maxUnacked is how many 2xx wait for an ACK at most: a party that sends one
// re-INVITE after the other and acknowledges none is put off.
const maxUnacked = 4

// receiveReinvite answers the party's re-INVITE: hold, resume, another address,
// a refresh.
func (l *Leg) receiveReinvite(now time.Time, s *server, p Packet, req *gosip.Request) {
	switch {
	case l.Phase == proceeding, len(l.Unacked) >= maxUnacked:
		// RFC 3261 §14.2: a second INVITE before the final response to a first
		// one "MUST" get 500 with Retry-After
		l.refuseFor(now, s, p, 500)
		return
	case l.Phase != talking, l.offering():
		// RFC 3261 §14.2: "A UAS that receives an INVITE on a dialog while an
		// INVITE it had sent on that dialog is in progress MUST return a 491"
		l.refuse(now, s, p, 491)
		return
	}
	if res := l.tooBrief(p, req); res != nil {
		l.respond(now, s, res)
		return
	}
	body, session, offered, err := l.reanswer(req)
	if err != nil {
		l.respond(now, s, l.unacceptable(p, err)) // RFC 3261 §14.2: the session goes on as it was
		return
	}
	l.Dialog.Refresh(req)
	l.noteAllowed(req)
	res := Reply(p, 200, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	l.timerAccepted(now, req, res)
	addBody(res, mediaSDP, body)
	l.accepted(now, s, res, !offered)
	if offered {
		l.agreed(session, false)
	}
}

// reanswer is our answer to the offer in a request, or our offer when it
// carries none.
func (l *Leg) reanswer(req *gosip.Request) (body []byte, s sdp.Session, offered bool, err error) {
	offer, err := bodyOf(req)
	if err != nil {
		return nil, s, false, err
	}
	if offer == nil {
		return l.Media.offer(false), s, false, nil
	}
	body, s, err = l.Media.answer(offer)
	return body, s, true, err
}

// offering says that an offer of ours is out without an answer, or an INVITE
// of ours is in progress.
func (l *Leg) offering() bool {
	if c := l.client(l.Modify.Client); c != nil && c.Method == gosip.INVITE {
		return true
	}
	for i := range l.Unacked {
		if l.Unacked[i].Offered {
			return true
		}
	}
	return false
}
