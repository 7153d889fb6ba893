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
	Limit  time.Time      `cbor:",omitzero"` // everything is dropped then
	Fields []header.Field `cbor:",omitzero"` // of our End, for whatever still has to be ended
	Late   bool           `cbor:",omitzero"` // a BYE waits for the ACK that the party owes us, or for the party's own
	Grace  time.Time      `cbor:",omitzero"` // the party may say BYE itself until then
}

func (l *Leg) doEnd(now time.Time, cmd End) {
	l.Accept.Open = false // a mended INVITE is not welcome any more
	if l.Phase == over {
		return
	}
	l.Farewell.Fields = cmd.Fields
	l.endReferrals(now)
	switch l.Phase {
	case idle:
		l.close(now)
	case calling:
		c := l.client(l.Invite.Client)
		l.close(now)
		l.cancel(now, c, cmd.Fields)
	case proceeding:
		l.refuseInvite(now, 480, "", cmd.Fields)
		l.close(now)
	case talking:
		if cmd.Grace > 0 {
			l.Farewell.Grace = now.Add(cmd.Grace)
		}
		l.closeWithBye(now, cmd.Fields)
	}
}

func (l *Leg) tickFarewell(now time.Time) {
	if due(l.Farewell.Grace, now) {
		l.Farewell.Grace = time.Time{}
		l.byeIfDeferred(now)
	}
}

// closeWithBye ends an answered leg. RFC 3261 §15: "the callee's UA MUST NOT
// send a BYE on a confirmed dialog until it has received an ACK for its 2xx
// response or until the server transaction times out".
func (l *Leg) closeWithBye(now time.Time, fields []header.Field) {
	l.close(now)
	l.Farewell.Fields, l.Farewell.Late = fields, true
	l.byeIfDeferred(now)
}

func (l *Leg) byeIfDeferred(now time.Time) {
	if l.Farewell.Late && len(l.Unacked) == 0 && l.Farewell.Grace.IsZero() {
		l.Farewell.Late = false
		l.bye(now, &l.Dialog, l.Farewell.Fields)
	}
}

// bye ends a dialog. Whatever the answer, the dialog is over (RFC 3261 §15.1.1).
func (l *Leg) bye(now time.Time, d *dialog.Dialog, fields []header.Field) {
	c, req := l.request(gosip.BYE, d)
	if c == nil {
		return
	}
	l.addAgent(req)
	addFields(req, fields)
	header.SetBody(req, nil)
	l.start(now, c, req)
}

// receiveBye: RFC 3261 §15.1.2: 200, and 487 to a first INVITE that is still
// open.
func (l *Leg) receiveBye(now time.Time, s *server, p Packet, req *gosip.Request) {
	l.respond(now, s, l.plain(p, 200))
	if l.Phase == proceeding {
		l.refuseInvite(now, 487, "", nil)
	}
	if l.Phase == calling {
		// The party may not do so before it has answered, but means it.
		c := l.client(l.Invite.Client)
		l.fail(now, Failed{Code: 480, Phrase: phraseOf(480), Reasons: reasonsOf(req)})
		l.cancel(now, c, nil)
		return
	}
	l.tell(Ended{Cause: Bye, Reasons: reasonsOf(req)})
	l.close(now)
	// Who says BYE has our 2xx: nothing is resent, nobody is left to say BYE to.
	l.Unacked, l.Farewell.Late, l.Farewell.Grace = nil, false, time.Time{}
}

// close makes the leg over: it tells nothing any more and only its
// transactions go on.
func (l *Leg) close(now time.Time) {
	if l.Phase == over {
		return
	}
	l.Phase = over
	l.Invite.Patience = time.Time{}
	l.Accept = accepting{Seq: l.Accept.Seq}
	l.Provisional = reliable{}
	l.abandonProbe()
	l.Probe = probing{}
	l.Modify = modifying{}
	l.Timer = sessionTimer{}
	l.Media.release()
	for _, c := range l.Clients {
		if c.Method == gosip.INVITE && c.pending() != nil && c.Cancel.GiveUp.IsZero() {
			c.Cancel.GiveUp, c.Cancel.Patience = now.Add(l.life()), time.Time{}
		}
	}
}

// drop lets go of everything: the leg is Done.
func (l *Leg) drop() {
	l.Clients, l.Servers, l.Unacked, l.Refer = nil, nil, nil, referring{}
	l.Farewell = farewell{}
}

func reasonField(cause int, text string) []header.Field {
	return []header.Field{{Name: "Reason", Value: fmt.Sprintf("SIP ;cause=%d ;text=%q", cause, text)}}
}
