package phone

import (
	"fmt"
	"strings"
	"time"
)

// clientTx is a request of ours on its way (RFC 3261 §17.1). Owned by the loop.
type clientTx struct {
	p        *Phone
	key      string
	request  *Message
	flow     flow
	answer   func(*Message) // each response once; every 2xx to an INVITE, repeats too (RFC 6026)
	interval time.Duration
	again    *timer
	limit    *timer
	proceed  bool
	final    int
	ack      *Message // to a refusal of an INVITE
}

// start sends a request as a new transaction; answer runs in the loop, at last with a 408 or 503 of our own making.
func (p *Phone) start(req *Message, f flow, answer func(*Message)) *clientTx {
	branch := "z9hG4bK" + token()
	via := fmt.Sprintf("SIP/2.0/%s %s;branch=%s;rport", strings.ToUpper(f.transport), p.viaHost(), branch)
	req.Headers = append([]Header{{"Via", via}}, req.Headers...)
	tx := &clientTx{p: p, key: branch + "|" + req.Method, request: req, flow: f, answer: answer, interval: p.cfg.T1}
	p.clients[tx.key] = tx
	tx.limit = p.after(64*p.cfg.T1, func() { tx.fail(408, "Request Timeout") })
	if err := p.send(req, f, false); err != nil {
		p.log.Info("cannot send", "method", req.Method, "to", f.remote, "err", err)
		tx.limit.stop()
		tx.limit = p.after(0, func() { tx.fail(503, "Service Unavailable") })
		return tx
	}
	if f.transport == "udp" {
		tx.again = p.after(tx.interval, tx.repeat)
	}
	return tx
}

// repeat is timer A or E.
func (tx *clientTx) repeat() {
	tx.p.send(tx.request, tx.flow, true)
	tx.interval *= 2
	if tx.request.Method != "INVITE" {
		tx.interval = min(tx.interval, 8*tx.p.cfg.T1) // T2
	}
	tx.again = tx.p.after(tx.interval, tx.repeat)
}

// fail ends the transaction with a response that nobody sent (RFC 3261 §8.1.3.1).
func (tx *clientTx) fail(code int, phrase string) {
	tx.drop()
	tx.answer(reply(tx.request, code, phrase, ""))
}

func (tx *clientTx) drop() {
	tx.again.stop()
	tx.limit.stop()
	delete(tx.p.clients, tx.key)
}

// response finds the transaction by branch and method; a 2xx whose transaction is gone goes nowhere.
func (p *Phone) response(m *Message) {
	_, method := m.CSeq()
	if tx := p.clients[m.via().branch+"|"+method]; tx != nil {
		tx.receive(m)
	}
}

func (tx *clientTx) receive(m *Message) {
	if m.Code < 200 {
		tx.provisional(m)
		return
	}
	invite := tx.request.Method == "INVITE"
	if tx.final != 0 {
		switch {
		case invite && m.Code < 300 && tx.final < 300:
			tx.answer(m)
		case tx.ack != nil:
			tx.p.send(tx.ack, tx.flow, true)
		}
		return
	}
	tx.final = m.Code
	tx.again.stop()
	tx.limit.stop()
	tx.limit = tx.p.after(64*tx.p.cfg.T1, tx.drop)
	if invite && m.Code >= 300 {
		tx.ack = ackRefusal(tx.request, m)
		tx.p.send(tx.ack, tx.flow, false)
	}
	tx.answer(m)
}

func (tx *clientTx) provisional(m *Message) {
	if tx.final != 0 {
		return
	}
	if tx.request.Method == "INVITE" {
		// RFC 3261 §17.1.1.2: once it proceeds it is not sent again and does not time out.
		tx.again.stop()
		tx.limit.stop()
	} else if !tx.proceed && tx.flow.transport == "udp" {
		tx.again.stop()
		tx.interval = 8 * tx.p.cfg.T1
		tx.again = tx.p.after(tx.interval, tx.repeat)
	}
	tx.proceed = true
	tx.answer(m)
}

// ackRefusal is the ACK of RFC 3261 §17.1.1.3: same Via, To of the response.
func ackRefusal(invite, res *Message) *Message {
	n, _ := invite.CSeq()
	ack := &Message{Method: "ACK", URI: invite.URI}
	ack.add("Via", invite.Get("Via"))
	for _, h := range invite.Headers {
		if h.Name == "Route" {
			ack.add("Route", h.Value)
		}
	}
	ack.add("Max-Forwards", "70")
	ack.add("From", invite.Get("From"))
	ack.add("To", res.Get("To"))
	ack.add("Call-ID", invite.Get("Call-ID"))
	ack.add("CSeq", fmt.Sprintf("%d ACK", n))
	return ack
}

// cancel is the CANCEL of RFC 3261 §9.1 for an INVITE that has had a provisional response.
func (tx *clientTx) cancel(reasons []Header) {
	n, _ := tx.request.CSeq()
	req := ackRefusal(tx.request, tx.request)
	req.Method = "CANCEL"
	req.set("CSeq", fmt.Sprintf("%d CANCEL", n))
	req.Headers = append(req.Headers, reasons...)
	// The CANCEL has the branch of its INVITE, so it starts here and not in start.
	c := &clientTx{p: tx.p, key: tx.request.via().branch + "|CANCEL", request: req, flow: tx.flow,
		answer: func(*Message) {}, interval: tx.p.cfg.T1}
	tx.p.clients[c.key] = c
	c.limit = tx.p.after(64*tx.p.cfg.T1, func() { c.fail(408, "Request Timeout") })
	tx.p.send(req, tx.flow, false)
	if tx.flow.transport == "udp" {
		c.again = tx.p.after(c.interval, c.repeat)
	}
}
