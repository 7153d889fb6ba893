package phone

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const allowed = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, NOTIFY"

// serverTx is a request of the peer's that we answer (RFC 3261 §17.2, RFC 6026). Owned by the loop.
type serverTx struct {
	p        *Phone
	key      string
	request  *Message
	flow     flow
	call     *Call // of an INVITE
	last     *Message
	interval time.Duration
	again    *timer
	limit    *timer
}

func serverKey(m *Message, method string) string {
	v := m.via()
	return v.branch + "|" + v.sentBy + "|" + method
}

// seen tells whether a message is one we already have.
func (p *Phone) seen(m *Message) bool {
	_, method := m.CSeq()
	if m.Code != 0 {
		tx := p.clients[m.via().branch+"|"+method]
		return tx != nil && tx.final != 0
	}
	return m.Method != "ACK" && p.servers[serverKey(m, m.Method)] != nil
}

// request takes a request in: a repeat gets the last response again, an ACK ends a refusal, the rest is new.
func (p *Phone) request(m *Message, f flow) {
	if m.Method == "ACK" {
		p.acked(m)
		return
	}
	key := serverKey(m, m.Method)
	if tx := p.servers[key]; tx != nil {
		if tx.last != nil {
			p.send(tx.last, tx.way(), true)
		}
		return
	}
	tx := &serverTx{p: p, key: key, request: m, flow: p.back(m, f), interval: p.cfg.T1}
	p.servers[key] = tx
	p.dispatch(tx)
}

// acked is an ACK: by branch to the INVITE we refused, or by dialog to the call whose 2xx it confirms.
func (p *Phone) acked(m *Message) {
	if tx := p.servers[serverKey(m, "INVITE")]; tx != nil && tx.last != nil && tx.last.Code >= 300 {
		tx.again.stop()
		return
	}
	if c := p.calls[callKey(m.Get("Call-ID"), tagOf(m.Get("To")))]; c != nil {
		c.acked(m)
	}
}

// back is where responses go: RFC 3581 with rport, otherwise RFC 3261 §18.2.2.
func (p *Phone) back(m *Message, f flow) flow {
	v := m.via()
	if f.transport != "udp" {
		return f
	}
	if _, ok := param(v.params, "rport"); ok {
		return f
	}
	if at, ok := hostPort(v.sentBy); ok && at.Port() != f.remote.Port() {
		return flow{f.transport, netip.AddrPortFrom(f.remote.Addr(), at.Port())}
	}
	return f
}

func (p *Phone) dispatch(tx *serverTx) {
	m := tx.request
	if m.Method == "CANCEL" {
		p.cancelled(tx)
		return
	}
	if m.Method == "NOTIFY" && p.watched[m.Get("Call-ID")] {
		tx.respond(tx.reply(200, "OK"))
		return
	}
	if tag := tagOf(m.Get("To")); tag != "" {
		c := p.calls[callKey(m.Get("Call-ID"), tag)]
		if c == nil {
			tx.respond(tx.reply(481, "Call/Transaction Does Not Exist"))
			return
		}
		c.request(tx)
		return
	}
	switch m.Method {
	case "INVITE":
		p.invited(tx)
	case "OPTIONS":
		tx.respond(tx.reply(200, "OK", Header{"Allow", allowed}, Header{"Accept", "application/sdp"},
			Header{"Supported", "timer, 100rel"}))
	case "REGISTER":
		p.registering(tx)
	default:
		tx.respond(tx.reply(405, "Method Not Allowed", Header{"Allow", allowed}))
	}
}

// cancelled answers a CANCEL and, if the call still rings, its INVITE (RFC 3261 §9.2).
func (p *Phone) cancelled(tx *serverTx) {
	invite := p.servers[serverKey(tx.request, "INVITE")]
	if invite == nil {
		tx.respond(tx.reply(481, "Call/Transaction Does Not Exist"))
		return
	}
	tx.respond(tx.reply(200, "OK"))
	if invite.call != nil && (invite.last == nil || invite.last.Code < 200) {
		invite.call.cancelled(invite, tx.request)
	}
}

// reply is a response to a request with its Vias, From, To, Call-ID and CSeq; toTag is added to a To that has none.
func reply(req *Message, code int, phrase, toTag string, headers ...Header) *Message {
	res := &Message{Code: code, Phrase: phrase}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		for _, h := range req.Headers {
			if !strings.EqualFold(h.Name, name) {
				continue
			}
			if name == "To" && toTag != "" && tagOf(h.Value) == "" && code != 100 {
				h.Value += ";tag=" + toTag
			}
			res.add(name, h.Value)
		}
	}
	for _, h := range req.Headers {
		if h.Name == "Record-Route" && code > 100 && code < 300 {
			res.Headers = append(res.Headers, h)
		}
	}
	res.Headers = append(res.Headers, headers...)
	return res
}

// reply also writes received and rport into the topmost Via (RFC 3581 §4).
func (tx *serverTx) reply(code int, phrase string, headers ...Header) *Message {
	tag := token()
	if tx.call != nil {
		tag = tx.call.localTag
	}
	headers = append(headers, Header{"User-Agent", tx.p.cfg.UserAgent})
	res := reply(tx.request, code, phrase, tag, headers...)
	via := splitList(res.Headers[0].Value)
	top := strings.Replace(via[0]+";", ";rport;", fmt.Sprintf(";rport=%d;", tx.flow.remote.Port()), 1)
	via[0] = strings.TrimSuffix(top, ";") + ";received=" + tx.flow.remote.Addr().String()
	res.Headers[0].Value = strings.Join(via, ", ")
	return res
}

// respond sends a response and keeps it for repeats; a refusal of an INVITE goes on until its ACK (timer G and H).
func (tx *serverTx) respond(res *Message) {
	tx.last = res
	tx.p.send(res, tx.way(), false)
	if res.Code < 200 {
		return
	}
	tx.limit = tx.p.after(64*tx.p.cfg.T1, tx.drop)
	if tx.request.Method == "INVITE" && res.Code >= 300 && tx.flow.transport == "udp" {
		tx.again = tx.p.after(tx.interval, tx.repeat)
	}
}

// way is where a response goes now: on the connection of its request, and if that is no more to where the topmost Via
// says (RFC 3261 §18.2.2).
func (tx *serverTx) way() flow {
	at, ok := hostPort(tx.request.via().sentBy)
	if tx.flow.transport == "udp" || tx.p.conns[tx.flow.remote] != nil || !ok {
		return tx.flow
	}
	return flow{tx.flow.transport, netip.AddrPortFrom(tx.flow.remote.Addr(), at.Port())}
}

func (tx *serverTx) repeat() {
	tx.p.send(tx.last, tx.way(), true)
	tx.interval = min(2*tx.interval, 8*tx.p.cfg.T1)
	tx.again = tx.p.after(tx.interval, tx.repeat)
}

func (tx *serverTx) drop() {
	tx.again.stop()
	delete(tx.p.servers, tx.key)
}
