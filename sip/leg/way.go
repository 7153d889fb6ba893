package leg

import (
	"net/netip"
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/snapshot"
	"liandong/sip/txn"
)

// Hop is one way to a party: an address, or a name for ua to resolve.
type Hop struct {
	Flow   Flow   `cbor:",omitzero"`
	Target string `cbor:",omitzero"` // host:port, used when Flow.Remote is zero
}

// is says that two hops lead to the same place.
func (h Hop) is(o Hop) bool {
	if h.Flow.Transport != o.Flow.Transport || h.Flow.Remote != o.Flow.Remote {
		return false
	}
	return h.Flow.Remote.IsValid() || h.Target == o.Target
}

// way is where the requests of a dialog go by RFC 3261 §12.2.1.1: to the first route or
// the Contact, by the transport that it names. A phone is reached at the address its messages came from, as it may be
// behind NAT; one that is not and asks for TCP is reached at its Contact.
func (l *Leg) way(d *dialog.Dialog) Hop {
	came := Hop{l.Flow, l.Target}
	hop, transport := d.Hop()
	to, _ := netip.ParseAddrPort(hop) // a name is for ua to resolve
	switch {
	case hop == "":
		return came
	case l.Flow.Transport == "tls" && transport != "tls":
		return came // what began by TLS does not go on in the open, whatever the Contact says
	case l.Flow.Symmetric && (to.Addr() != l.Flow.Remote.Addr() || transport != "tcp" || l.Flow.Transport != "udp"):
		return came
	}
	flow := l.Flow
	flow.Symmetric = false
	if (transport == "udp" || transport == "tcp") && transport != flow.Transport {
		flow.Transport, flow.Local = transport, netip.AddrPort{}
	}
	flow.Remote = to
	return Hop{flow, hop}
}

// ways are all by which a request of a dialog may reach the party, the best first: a
// trunk's Contact that leads nowhere must not keep it from hearing ACK and BYE. Its
// message came from somewhere, its line has targets, and RFC 3263 §4.1 has UDP
// where there is no TCP. What began by TLS stays there.
func (l *Leg) ways(d *dialog.Dialog) []Hop {
	list := l.ownWays(d)
	if l.Flow.Symmetric || l.Flow.Transport == "tls" {
		return list
	}
	for _, h := range l.Others {
		list = addWay(list, h, true)
	}
	return list
}

// ownWays are those that lead to the party itself.
func (l *Leg) ownWays(d *dialog.Dialog) []Hop {
	came, connected := Hop{l.Flow, l.Target}, !l.Caller // who has connected to us listens elsewhere
	open := l.Flow.Transport != "tls"
	list := addWay(make([]Hop, 0, 4), l.way(d), open)
	list = addWay(list, came, open && !connected)
	if i := slices.IndexFunc(list, l.Proven.is); i > 0 {
		list[0], list[i] = list[i], list[0]
	}
	return list
}

// addWay adds a hop that is new, and the same by UDP, if it may be.
func addWay(list []Hop, h Hop, byUDP bool) []Hop {
	if !slices.ContainsFunc(list, h.is) {
		list = append(list, h)
	}
	if byUDP && h.Flow.Transport == "tcp" && !h.Flow.Symmetric {
		h.Flow.Transport, h.Flow.Local = "udp", netip.AddrPort{}
		return addWay(list, h, false)
	}
	return list
}

// best is the first of them.
func (l *Leg) best(d *dialog.Dialog) Hop {
	if l.Proven == (Hop{}) {
		return l.way(d)
	}
	return l.ownWays(d)[0]
}

// reroute sends a request of a dialog by its next way, as the transport could not by the
// last one; false: there is none.
func (l *Leg) reroute(now time.Time, c *client) bool {
	d, req := l.dialogBy(c), c.pending()
	if d == nil {
		return false
	}
	ways := l.ways(d)
	if c.Way++; c.Way >= len(ways) {
		return false
	}
	next := *c
	next.Flow, next.Target = ways[c.Way].Flow, ways[c.Way].Target
	next.Invite, next.Other = txn.ClientInvite{}, txn.Client{}
	again := l.rebuild(&next, req, nil)
	l.resent(c, &next, again)
	c.Invite.Abandon()
	c.Other.Abandon()
	l.start(now, &next, again)
	return true
}

// detour lets a copy of an unanswered request go by another way of the same transport, after
// two that have gone by the first: a Contact that swallows what it gets gives no error.
// Another target of the trunk is left out: it may answer 481 for one that is only slow.
func (l *Leg) detour(c *client) {
	d := l.dialogBy(c)
	if d == nil || c.pending() == nil {
		return
	}
	if c.Copies++; c.Copies < 2 {
		return
	}
	h, i := after(l.ownWays(d), c.Way, c.Flow.Transport)
	c.Way, c.Flow, c.Target = i, h.Flow, h.Target
}

// after is the next of the ways by a transport, and its place.
func after(ways []Hop, i int, transport string) (Hop, int) {
	for range ways {
		if i = (i + 1) % len(ways); ways[i].Flow.Transport == transport {
			break
		}
	}
	return ways[i], i
}

// prove notes by which way the party has answered when it was not by the first.
func (l *Leg) prove(c *client, from netip.AddrPort) {
	if c.Way > 0 && (c.Flow.Remote == from || !c.Flow.Remote.IsValid()) {
		l.Proven = Hop{c.Flow, c.Target}
	}
}

// ackBy sends the ACK of a 2xx by another way, with a Via for its transport.
func (l *Leg) ackBy(a *acked, i int, h Hop) {
	a.Way = i
	if h.Flow.Transport != a.Flow.Transport {
		a.Msg = snapshot.Keep(l.recast(a.Msg.Msg, h.Flow.Transport, 0, nil))
	}
	a.Flow, a.Target = h.Flow, h.Target
	l.put(a.Msg.Msg, a.Msg.Text(), a.Flow, a.Target)
}

// ackUnsent sends an ACK by its next way, as the transport could not by the last one.
func (l *Leg) ackUnsent(req *gosip.Request) {
	for _, c := range l.Clients {
		for i := range c.Acks {
			a := &c.Acks[i]
			if a.Msg.Msg.Via().Params.GetOr("branch", "") != req.Via().Params.GetOr("branch", "") {
				continue
			}
			if d := l.dialogTagged(a.Tag); d != nil {
				if ways := l.ways(d); a.Way+1 < len(ways) {
					l.ackBy(a, a.Way+1, ways[a.Way+1])
				}
			}
			return
		}
	}
}

// recast copies a request with a new Via, its CSeq number unless it is 0, and fields in the
// place of the headers that they name.
func (l *Leg) recast(old *gosip.Request, transport string, seq uint32, fields []header.Field) *gosip.Request {
	req := gosip.NewRequest(old.Method, old.Recipient)
	req.AppendHeader(l.newVia(transport))
	for _, h := range old.Headers() {
		switch h := h.(type) {
		case *gosip.ViaHeader, *gosip.ContentLengthHeader:
		case *gosip.CSeqHeader:
			if seq == 0 {
				seq = h.SeqNo
			}
			req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: h.MethodName})
		default:
			if !named(fields, h.Name()) {
				req.AppendHeader(h)
			}
		}
	}
	addFields(req, fields)
	header.SetBody(req, old.Body())
	return req
}
