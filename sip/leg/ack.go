package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/snapshot"
	"liandong/sip/txn"
)

// acked is an ACK that we have sent for a 2xx, kept as long as copies of the
// 2xx may come.
type acked struct {
	Tag    string           `cbor:",omitzero"`
	Msg    snapshot.Request `cbor:",omitzero"`
	Flow   Flow             `cbor:",omitzero"`
	Target string           `cbor:",omitzero"`
	Way    int              `cbor:",omitzero"` // which of the dialog's ways Flow and Target are
}

// ack acknowledges a 2xx. RFC 3261 §13.2.2.4: a request in the dialog, with
// the CSeq number of the INVITE and its credentials, outside any transaction.
// It carries the answer when the 2xx carried the offer.
func (l *Leg) ack(c *client, d *dialog.Dialog, tag string, answer []byte) {
	to := l.best(d)
	req, err := d.Request(gosip.ACK, c.Seq, l.newVia(to.Flow.Transport))
	if err != nil {
		return // the party's address is none: its 2xx goes unanswered and it will hang up
	}
	addFields(req, c.Proofs)
	l.addAgent(req)
	addBody(req, mediaSDP, answer)
	a := acked{Tag: tag, Msg: snapshot.Keep(req), Flow: to.Flow, Target: to.Target}
	c.Acks = append(c.Acks, a)
	l.put(req, a.Msg.Text(), to.Flow, to.Target)
}

// keepProofs takes from an INVITE that has been accepted what its ACKs have to
// repeat.
func (c *client) keepProofs(invite *gosip.Request) {
	if invite == nil {
		return // by a copy of the 2xx
	}
	for _, name := range [...]string{"Authorization", "Proxy-Authorization"} {
		for _, v := range values(invite, name) {
			c.Proofs = append(c.Proofs, header.Field{Name: name, Value: v})
		}
	}
}

// ackAgain answers a copy of a 2xx. RFC 3261 §13.2.2.4: "The ACK MUST be passed
// to the client transport every time a retransmission of the 2xx final response
// that triggered the ACK arrives." A copy says that the last one may not have come
// through: it goes by another way, if there is one.
func (l *Leg) ackAgain(c *client, tag string) bool {
	for i := range c.Acks {
		if c.Acks[i].Tag == tag {
			a := &c.Acks[i]
			if d := l.dialogTagged(tag); d != nil {
				h, way := after(l.ways(d), a.Way, a.Flow.Transport)
				l.ackBy(a, way, h)
			}
			return true
		}
	}
	return false
}

// acceptance is a 2xx of ours to an INVITE, resent until its ACK comes
// (RFC 3261 §13.3.1.4).
type acceptance struct {
	Seq      uint32            `cbor:",omitzero"`
	Server   txn.Key           `cbor:",omitzero"`
	Res      snapshot.Response `cbor:",omitzero"`
	Offered  bool              `cbor:",omitzero"` // it carries our offer, the ACK has to carry the answer
	Interval time.Duration     `cbor:",omitzero"`
	Resend   time.Time         `cbor:",omitzero"`
	End      time.Time         `cbor:",omitzero"`
}

// accepted sends a 2xx and begins to wait for its ACK.
func (l *Leg) accepted(now time.Time, s *server, res *gosip.Response, offered bool) {
	l.respond(now, s, res)
	// "The 2xx response is passed to the transport with an interval that starts
	// at T1 seconds and doubles for each retransmission until it reaches T2",
	// over reliable transports too: there may be a datagram hop further on.
	l.Unacked = append(l.Unacked, acceptance{
		Seq: res.CSeq().SeqNo, Server: s.Key, Res: snapshot.Keep(res), Offered: offered,
		Interval: l.cfg.T1, Resend: now.Add(l.cfg.T1), End: now.Add(l.life()),
	})
}

func (l *Leg) tickUnacked(now time.Time) {
	for i := 0; i < len(l.Unacked); i++ {
		a := &l.Unacked[i]
		switch {
		case due(a.End, now):
			l.Unacked = append(l.Unacked[:i], l.Unacked[i+1:]...)
			l.neverAcked(now)
			i--
		case due(a.Resend, now):
			a.Interval = min(2*a.Interval, l.cfg.T2)
			a.Resend = now.Add(a.Interval)
			l.respondAgain(a.Server, a.Res.Msg)
		}
	}
}

// neverAcked: RFC 3261 §13.3.1.4: "If the server retransmits the 2xx response
// for 64*T1 seconds without receiving an ACK, the dialog is confirmed, but the
// session SHOULD be terminated. This is accomplished with a BYE".
func (l *Leg) neverAcked(now time.Time) {
	if l.Phase == talking {
		l.tell(Ended{Cause: Timeout})
		l.closeWithBye(now, reasonField(408, "ACK Timeout"))
		return
	}
	l.byeIfDeferred(now)
}

// receiveAck takes an ACK: it belongs to a refusal of ours by its branch, or
// to a 2xx by its dialog.
func (l *Leg) receiveAck(now time.Time, key txn.Key, req *gosip.Request) {
	if s := l.serverOf(key); s != nil && s.Invite.State != txn.Accepted {
		s.Invite.Receive(now, req)
		return
	}
	if !l.Dialog.Matches(req) || req.CSeq() == nil {
		return
	}
	l.provesAlive(0)
	for i, a := range l.Unacked {
		if a.Seq == req.CSeq().SeqNo {
			l.Unacked = append(l.Unacked[:i], l.Unacked[i+1:]...)
			l.acknowledged(now, a, req)
			return
		}
	}
}

func (l *Leg) acknowledged(now time.Time, a acceptance, req *gosip.Request) {
	if l.Phase != talking {
		l.byeIfDeferred(now)
		return
	}
	if !a.Offered {
		return
	}
	body, err := bodyOf(req)
	if err == nil && body != nil {
		err = l.takeAnswer(body, false)
	} else {
		err = errMedia
	}
	// A re-INVITE that ends without an answer leaves the session as it was.
	if err != nil && !l.Media.Known {
		l.tell(Ended{Cause: NoMedia})
		l.closeWithBye(now, reasonField(488, phraseOf(488)))
	}
}
