package phone

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// CallOptions is what an INVITE says beside the number.
type CallOptions struct {
	Target   string   // Request-URI; the address called when empty
	From     string   // number or URI; our own user when empty
	Display  string   // of From
	PAI      []string // P-Asserted-Identity, each a URI or number
	Headers  []Header
	NoOffer  bool // INVITE without SDP: the peer offers, our ACK answers
	Reliable bool // Require: 100rel
}

// Call starts a call to a number or URI and returns at once; the call is then Calling.
func (p *Phone) Call(to string, o CallOptions) (*Call, error) {
	var c *Call
	var err error
	if e := p.do(func() { c, err = p.dial(p.uri(to), o) }); e != nil {
		return nil, e
	}
	return c, err
}

// uri makes a number into an address of our domain.
func (p *Phone) uri(to string) string {
	if _, uri, _ := cutAddr(to); strings.Contains(uri, ":") {
		return uri
	}
	return "sip:" + to + "@" + p.cfg.Domain
}

func (p *Phone) dial(uri string, o CallOptions) (*Call, error) {
	target, f := uri, flow{p.cfg.Transport, p.cfg.Server}
	if contact, at, ok := p.book.registeredAt(uri); ok {
		target, f.remote = contact, at
	} else if !f.remote.IsValid() {
		if f.remote, ok = uriAddr(uri); !ok {
			return nil, fmt.Errorf("phone: no address in %s and no server", uri)
		}
	}
	if o.Target != "" {
		target = o.Target
	}
	c := p.newCall(token()+"@"+p.addr.Addr().String(), true)
	c.flow, c.target, c.offered = f, target, !o.NoOffer
	c.localAddr = "<" + p.uri(cmp.Or(o.From, p.cfg.User, "anonymous")) + ">"
	if o.Display != "" {
		c.localAddr = fmt.Sprintf("%q %s", o.Display, c.localAddr)
	}
	c.remoteAddr = "<" + uri + ">"
	if err := c.open(); err != nil {
		c.end(Ending{Phrase: err.Error(), Local: true})
		return nil, err
	}
	c.sendInvite(c.firstInvite(o))
	return c, nil
}

func (c *Call) firstInvite(o CallOptions) *Message {
	p := c.phone
	m := c.dialog.request("INVITE", Header{"Contact", p.contact(c.flow.transport)}, Header{"Allow", allowed},
		Header{"Supported", "timer, 100rel"}, Header{"User-Agent", p.cfg.UserAgent})
	for _, pai := range o.PAI {
		m.add("P-Asserted-Identity", "<"+p.uri(pai)+">")
	}
	m.Headers = append(m.Headers, o.Headers...)
	if o.Reliable {
		m.add("Require", "100rel")
	}
	if d := p.cfg.SessionExpires; d > 0 {
		m.add("Session-Expires", fmt.Sprint(int(d/time.Second)))
	}
	if c.offered {
		m.add("Content-Type", "application/sdp")
		m.Body = c.offer()
	}
	return m
}

func (c *Call) sendInvite(m *Message) {
	c.mu.Lock()
	if c.invite == nil {
		c.invite = m
	}
	c.mu.Unlock()
	c.request0 = m
	c.client = c.phone.start(m, c.flow, c.inviteAnswered)
}

func (c *Call) inviteAnswered(res *Message) {
	switch {
	case res.Code < 200:
		c.progress(res)
	case res.Code < 300:
		c.accepted(res)
	case (res.Code == 401 || res.Code == 407) && c.tries < 2 && !c.cancelling:
		c.inviteAgain(res, func(m *Message) error {
			ch, err := c.phone.readChallenge(res)
			if err != nil {
				return err
			}
			return c.phone.sign(m, ch)
		})
	case res.Code == 422 && c.tries < 2 && !c.cancelling:
		// RFC 4028 §7.3: once more with the interval the peer can bear.
		c.inviteAgain(res, func(m *Message) error {
			m.set("Session-Expires", res.Get("Min-SE"))
			m.set("Min-SE", res.Get("Min-SE"))
			return nil
		})
	default:
		c.end(Ending{Code: res.Code, Phrase: res.Phrase, Local: c.cancelling, Reasons: res.All("Reason")})
	}
}

