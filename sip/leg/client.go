package leg

import (
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/txn"
)

// client is a request of ours under way.
type client struct {
	ID       clientID            `cbor:",omitzero"`
	Method   gosip.RequestMethod `cbor:",omitzero"`
	Branch   string              `cbor:",omitzero"`
	Seq      uint32              `cbor:",omitzero"`
	Flow     Flow                `cbor:",omitzero"`
	Target   string              `cbor:",omitzero"`
	InDialog bool                `cbor:",omitzero"` // false: it is the first INVITE, or its CANCEL
	Tag      string              `cbor:",omitzero"` // the party's of that dialog
	Way      int                 `cbor:",omitzero"` // which of the dialog's ways Flow and Target are
	Copies   int                 `cbor:",omitzero"` // sent again, without an answer

	Invite txn.ClientInvite `cbor:",omitzero"` // of an INVITE
	Other  txn.Client       `cbor:",omitzero"` // of anything else
	Cancel cancelling       `cbor:",omitzero"` // of an INVITE
	Acks   []acked          `cbor:",omitzero"` // of an INVITE
	Proofs []header.Field   `cbor:",omitzero"` // of an INVITE: its credentials, for the ACK

	Tries  int      `cbor:",omitzero"` // sent again for a challenge or a longer session interval
	Proved []string `cbor:",omitzero"` // the credentials in it, by the names of their headers

	For      purpose `cbor:",omitzero"` // what takes the final response, every 2xx of an INVITE among them
	Referral uint32  `cbor:",omitzero"` // of a NOTIFY: the REFER that it is about
	Last     bool    `cbor:",omitzero"` // and that it is the last one
}

// clientID tells the requests of a leg apart, in the order of their sending. 0: none.
type clientID uint32

// purpose is what a request of ours is for.
type purpose uint8

const (
	toEnd          purpose = iota // CANCEL, BYE, PRACK: nothing depends on the outcome
	toCall                        // the first INVITE
	toModify                      // a Modify's re-INVITE
	toShowIdentity                // a ConnectedIdentity's UPDATE or re-INVITE
	toRefresh                     // the session timer's
	toNotify                      // of a REFER
	toProbe                       // a Probe's OPTIONS or UPDATE
)

// outcome is how a request ended. Without a response it is one of our own
// making: 408 when none came, 503 when the request could not be sent.
type outcome struct {
	code int
	res  *gosip.Response
	req  *gosip.Request // that res answers
}

func (o outcome) ok() bool { return o.code/100 == 2 }

// start sends a request in a transaction of its own.
func (l *Leg) start(now time.Time, c *client, req *gosip.Request) {
	l.Begun++
	c.ID = l.Begun
	c.Method = req.Method
	c.Branch = req.Via().Params.GetOr("branch", "")
	c.Seq = req.CSeq().SeqNo
	l.Clients = append(l.Clients, c)
	if c.Method == gosip.INVITE {
		l.step(now, c, c.Invite.Start(now, l.timing(c.Flow), req), outcome{})
	} else {
		l.step(now, c, c.Other.Start(now, l.timing(c.Flow), req), outcome{})
	}
}

// pending is the request until its final response.
func (c *client) pending() *gosip.Request {
	if c.Method == gosip.INVITE {
		return c.Invite.Req.Msg
	}
	return c.Other.Req.Msg
}

// request begins a request in a dialog: everything up to the part that the
// method decides. nil: the other side has given us an address that is none, and
// cannot be reached.
func (l *Leg) request(method gosip.RequestMethod, d *dialog.Dialog) (*client, *gosip.Request) {
	to := l.best(d)
	req, err := d.Request(method, d.Next(), l.newVia(to.Flow.Transport))
	if err != nil {
		return nil, nil
	}
	return &client{Flow: to.Flow, Target: to.Target, InDialog: true, Tag: d.RemoteTag}, req
}

// move follows a phone that is reached the way it came. A request that waits
// for its response, and a response to an INVITE that waits for its ACK, is
// repeated by the new way too, as long as the transport is the one that its Via
// names.
func (l *Leg) move(f Flow) {
	if !l.Flow.Symmetric || !f.Remote.IsValid() {
		return
	}
	l.Flow.Transport, l.Flow.Local, l.Flow.Remote = f.Transport, f.Local, f.Remote
	for _, c := range l.Clients {
		if c.Flow.Symmetric && c.Flow.Transport == f.Transport {
			c.Flow.Local, c.Flow.Remote = f.Local, f.Remote
		}
	}
	for _, s := range l.Servers {
		if s.Key.Method == gosip.INVITE && s.Flow.Symmetric && s.Flow.Transport == f.Transport {
			s.Flow.Local, s.Flow.Remote = f.Local, f.Remote
		}
	}
}

func (l *Leg) timing(f Flow) txn.Timing {
	return txn.Timing{T1: l.cfg.T1, T2: l.cfg.T2, T4: l.cfg.T4, Reliable: !strings.EqualFold(f.Transport, "udp")}
}

// step carries out what a machine wants; o is the response that it was given.
func (l *Leg) step(now time.Time, c *client, s txn.Step, o outcome) {
	if s.Send != nil {
		l.put(s.Send, s.Text, c.Flow, c.Target)
	}
	switch {
	case s.Timeout:
		l.finish(now, c, outcome{code: 408})
	case !s.Deliver:
	case o.res.IsProvisional():
		l.provisional(now, c, o.res)
	case c.Method == gosip.INVITE && o.res.IsSuccess():
		l.acceptedBy(now, c, o)
	default:
		l.finish(now, c, o)
	}
}

