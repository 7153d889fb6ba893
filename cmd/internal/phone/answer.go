package phone

import (
	"fmt"
	"strings"
	"time"
)

// Policy is what a phone does with an incoming call by itself. The zero Policy sends 180 and waits for orders.
type Policy struct {
	Action      Action
	After       time.Duration // before Answer or Refuse
	Code        int           // of Refuse
	Phrase      string
	Early       bool          // 183 with SDP and sound instead of 180
	Reliable    bool          // provisional responses with 100rel where the caller can (RFC 3262)
	HangUpAfter time.Duration // after the call is confirmed; zero: never
}

// Action is the outcome a Policy leads to.
type Action int

// Ring waits for orders, Answer and Refuse come after Policy.After, Mute sends only 100 Trying.
const (
	Ring Action = iota
	Answer
	Refuse
	Mute
)

// AnswerAfter rings and answers.
func AnswerAfter(d time.Duration) Policy { return Policy{Action: Answer, After: d} }

// RefuseWith answers at once with a final response.
func RefuseWith(code int, phrase string) Policy {
	return Policy{Action: Refuse, Code: code, Phrase: phrase}
}

// Busy answers 486.
func Busy() Policy { return RefuseWith(486, "Busy Here") }

// Decline answers 603.
func Decline() Policy { return RefuseWith(603, "Decline") }

// NeverAnswer rings for ever.
func NeverAnswer() Policy { return Policy{} }

// HangUp adds a hang-up d after the call is confirmed.
func (p Policy) HangUp(d time.Duration) Policy { p.HangUpAfter = d; return p }

// invited is an INVITE outside every call.
func (p *Phone) invited(tx *serverTx) {
	m := tx.request
	for _, need := range m.All("Require") {
		if need != "" && need != "100rel" && need != "timer" {
			tx.respond(tx.reply(420, "Bad Extension", Header{"Unsupported", need}))
			return
		}
	}
	c := p.newCall(m.Get("Call-ID"), false)
	c.flow, c.server, c.policy = tx.flow, tx, p.policy
	tx.call = c
	c.localAddr, c.remoteAddr, c.remoteTag = bare(m.Get("To")), bare(m.Get("From")), tagOf(m.Get("From"))
	c.remoteCSeq, _ = m.CSeq()
	c.routes = m.All("Record-Route")
	c.refresh(m)
	c.mu.Lock()
	c.invite = m
	c.mu.Unlock()
	tx.respond(tx.reply(100, "Trying"))
	if err := c.open(); err != nil {
		c.refuse(500, "Server Internal Error")
		return
	}
	if len(m.Body) > 0 {
		if r, err := parseSDP(m.Body); err != nil || p.agrees(r) != nil {
			c.refuse(488, "Not Acceptable Here")
			return
		}
	}
	select {
	case p.incoming <- c:
	default:
	}
	c.follow()
}

// follow does what the policy says.
func (c *Call) follow() {
	switch c.policy.Action {
	case Mute:
	case Refuse:
		if c.policy.After == 0 {
			c.refuse(c.policy.Code, c.policy.Phrase)
			return
		}
		c.ring()
		c.phone.after(c.policy.After, func() { c.refuse(c.policy.Code, c.policy.Phrase) })
	case Answer:
		c.ring()
		if c.policy.After == 0 && c.rack.pending == nil {
			c.answer()
			return
		}
		c.phone.after(c.policy.After, c.answer)
	default:
		c.ring()
	}
}

// ring sends 180, or 183 with our answer and sound.
func (c *Call) ring() {
	res := c.server.reply(180, "Ringing", c.ours()...)
	if c.policy.Early && len(c.server.request.Body) > 0 {
		if body, err := c.negotiate(c.server.request.Body); err == nil {
			c.taken = true
			res.Code, res.Phrase, res.Body = 183, "Session Progress", body
			res.add("Content-Type", "application/sdp")
		}
	}
	if c.policy.Reliable && c.peerCan("100rel") || c.required("100rel") {
		c.sendReliable(res)
	} else {
		c.server.respond(res)
	}
	c.reach(Ringing)
}

func (c *Call) ours() []Header {
	return []Header{{"Contact", c.phone.contact(c.server.flow.transport)}, {"Allow", allowed},
		{"Supported", "timer, 100rel"}}
}

func (c *Call) required(option string) bool {
	return strings.Contains(c.server.request.Get("Require"), option)
}