// inviteAgain sends the INVITE anew with the next CSeq (RFC 3261 §8.1.3.5).
func (c *Call) inviteAgain(res *Message, change func(*Message) error) {
	c.tries++
	c.cseq++
	m := c.request0.clone()
	m.set("CSeq", fmt.Sprintf("%d INVITE", c.cseq))
	if err := change(m); err != nil {
		c.end(Ending{Code: res.Code, Phrase: err.Error()})
		return
	}
	c.sendInvite(m)
}

// progress is a provisional response: it may make an early dialog, bring early media and want a PRACK.
func (c *Call) progress(res *Message) {
	if c.cancelling {
		c.sendCancel()
	}
	tag := tagOf(res.Get("To"))
	if res.Code == 100 || tag == "" || c.State() >= Confirmed {
		return
	}
	if c.remoteTag != tag {
		c.establish(res)
	}
	prack, fresh := c.needsPrack(res)
	if len(res.Body) > 0 && !c.taken && fresh {
		answer, err := c.negotiate(res.Body)
		if err == nil && answer != nil && prack != nil {
			prack.add("Content-Type", "application/sdp")
			prack.Body = answer
		}
		c.taken = err == nil
	}
	if prack != nil && fresh {
		c.phone.start(prack, c.hop(), func(*Message) {})
	}
	c.reach(Ringing)
}

// establish makes the dialog from a response (RFC 3261 §12.1.2).
func (c *Call) establish(res *Message) {
	c.remoteTag = tagOf(res.Get("To"))
	c.refresh(res)
	c.routes = nil
	for _, r := range res.All("Record-Route") {
		c.routes = append([]string{r}, c.routes...)
	}
}

// accepted is a 2xx: the first makes the call, a repeat gets its ACK again, another fork's is hung up.
func (c *Call) accepted(res *Message) {
	n, _ := res.CSeq()
	if ack := c.wins[n]; ack != nil && tagOf(ack.Get("To")) == tagOf(res.Get("To")) {
		c.phone.send(ack, c.hop(), true)
		return
	}
	if len(c.wins) > 0 || c.State() == Ended {
		c.dismiss(res)
		return
	}
	c.establish(res)
	var answer []byte
	var err error
	if len(res.Body) > 0 && !c.taken {
		answer, err = c.negotiate(res.Body)
	}
	c.taken = true
	c.acknowledge(res, answer)
	if err != nil {
		c.sendBye(nil, Ending{Code: 488, Phrase: err.Error(), Local: true})
		return
	}
	if c.cancelling {
		// RFC 3261 §9.1: the 200 crossed the CANCEL; the call stands and is hung up.
		c.sendBye(c.hangLater, Ending{Code: 487, Phrase: "cancelled, answered at the same time", Local: true})
		return
	}
	c.startSession(res, true)
	c.reach(Confirmed)
}

// acknowledge sends the ACK of a 2xx; body answers an offer that came in it.
func (c *Call) acknowledge(res *Message, body []byte) {
	n, _ := res.CSeq()
	d := c.dialog
	ack := d.request("ACK")
	ack.set("CSeq", fmt.Sprintf("%d ACK", n))
	if body != nil {
		ack.add("Content-Type", "application/sdp")
		ack.Body = body
	}
	f := c.hop()
	via := fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bK%s;rport", strings.ToUpper(f.transport), c.phone.viaHost(), token())
	ack.Headers = append([]Header{{"Via", via}}, ack.Headers...)
	c.wins[n] = ack
	c.phone.send(ack, f, false)
}

// dismiss ends a fork that answered too late (RFC 3261 §13.2.2.4): ACK, then BYE.
func (c *Call) dismiss(res *Message) {
	fork := &Call{phone: c.phone, flow: c.flow, dialog: c.dialog, wins: map[uint32]*Message{}}
	fork.establish(res)
	fork.acknowledge(res, nil)
	c.phone.start(fork.dialog.request("BYE"), fork.hop(), func(*Message) {})
}

func (c *Call) sendCancel() {
	if c.cancelled0 {
		return
	}
	c.cancelled0 = true
	c.client.cancel(c.hangLater)
	// RFC 3261 §9.1: without a final response within 64*T1 the INVITE is considered cancelled.
	c.giveUp = c.phone.after(64*c.phone.cfg.T1, func() {
		c.client.drop()
		c.end(Ending{Code: 487, Phrase: "cancelled, never answered", Local: true})
	})
}