// finish gives a final outcome to the act, unless the request can be sent
// again in a form that the other side will take.
func (l *Leg) finish(now time.Time, c *client, o outcome) {
	c.Cancel.GiveUp = time.Time{}
	if o.res == nil || !l.again(now, c, o) {
		l.concluded(now, c, o)
	}
	c.Cancel = cancelling{}
}

// concluded tells the act.
func (l *Leg) concluded(now time.Time, c *client, o outcome) {
	switch c.For {
	case toCall:
		l.inviteRefused(now, c, o)
	case toModify:
		l.modified(now, c, o)
	case toShowIdentity:
		l.identityShown(now, c, o)
	case toRefresh:
		l.refreshed(now, c, o)
	case toNotify:
		l.noticed(c, o)
	case toProbe:
		l.probed(now, c, o)
	}
}

func (l *Leg) receiveResponse(now time.Time, p Packet, res *gosip.Response) {
	c := l.clientOf(res)
	if c == nil {
		return
	}
	l.provesAlive(res.StatusCode)
	l.prove(c, p.Flow.Remote)
	if !c.Flow.Remote.IsValid() {
		// RFC 3261 §9.1: a CANCEL goes where the INVITE went, whatever a name
		// resolves to by then.
		c.Flow.Remote = p.Flow.Remote
	}
	if !l.Flow.Remote.IsValid() {
		l.Flow.Remote = p.Flow.Remote
	}
	if c.ID == l.Invite.Client {
		l.Invite.Patience = time.Time{}
	}
	o := outcome{code: res.StatusCode, res: res, req: c.pending()}
	if c.Method == gosip.INVITE {
		l.step(now, c, c.Invite.Receive(now, res), o)
	} else {
		l.step(now, c, c.Other.Receive(now, res), o)
	}
}

// client finds a request that is under way; nil: it is not.
func (l *Leg) client(id clientID) *client {
	for _, c := range l.Clients {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// clientOf finds the transaction by branch and method (RFC 3261 §17.1.3).
func (l *Leg) clientOf(m gosip.Message) *client {
	via, seq := m.Via(), m.CSeq()
	if via == nil || seq == nil {
		return nil
	}
	branch, _ := via.Params.Get("branch")
	method := gosip.RequestMethod(strings.TrimSpace(string(seq.MethodName)))
	for _, c := range l.Clients {
		if c.Branch == branch && c.Method == method {
			return c
		}
	}
	return nil
}

// unsendable ends a request that the transport could not send.
func (l *Leg) unsendable(now time.Time, req *gosip.Request) {
	if req.Method == gosip.ACK {
		l.ackUnsent(req)
		return
	}
	c := l.clientOf(req)
	if c == nil || c.pending() == nil || l.reroute(now, c) {
		return // a copy of something finished, or there is another way
	}
	c.Invite.Abandon()
	c.Other.Abandon()
	l.finish(now, c, outcome{code: 503})
}

func (l *Leg) tickClient(now time.Time, c *client) {
	if due(c.Cancel.GiveUp, now) {
		// RFC 3261 §9.1: "If there is no final response for the original
		// request in 64*T1 seconds", the client should consider it cancelled
		c.Invite.Abandon()
		l.finish(now, c, outcome{code: 408})
		return
	}
	if due(c.Cancel.Patience, now) {
		l.cancel(now, c, nil)
	}
	if c.Method == gosip.INVITE {
		if at, ok := c.Invite.Deadline(); ok && due(at, now) {
			l.detour(c)
			l.step(now, c, c.Invite.Tick(now), outcome{})
		}
	} else if at, ok := c.Other.Deadline(); ok && due(at, now) {
		l.detour(c)
		l.step(now, c, c.Other.Tick(now), outcome{})
	}
}

func (c *client) deadline() (time.Time, bool) {
	var d deadline
	d.at(c.Cancel.GiveUp)
	d.at(c.Cancel.Patience)
	if c.Method == gosip.INVITE {
		d.any(c.Invite.Deadline())
	} else {
		d.any(c.Other.Deadline())
	}
	return time.Time(d), !time.Time(d).IsZero()
}

func (c *client) terminated() bool {
	if c.Method == gosip.INVITE {
		return c.Invite.State == txn.Terminated
	}
	return c.Other.State == txn.Terminated
}

// dialogBy is the dialog that a request is part of; nil: none any more.
func (l *Leg) dialogBy(c *client) *dialog.Dialog {
	if !c.InDialog {
		return nil
	}
	return l.dialogTagged(c.Tag)
}

// dialogTagged is the dialog with that tag of the party's.
func (l *Leg) dialogTagged(tag string) *dialog.Dialog {
	for _, f := range l.Invite.Forks {
		if f.Dialog.RemoteTag == tag {
			return &f.Dialog
		}
	}
	if tag == l.Dialog.RemoteTag {
		return &l.Dialog
	}
	return nil
}

// sweep drops finished transactions.
func (l *Leg) sweep() {
	l.Clients = kept(l.Clients)
	l.Servers = kept(l.Servers)
	if l.Phase != calling && l.Invite.Client != 0 && l.client(l.Invite.Client) == nil {
		l.Invite = inviting{Credentials: l.Invite.Credentials} // no fork can answer any more
	}
}

func kept[T interface{ terminated() bool }](list []T) []T {
	n := 0
	for _, x := range list {
		if !x.terminated() {
			list[n] = x
			n++
		}
	}
	clear(list[n:])
	return list[:n]
}
