package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
)

// update refreshes the session without touching it.
func (l *Leg) update(now time.Time, final func(*Leg, time.Time, *client, outcome)) {
	c := l.request(gosip.UPDATE, &l.dialog)
	if c == nil {
		l.lost(now, Lost)
		return
	}
	l.introduce(c.req)
	l.repeatTimer(c.req)
	l.identify(c.req)
	c.req.SetBody(nil)
	c.final = final
	l.modify.client = c
	l.start(now, c)
}

// receiveUpdate answers the party's UPDATE (RFC 3311 §5.2).
func (l *Leg) receiveUpdate(now time.Time, s *server, p Packet, req *gosip.Request) {
	d := l.dialogOf(req)
	offer, _ := bodyOf(req)
	if offer != nil {
		if code := l.untimely(d); code == 500 {
			l.refuseFor(now, s, p, code)
			return
		} else if code != 0 {
			l.refuse(now, s, p, code)
			return
		}
	}
	if res := l.tooBrief(p, req); res != nil {
		l.respond(now, s, res)
		return
	}
	var answer []byte
	if offer != nil {
		body, session, err := l.media.answer(offer)
		if err != nil {
			l.respond(now, s, l.unacceptable(p, err))
			return
		}
		answer = body
		defer l.agreed(session, false)
	}
	d.Refresh(req)
	l.noteAllowed(req)
	res := Reply(p, 200, "", l.dialog.LocalTag)
	l.introduceAs(res)
	if l.phase == talking {
		l.timerAccepted(now, req, res)
	}
	addBody(res, mediaSDP, answer)
	l.respond(now, s, res)
}

// untimely is the refusal of an offer that comes before the last one is
// answered, 0: it is in time. RFC 3311 §5.2: our own offer unanswered → 491,
// theirs not yet answered by us → 500 with Retry-After.
func (l *Leg) untimely(d *dialog.Dialog) int {
	switch {
	case l.phase == talking && l.offering():
		return 491
	case l.phase == ringing && !l.accept.agreed && l.accept.offered:
		return 500
	case l.phase == ringing && !l.accept.agreed:
		return 491
	case l.phase == calling && !l.firm(d):
		return 491
	}
	return 0
}

// firm says that offer and answer of an early dialog of ours are complete.
func (l *Leg) firm(d *dialog.Dialog) bool {
	for _, f := range l.invite.forks {
		if &f.dialog == d {
			return f.firm
		}
	}
	return false
}

// dialogOf is the dialog that a request of the party belongs to, one of an
// unanswered fork among them; nil: none of ours.
func (l *Leg) dialogOf(req *gosip.Request) *dialog.Dialog {
	if l.phase == calling {
		for _, f := range l.invite.forks {
			if f.dialog.Matches(req) {
				return &f.dialog
			}
		}
		return nil
	}
	if !l.accept.open && l.phase != idle && l.dialog.Matches(req) {
		return &l.dialog
	}
	return nil
}
