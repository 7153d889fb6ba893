package leg

import (
	"net/netip"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// client is a request of ours under way.
type client struct {
	method gosip.RequestMethod
	branch string
	seq    uint32
	req    *gosip.Request // until a final response
	flow   Flow
	target string
	dialog *dialog.Dialog // that the request is part of; nil: it is the first INVITE

	invite txn.ClientInvite // of an INVITE
	other  txn.Client       // of anything else
	cancel cancelling       // of an INVITE
	acks   []acked          // of an INVITE
	proofs []gosip.Header   // of an INVITE: its credentials, for the ACK

	tries  int  // sent again for a challenge or a longer session interval
	authed bool // a challenge has been answered
	// final takes the final response, every 2xx of an INVITE among them.
	final func(*Leg, time.Time, *client, outcome)
}

// outcome is how a request ended. Without a response it is one of our own
// making: 408 when none came, 503 when the request could not be sent.
type outcome struct {
	code int
	res  *gosip.Response
}

func (o outcome) ok() bool { return o.code/100 == 2 }

// start sends a request in a transaction of its own.
func (l *Leg) start(now time.Time, c *client) {
	c.method = c.req.Method
	c.branch = c.req.Via().Params.GetOr("branch", "")
	c.seq = c.req.CSeq().SeqNo
	c.req.SetTransport(strings.ToUpper(c.flow.Transport))
	l.clients = append(l.clients, c)
	if c.method == gosip.INVITE {
		l.step(now, c, c.invite.Start(now, l.timing(c.flow), c.req), nil)
	} else {
		l.step(now, c, c.other.Start(now, l.timing(c.flow), c.req), nil)
	}
}

// request begins a request in a dialog: everything up to the part that the
// method decides. nil: the other side has given us an address that is none, and
// cannot be reached.
func (l *Leg) request(method gosip.RequestMethod, d *dialog.Dialog) *client {
	flow, target := l.way(d)
	req, err := d.Request(method, d.Next(), l.newVia(flow.Transport))
	if err != nil {
		return nil
	}
	return &client{req: req, flow: flow, target: target, dialog: d}
}

// way is where the requests of a dialog go.
func (l *Leg) way(d *dialog.Dialog) (Flow, string) {
	hop, transport := d.Hop()
	if l.flow.Symmetric || hop == "" {
		return l.flow, l.target
	}
	if l.flow.Transport == "tls" && transport != "tls" {
		return l.flow, l.target // what began by TLS does not go on in the open, whatever the Contact says
	}
	flow := l.flow
	if (transport == "udp" || transport == "tcp") && transport != flow.Transport {
		flow.Transport, flow.Local = transport, netip.AddrPort{}
	}
	flow.Remote, _ = netip.ParseAddrPort(hop) // a name is for ua to resolve
	return flow, hop
}

// move follows a phone that is reached the way it came. A request that waits
// for its response is repeated by the new way too, as long as the transport is
// the one that its Via names.
func (l *Leg) move(f Flow) {
	if !l.flow.Symmetric || !f.Remote.IsValid() {
		return
	}
	l.flow.Transport, l.flow.Local, l.flow.Remote = f.Transport, f.Local, f.Remote
	for _, c := range l.clients {
		if c.flow.Symmetric && c.flow.Transport == f.Transport {
			c.flow.Local, c.flow.Remote = f.Local, f.Remote
		}
	}
}

func (l *Leg) timing(f Flow) txn.Timing {
	return txn.Timing{T1: l.cfg.T1, T2: l.cfg.T2, T4: l.cfg.T4, Reliable: !strings.EqualFold(f.Transport, "udp")}
}

// step carries out what a machine wants; res is the response it was given.
func (l *Leg) step(now time.Time, c *client, s txn.Step, res *gosip.Response) {
	if s.Send != nil {
		l.put(s.Send, c.flow, c.target)
	}
	switch {
	case s.Timeout:
		l.finish(now, c, outcome{code: 408})
	case !s.Deliver:
	case res.IsProvisional():
		l.provisional(now, c, res)
	case c.method == gosip.INVITE && res.IsSuccess():
		l.acceptedBy(now, c, res)
	default:
		l.finish(now, c, outcome{code: res.StatusCode, res: res})
	}
}

// finish gives a final outcome to the act, unless the request can be sent
// again in a form that the other side will take.
func (l *Leg) finish(now time.Time, c *client, o outcome) {
	c.cancel.giveUp = time.Time{}
	if o.res == nil || !l.again(now, c, o.res) {
		if c.final != nil {
			c.final(l, now, c, o)
		}
	}
	c.req, c.cancel = nil, cancelling{}
}

func (l *Leg) receiveResponse(now time.Time, p Packet, res *gosip.Response) {
	c := l.clientOf(res)
	if c == nil {
		return
	}
	if !c.flow.Remote.IsValid() {
		// RFC 3261 §9.1: a CANCEL goes where the INVITE went, whatever a name
		// resolves to by then.
		c.flow.Remote = p.Flow.Remote
	}
	if !l.flow.Remote.IsValid() {
		l.flow.Remote = p.Flow.Remote
	}
	if c == l.invite.client {
		l.invite.patience = time.Time{}
	}
	if c.method == gosip.INVITE {
		l.step(now, c, c.invite.Receive(now, res), res)
	} else {
		l.step(now, c, c.other.Receive(now, res), res)
	}
}

// clientOf finds the transaction by branch and method (RFC 3261 §17.1.3).
func (l *Leg) clientOf(m gosip.Message) *client {
	via, seq := m.Via(), m.CSeq()
	if via == nil || seq == nil {
		return nil
	}
	branch, _ := via.Params.Get("branch")
	method := gosip.RequestMethod(strings.TrimSpace(string(seq.MethodName)))
	for _, c := range l.clients {
		if c.branch == branch && c.method == method {
			return c
		}
	}
	return nil
}

// unsendable ends a request that the transport could not send.
func (l *Leg) unsendable(now time.Time, req *gosip.Request) {
	c := l.clientOf(req)
	if c == nil || c.req == nil {
		return // an ACK, or a copy of something finished
	}
	c.invite.Abandon()
	c.other.Abandon()
	l.finish(now, c, outcome{code: 503})
}

func (l *Leg) tickClient(now time.Time, c *client) {
	if due(c.cancel.giveUp, now) {
		// RFC 3261 §9.1: "If there is no final response for the original
		// request in 64*T1 seconds", the client should consider it cancelled
		c.invite.Abandon()
		l.finish(now, c, outcome{code: 408})
		return
	}
	if due(c.cancel.patience, now) {
		l.cancel(now, c, nil)
	}
	if c.method == gosip.INVITE {
		if at, ok := c.invite.Deadline(); ok && due(at, now) {
			l.step(now, c, c.invite.Tick(now), nil)
		}
	} else if at, ok := c.other.Deadline(); ok && due(at, now) {
		l.step(now, c, c.other.Tick(now), nil)
	}
}

func (c *client) deadline() (time.Time, bool) {
	var d deadline
	d.at(c.cancel.giveUp)
	d.at(c.cancel.patience)
	if c.method == gosip.INVITE {
		d.any(c.invite.Deadline())
	} else {
		d.any(c.other.Deadline())
	}
	return time.Time(d), !time.Time(d).IsZero()
}

func (c *client) terminated() bool {
	if c.method == gosip.INVITE {
		return c.invite.State() == txn.Terminated
	}
	return c.other.State() == txn.Terminated
}

// again sends a refused request once more with what the refusal asks for: an
// answer to its challenge, or a longer session interval.
func (l *Leg) again(now time.Time, c *client, res *gosip.Response) bool {
	if c.req == nil || c.tries >= 4 || (l.phase == over && c.method != gosip.BYE) {
		return false
	}
	next := *c
	next.authed = c.authed || res.StatusCode == 401 || res.StatusCode == 407
	var fields []header.Field
	switch res.StatusCode {
	case 401, 407:
		if c.authed {
			return false // refused with an answer: it is not going to like it better
		}
		fields = l.credentials(c, res)
	case 422:
		fields = l.longer(c, res)
	case 488, 606:
		if fields = l.inTheOpen(c); fields != nil {
			next.authed = false // its answer to a challenge was for the INVITE that was refused
		}
	}
	if fields == nil {
		return false
	}
	next.invite, next.other, next.acks = txn.ClientInvite{}, txn.Client{}, nil
	next.cancel = cancelling{patience: c.cancel.patience}
	next.tries++
	next.req = l.rebuild(c, fields)
	if res.StatusCode == 488 || res.StatusCode == 606 {
		next.req.SetBody(l.media.offer(true))
	}
	l.resent(c, &next)
	l.start(now, &next)
	return true
}

// inTheOpen says that a first INVITE which was refused for its SRTP may be sent
// again without, as far as SRTP was only preferred; nil: it may not.
func (l *Leg) inTheOpen(c *client) []header.Field {
	if c != l.invite.client || l.invite.delayed || l.media.local.Protection != sdp.Preferred || l.media.local.Profile != sdp.Secure {
		return nil
	}
	l.media.opened = true
	return []header.Field{}
}

// rebuild copies a request with a new Via and CSeq, replacing the headers that
// fields name.
func (l *Leg) rebuild(c *client, fields []header.Field) *gosip.Request {
	old := c.req
	req := gosip.NewRequest(old.Method, old.Recipient)
	req.AppendHeader(l.newVia(c.flow.Transport))
	for _, h := range old.Headers() {
		switch h := h.(type) {
		case *gosip.ViaHeader, *gosip.ContentLengthHeader:
		case *gosip.CSeqHeader:
			req.AppendHeader(&gosip.CSeqHeader{SeqNo: l.nextSeq(c), MethodName: h.MethodName})
		default:
			if !named(fields, h.Name()) {
				req.AppendHeader(h)
			}
		}
	}
	addFields(req, fields)
	req.SetBody(old.Body())
	return req
}

func (l *Leg) nextSeq(c *client) uint32 {
	if c.dialog == nil {
		return c.seq + 1 // the first INVITE: there is no dialog yet
	}
	return c.dialog.Next()
}

func named(fields []header.Field, name string) bool {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// resent lets the acts that wait for a client wait for the one that takes its
// place.
func (l *Leg) resent(old, next *client) {
	if l.invite.client == old {
		l.invite.client = next
		// early dialogs of the refused INVITE went with it
		l.invite.forks = nil
		l.invite.half.LocalSeq = next.req.CSeq().SeqNo
	}
	if l.notice == old {
		l.notice = next
	}
	if l.modify.client == old {
		l.modify.client = next
	}
}

// sweep drops finished transactions.
func (l *Leg) sweep() {
	l.clients = kept(l.clients)
	l.servers = kept(l.servers)
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
