package leg

import (
	"fmt"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
)

// farewell is what is left to do once a leg is over.
type farewell struct {
	limit  time.Time      // everything is dropped then
	fields []header.Field // of our End, for whatever still has to be ended
	late   bool           // a BYE waits for the ACK that the party owes us, or for the party's own
	grace  time.Time      // the party may say BYE itself until then
}

func (l *Leg) doEnd(now time.Time, cmd End) {
	l.accept.open = false // a mended INVITE is not welcome any more
	if l.phase == over {
		return
	}
	l.farewell.fields = cmd.Fields
	l.endReferrals(now)
	switch l.phase {
	case idle:
		l.close(now)
	case calling:
		c := l.invite.client
		l.close(now)
		l.cancel(now, c, cmd.Fields)
	case ringing:
		l.refuseInvite(now, 480, "", cmd.Fields)
		l.close(now)
	case talking:
		if cmd.Grace > 0 {
			l.grace = now.Add(cmd.Grace)
		}
		l.closeWithBye(now, cmd.Fields)
	}
}

func (l *Leg) tickFarewell(now time.Time) {
	if due(l.grace, now) {
		l.grace = time.Time{}
		l.byeIfDeferred(now)
	}
}

// closeWithBye ends an answered leg. RFC 3261 §15: "the callee's UA MUST NOT
// send a BYE on a confirmed dialog until it has received an ACK for its 2xx
// response or until the server transaction times out".
func (l *Leg) closeWithBye(now time.Time, fields []header.Field) {
	l.close(now)
	l.farewell.fields, l.farewell.late = fields, true
	l.byeIfDeferred(now)
}

func (l *Leg) byeIfDeferred(now time.Time) {
	if l.farewell.late && len(l.unacked) == 0 && l.grace.IsZero() {
		l.farewell.late = false
		l.bye(now, &l.dialog, l.farewell.fields)
	}
}

// bye ends a dialog. Whatever the answer, the dialog is over (RFC 3261 §15.1.1).
func (l *Leg) bye(now time.Time, d *dialog.Dialog, fields []header.Field) {
	c := l.request(gosip.BYE, d)
	if c == nil {
		return
	}
	l.sign(c.req, "User-Agent")
	addFields(c.req, fields)
	c.req.SetBody(nil)
	l.start(now, c)
}

// receiveBye: RFC 3261 §15.1.2: 200, and 487 to a first INVITE that is still
// open.
func (l *Leg) receiveBye(now time.Time, s *server, p Packet, req *gosip.Request) {
	l.respond(now, s, l.plain(p, 200))
	if l.phase == ringing {
		l.refuseInvite(now, 487, "", nil)
	}
	if l.phase == calling {
		// The party may not do so before it has answered, but means it.
		c := l.invite.client
		l.fail(now, Failed{Code: 480, Phrase: phraseOf(480), Reasons: reasonsOf(req)})
		l.cancel(now, c, nil)
		return
	}
	l.tell(Ended{Cause: Bye, Reasons: reasonsOf(req)})
	l.close(now)
	// Who says BYE has our 2xx: nothing is resent, nobody is left to say BYE to.
	l.unacked, l.farewell.late, l.grace = nil, false, time.Time{}
}

// close makes the leg over: it tells nothing any more and only its
// transactions go on.
func (l *Leg) close(now time.Time) {
	if l.phase == over {
		return
	}
	l.phase = over
	l.invite.patience = time.Time{}
	l.accept = accepting{seq: l.accept.seq}
	l.early = reliable{}
	l.modify = modifying{}
	l.timer = sessionTimer{}
	l.media.release()
	for _, c := range l.clients {
		if c.method == gosip.INVITE && c.req != nil && c.cancel.giveUp.IsZero() {
			c.cancel.giveUp, c.cancel.patience = now.Add(l.life()), time.Time{}
		}
	}
}

// drop lets go of everything: the leg is Done.
func (l *Leg) drop() {
	l.clients, l.servers, l.unacked, l.referring = nil, nil, nil, referring{}
	l.farewell = farewell{}
}

func reasonField(cause int, text string) []header.Field {
	return []header.Field{{Name: "Reason", Value: fmt.Sprintf("SIP ;cause=%d ;text=%q", cause, text)}}
}