func (c *Call) peerCan(option string) bool {
	return strings.Contains(strings.Join(c.server.request.All("Supported"), ","), option) || c.required(option)
}

// unanswered tells whether the call is the peer's and still without a final response.
func (c *Call) unanswered() bool {
	return !c.Outgoing && !c.answered && c.State() < Confirmed
}

// Answer answers an incoming call.
func (c *Call) Answer() error {
	return c.order(func() error {
		if !c.unanswered() {
			return fmt.Errorf("%w: cannot answer", ErrState)
		}
		c.answer()
		return nil
	})
}

// Reject refuses an incoming call with a final response, 300 to 699.
func (c *Call) Reject(code int, phrase string) error {
	return c.order(func() error {
		if !c.unanswered() {
			return fmt.Errorf("%w: cannot reject", ErrState)
		}
		c.refuse(code, phrase)
		return nil
	})
}

// order runs fn in the loop and gives its error.
func (c *Call) order(fn func() error) (err error) {
	if e := c.phone.do(func() { err = fn() }); e != nil {
		return e
	}
	return err
}

func (c *Call) refuse(code int, phrase string) {
	if !c.unanswered() {
		return
	}
	c.server.respond(c.server.reply(code, phrase))
	c.end(Ending{Code: code, Phrase: phrase, Local: true})
}

func (c *Call) answer() {
	if !c.unanswered() {
		return
	}
	if c.rack.pending != nil {
		// RFC 3262 §3: no 2xx while a reliable provisional with SDP waits for its PRACK.
		c.rack.then = c.answer
		return
	}
	res, err := c.okay(c.server)
	if err != nil {
		c.refuse(488, "Not Acceptable Here")
		return
	}
	c.answered = true
	c.startSession(c.server.request, false)
	c.untilAcked(res)
}

// okay is the 200 to an INVITE: answer, or an offer of ours, or nothing when the SDP is settled.
func (c *Call) okay(tx *serverTx) (*Message, error) {
	res := tx.reply(200, "OK", c.ours()...)
	var body []byte
	switch {
	case len(tx.request.Body) == 0:
		body = c.offer()
		c.taken = false
	case !c.taken:
		var err error
		if body, err = c.negotiate(tx.request.Body); err != nil {
			return nil, err
		}
		c.taken = true
	}
	if body != nil {
		res.add("Content-Type", "application/sdp")
		res.Body = body
	}
	c.addSession(res, tx.request)
	return res, nil
}

// untilAcked repeats a 2xx until its ACK, over every transport (RFC 3261 §13.3.1.4), and hangs up without one.
func (c *Call) untilAcked(res *Message) {
	tx, interval := c.server, c.phone.cfg.T1
	tx.respond(res)
	var again func()
	again = func() {
		c.phone.send(res, tx.way(), true)
		interval = min(2*interval, 8*c.phone.cfg.T1)
		c.resend = c.phone.after(interval, again)
	}
	c.resend = c.phone.after(interval, again)
	c.giveUp = c.phone.after(64*c.phone.cfg.T1, func() {
		c.resend.stop()
		c.server = nil
		c.sendBye(nil, Ending{Code: 408, Phrase: "no ACK", Local: true})
	})
}

// acked is the ACK of our 2xx.
func (c *Call) acked(m *Message) {
	if c.server == nil || c.State() == Ended {
		return
	}
	want, _ := c.server.request.CSeq()
	if n, _ := m.CSeq(); n != want {
		return
	}
	c.resend.stop()
	c.giveUp.stop()
	c.server = nil
	if !c.taken && len(m.Body) > 0 {
		if _, err := c.negotiate(m.Body); err != nil {
			c.sendBye(nil, Ending{Code: 488, Phrase: err.Error(), Local: true})
			return
		}
		c.taken = true
	}
	first := c.State() < Confirmed
	c.reach(Confirmed)
	if c.hanging {
		c.sendBye(c.hangLater, Ending{Code: 200, Phrase: "hung up", Local: true})
	} else if first && c.policy.HangUpAfter > 0 {
		c.phone.after(c.policy.HangUpAfter, func() { c.hangUp(nil) })
	}
}

// cancelled is the peer's CANCEL of an INVITE without final response.
func (c *Call) cancelled(invite *serverTx, cancel *Message) {
	invite.respond(invite.reply(487, "Request Terminated"))
	if !c.unanswered() {
		c.server = nil // a re-INVITE; the call goes on
		return
	}
	c.end(Ending{Code: 487, Phrase: "cancelled", Reasons: cancel.All("Reason")})
}
