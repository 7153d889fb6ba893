package phone

import (
	"context"
	"fmt"
)

// request answers a request inside the call.
func (c *Call) request(tx *serverTx) {
	tx.call = c
	m := tx.request
	n, _ := m.CSeq()
	if n <= c.remoteCSeq {
		tx.respond(tx.reply(500, "CSeq Out Of Order")) // RFC 3261 §12.2.2
		return
	}
	c.remoteCSeq = n
	if c.State() == Ended && m.Method != "BYE" {
		tx.respond(tx.reply(481, "Call/Transaction Does Not Exist"))
		return
	}
	switch m.Method {
	case "BYE":
		c.byed(tx)
	case "INVITE":
		c.reinvited(tx)
	case "UPDATE":
		c.updated(tx)
	case "PRACK":
		c.pracked(tx)
	case "INFO":
		c.informed(tx)
	case "OPTIONS", "NOTIFY", "MESSAGE":
		tx.respond(tx.reply(200, "OK", Header{"Allow", allowed}, Header{"Accept", "application/sdp"}))
	case "REFER":
		tx.respond(tx.reply(603, "Decline"))
	default:
		tx.respond(tx.reply(405, "Method Not Allowed", Header{"Allow", allowed}))
	}
}

func (c *Call) byed(tx *serverTx) {
	tx.respond(tx.reply(200, "OK"))
	if c.unanswered() {
		c.server.respond(c.server.reply(487, "Request Terminated")) // RFC 3261 §15.1.2
	}
	c.end(Ending{Code: 200, Phrase: "peer hung up", Reasons: tx.request.All("Reason")})
}

// informed takes a key, or anything else, by INFO.
func (c *Call) informed(tx *serverTx) {
	m := tx.request
	if key := infoKey(m.Get("Content-Type"), string(m.Body)); key != "" {
		c.mu.Lock()
		c.info = append(c.info, key...)
		c.touch()
		c.mu.Unlock()
	}
	tx.respond(tx.reply(200, "OK"))
}

// ask sends a request inside the call; a challenge is answered once.
func (c *Call) ask(m *Message, answer func(*Message)) {
	tried := false
	var take func(*Message)
	take = func(res *Message) {
		if (res.Code == 401 || res.Code == 407) && !tried {
			tried = true
			ch, err := c.phone.readChallenge(res)
			if again := m.clone(); err == nil && c.phone.sign(again, ch) == nil {
				c.cseq++
				again.set("CSeq", fmt.Sprintf("%d %s", c.cseq, m.Method))
				c.phone.start(again, c.hop(), take)
				return
			}
		}
		if res.Code >= 200 || m.Method == "INVITE" {
			answer(res)
		}
	}
	c.phone.start(m, c.hop(), take)
}

// Request sends any request inside the call (INFO, OPTIONS, REFER, UPDATE …) and waits for its final response.
// A response of 300 or more comes back beside a *StatusError.
func (c *Call) Request(ctx context.Context, method string, headers []Header, body []byte) (*Message, error) {
	result := make(chan *Message, 1)
	err := c.order(func() error {
		if c.State() == Ended || c.remoteTag == "" {
			return fmt.Errorf("%w: no dialog for %s", ErrState, method)
		}
		m := c.dialog.request(method, headers...)
		m.Body = body
		c.ask(m, func(res *Message) { result <- res })
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case res := <-result:
		if res.Code >= 300 {
			return res, &StatusError{method, res.Code, res.Phrase}
		}
		return res, nil
	case <-c.phone.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("phone: %s: %w", method, context.Cause(ctx))
	}
}
