package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
)

// update refreshes the session without touching it.
func (l *Leg) update(now time.Time, what purpose) {
	l.modify(now, what, gosip.UPDATE, func(_ *client, req *gosip.Request) { header.SetBody(req, nil) })
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
		body, session, err := l.Media.answer(offer)
		if err != nil {
			l.respond(now, s, l.unacceptable(p, err))
			return
		}
		answer = body
		defer l.agreed(session, false)
	}
	d.Refresh(req)
	l.noteAllowed(req)
	res := Reply(p, 200, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	if l.Phase == talking {
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
	case l.Phase == talking && l.offering():
		return 491
	case l.Phase == proceeding && !l.Accept.Agreed && l.Accept.Offered:
		return 500
	case l.Phase == proceeding && !l.Accept.Agreed:
		return 491
	case l.Phase == calling && !l.firm(d):
		return 491
	}
	return 0
}

// firm says that offer and answer of an early dialog of ours are complete.
func (l *Leg) firm(d *dialog.Dialog) bool {
	for _, f := range l.Invite.Forks {
		if &f.Dialog == d {
			return f.Firm
		}
	}
	return false
}

// dialogOf is the dialog that a request of the party belongs to, one of an
// unanswered fork among them; nil: none of ours.
func (l *Leg) dialogOf(req *gosip.Request) *dialog.Dialog {
	if l.Phase == calling {
		for _, f := range l.Invite.Forks {
			if f.Dialog.Matches(req) {
				return &f.Dialog
			}
		}
		return nil
	}
	if !l.Accept.Open && l.Phase != idle && l.Dialog.Matches(req) {
		return &l.Dialog
	}
	return nil
}
