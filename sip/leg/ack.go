package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/txn"
)

// acked is an ACK that we have sent for a 2xx, kept as long as copies of the
// 2xx may come.
type acked struct {
	tag    string
	packet Packet
}

// ack acknowledges a 2xx. RFC 3261 §13.2.2.4: a request in the dialog, with
// the CSeq number of the INVITE and its credentials, outside any transaction.
// It carries the answer when the 2xx carried the offer.
func (l *Leg) ack(c *client, d *dialog.Dialog, tag string, answer []byte) {
	flow, target := l.way(d)
	req, err := d.Request(gosip.ACK, c.seq, l.newVia(flow.Transport))
	if err != nil {
		return // the party's address is none: its 2xx goes unanswered and it will hang up
	}
	for _, h := range c.proofs {
		req.AppendHeader(h)
	}
	l.sign(req, "User-Agent")
	addBody(req, mediaSDP, answer)
	req.SetTransport(transportName(flow))
	c.acks = append(c.acks, acked{tag: tag, packet: Packet{Msg: req, Flow: flow, Target: target}})
	l.put(req, flow, target)
}

// keepProofs lets go of an INVITE that has been accepted, but for what its ACKs
// have to repeat.
func (c *client) keepProofs() {
	if c.req == nil {
		return
	}
	for _, name := range [...]string{"authorization", "proxy-authorization"} {
		c.proofs = append(c.proofs, c.req.GetHeaders(name)...)
	}
	c.req = nil
}

// ackAgain answers a copy of a 2xx. RFC 3261 §13.2.2.4: "The ACK MUST be passed
// to the client transport every time a retransmission of the 2xx final response
// that triggered the ACK arrives."
func (l *Leg) ackAgain(c *client, tag string) bool {
	for i := range c.acks {
		if c.acks[i].tag == tag {
			l.out.Packets = append(l.out.Packets, c.acks[i].packet)
			return true
		}
	}
	return false
}

// acceptance is a 2xx of ours to an INVITE, resent until its ACK comes
// (RFC 3261 §13.3.1.4).
type acceptance struct {
	seq         uint32
	server      *server
	res         *gosip.Response
	offered     bool // it carries our offer, the ACK has to carry the answer
	interval    time.Duration
	resend, end time.Time
}

// accepted sends a 2xx and begins to wait for its ACK.
func (l *Leg) accepted(now time.Time, s *server, res *gosip.Response, offered bool) {
	l.respond(now, s, res)
	// "The 2xx response is passed to the transport with an interval that starts
	// at T1 seconds and doubles for each retransmission until it reaches T2",
	// over reliable transports too: there may be a datagram hop further on.
	l.unacked = append(l.unacked, acceptance{
		seq: res.CSeq().SeqNo, server: s, res: res, offered: offered,
		interval: l.cfg.T1, resend: now.Add(l.cfg.T1), end: now.Add(l.life()),
	})
}

func (l *Leg) tickUnacked(now time.Time) {
	for i := 0; i < len(l.unacked); i++ {
		a := &l.unacked[i]
		switch {
		case due(a.end, now):
			l.unacked = append(l.unacked[:i], l.unacked[i+1:]...)
			l.neverAcked(now)
			i--
		case due(a.resend, now):
			a.interval = min(2*a.interval, l.cfg.T2)
			a.resend = now.Add(a.interval)
			l.put(a.res, a.server.flow, "")
		}
	}
}

// neverAcked: RFC 3261 §13.3.1.4: "If the server retransmits the 2xx response
// for 64*T1 seconds without receiving an ACK, the dialog is confirmed, but the
// session SHOULD be terminated. This is accomplished with a BYE".
func (l *Leg) neverAcked(now time.Time) {
	if l.phase == talking {
		l.tell(Ended{Cause: Timeout})
		l.closeWithBye(now, reasonField(408, "ACK Timeout"))
		return
	}
	l.byeIfDeferred(now)
}

// receiveAck takes an ACK: it belongs to a refusal of ours by its branch, or
// to a 2xx by its dialog.
func (l *Leg) receiveAck(now time.Time, key txn.Key, req *gosip.Request) {
	if s := l.serverOf(key); s != nil && s.invite.State() != txn.Accepted {
		s.invite.Receive(now, req)
		return
	}
	if !l.dialog.Matches(req) || req.CSeq() == nil {
		return
	}
	for i, a := range l.unacked {
		if a.seq == req.CSeq().SeqNo {
			l.unacked = append(l.unacked[:i], l.unacked[i+1:]...)
			l.acknowledged(now, a, req)
			return
		}
	}
}

func (l *Leg) acknowledged(now time.Time, a acceptance, req *gosip.Request) {
	if l.phase != talking {
		l.byeIfDeferred(now)
		return
	}
	if !a.offered {
		return
	}
	body, err := bodyOf(req)
	if err == nil && body != nil {
		err = l.takeAnswer(body, false)
	} else {
		err = errMedia
	}
	// A re-INVITE that ends without an answer leaves the session as it was.
	if err != nil && !l.media.known {
		l.tell(Ended{Cause: NoMedia})
		l.closeWithBye(now, reasonField(488, phraseOf(488)))
	}
}
