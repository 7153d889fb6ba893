package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/txn"
)

// cancelling is how far an INVITE of ours has been taken back.
type cancelling struct {
	Wanted   bool           `cbor:",omitzero"`
	Ready    bool           `cbor:",omitzero"` // a provisional response has come: CANCEL may be sent
	Sent     bool           `cbor:",omitzero"`
	Fields   []header.Field `cbor:",omitzero"`
	Patience time.Time      `cbor:",omitzero"` // the INVITE is taken back then by itself
	GiveUp   time.Time      `cbor:",omitzero"` // no final response is waited for any longer
}

// cancel takes an INVITE back. RFC 3261 §9.1: "If no provisional response has
// been received, the CANCEL request MUST NOT be sent; rather, the client MUST
// wait for the arrival of a provisional response before sending the request."
func (l *Leg) cancel(now time.Time, c *client, fields []header.Field) {
	if c == nil {
		return
	}
	c.Cancel.Wanted, c.Cancel.Fields, c.Cancel.Patience = true, fields, time.Time{}
	if c.Cancel.Ready {
		l.sendCancel(now, c)
	}
}

// cancelNow notes a provisional response.
func (l *Leg) cancelNow(now time.Time, c *client) {
	c.Cancel.Ready = true
	if c.Cancel.Wanted {
		l.sendCancel(now, c)
	}
}

func (l *Leg) sendCancel(now time.Time, c *client) {
	if c.Cancel.Sent || c.pending() == nil {
		return
	}
	c.Cancel.Sent = true
	c.Cancel.GiveUp = now.Add(l.life())
	l.start(now, &client{Flow: c.Flow, Target: c.Target}, l.cancelRequest(c))
}

// cancelRequest is the CANCEL of an INVITE (RFC 3261 §9.1).
func (l *Leg) cancelRequest(c *client) *gosip.Request {
	invite := c.pending()
	req := txn.Following(invite, gosip.CANCEL, invite.To())
	l.addAgent(req)
	addFields(req, c.Cancel.Fields)
	header.SetBody(req, nil)
	return req
}

// receiveCancel: RFC 3261 §9.2: 481 when it matches no INVITE; else 200, and
// the INVITE is refused with 487 if it has no final response yet.
func (l *Leg) receiveCancel(now time.Time, key txn.Key, p Packet, req *gosip.Request) {
	s := l.serve(key, p)
	target := l.serverOf(key.Invite())
	if target == nil {
		l.refuse(now, s, p, 481)
		return
	}
	l.respond(now, s, l.plain(p, 200))
	if l.Phase == proceeding && target.Key == l.Accept.Server {
		l.refuseInvite(now, 487, "", nil)
		l.tell(Ended{Cause: Cancel, Reasons: reasonsOf(req)})
		l.close(now)
	}
}
