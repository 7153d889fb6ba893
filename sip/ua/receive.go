package ua

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/capture"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// inbound is one request on its way through the checks.
type inbound struct {
	message
	req    *gosip.Request
	method gosip.RequestMethod
	flow   leg.Flow
	conn   *conn // TCP only
	trunk  string
	known  bool             // a trunk, or the flow of a registered phone
	posted bool             // its call has it
	seen   *capture.Message // what is captured of it; nil: it is nobody's
	traced bool             // it was, and its answer is to be
}

func (in *inbound) callID() string { return in.echo.callID }

func (in *inbound) packet() leg.Packet { return leg.Packet{Msg: in.msg, Flow: in.flow, Kept: in.kept} }

// inDialog: the request names a dialog, or makes sense in one only.
func (in *inbound) inDialog() bool {
	switch in.method {
	case gosip.BYE, gosip.CANCEL, gosip.PRACK, gosip.UPDATE, gosip.INFO:
		return true
	}
	to := in.req.To()
	return to != nil && to.Params.Has("tag") // what has none is refused
}

// receive handles one message of a socket, in the order of the wire. ok is
// false when the bytes were not SIP at all.
func (u *UA) receive(h arrival, flow leg.Flow, c *conn) (ok bool) {
	switch u.gate.judge(&h, flow, c) {
	case stays:
		return true
	case begins:
		defer u.cfg.Turns.Give()
	}
	return u.take(h, flow, c)
}

// take reads and handles a message.
func (u *UA) take(h arrival, flow leg.Flow, c *conn) (ok bool) {
	defer u.survive()
	u.counts.received.Add(1)
	m, err := h.read()
	if err != nil {
		u.counts.garbage.Add(1)
		u.log.say(slog.LevelWarn, "not a SIP message", "network", flow.Network, "source", flow.Remote, "bytes",
			len(h.data))
		u.unnote(h.kept)
		return false
	}
	m.kept, m.counted = h.kept, h.counted
	if req, is := m.msg.(*gosip.Request); is {
		u.request(&inbound{message: m, req: req, method: req.Method, flow: flow, conn: c}, h.data)
	} else {
		u.response(m, flow, h.data)
	}
	return true
}

// admits says whether a source is heard on a network. One that is not gets no
// answer, whatever Strangers says, and nothing of what it sent is read.
func (u *UA) admits(network string, source netip.AddrPort) bool {
	if u.origins.Load().admits(network, source.Addr()) {
		return true
	}
	u.counts.strangers.Add(1)
	u.log.say(slog.LevelWarn, "source not allowed", "network", network, "source", source)
	return false
}

// survive keeps a reader alive when the handling of one message panics. The
// panic's value is not logged: it may hold a caller's data.
func (u *UA) survive() {
	if r := recover(); r != nil {
		u.counts.panics.Add(1)
		u.log.say(slog.LevelError, "panic while handling a message",
			"type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	}
}

// response: RFC 3261 §8.1.3.3, more than one Via is not for us; a malformed
// response is dropped, the transaction's timers see to the rest.
func (u *UA) response(m message, flow leg.Flow, data []byte) {
	if m.fault.code != 0 || len(m.echo.via) != 1 {
		u.malformed(flow, m.fault)
		u.unnote(m.kept)
		return
	}
	u.obeys(m.msg, flow)
	sink, ok := u.Sink(m.echo.callID)
	u.ended(m.echo.callID, m.msg.(*gosip.Response))
	u.told(m.echo.callID, flow.Network, m.msg)
	if !ok {
		u.unnote(m.kept)
	}
	if !ok && strings.HasPrefix(m.echo.callID, holdID) {
		return
	}
	if !ok {
		u.counts.unmatched.Add(1)
		u.orphaned(m.msg.(*gosip.Response), flow)
		return
	}
	u.traceResponse(m, flow, data, sink)
	p := leg.Packet{Msg: m.msg, Flow: flow, Kept: m.kept}
	if !u.waits(m.msg) {
		u.postResponse(sink, p)
		return
	}
	u.inTurn(flow.Network, m.echo.callID, m.msg, true, func() { u.postResponse(sink, p) })
}

func (u *UA) postResponse(sink Sink, p leg.Packet) {
	if !sink.Post(Inbound{Packet: p}) {
		u.counts.inboxFull.Add(1)
		u.unnote(p.Kept)
	}
}

func (u *UA) malformed(flow leg.Flow, f fault) {
	u.counts.malformed.Add(1)
	u.log.say(slog.LevelWarn, "malformed message", "network", flow.Network, "source", flow.Remote, "fault", f.phrase)
}

func (u *UA) request(in *inbound, data []byte) {
	if in.top != nil {
		stampVia(in.top, in.flow.Remote)
		in.echo.via[0] = header.Value(in.top)
	}
	in.trunk = cmp.Or(u.origins.Load().trunk(in.flow), u.origins.Load().registrar(in))
	in.known = in.trunk != "" || u.registrar.knows(in.flow)
	if in.known {
		in.prove()
		in.flow.Symmetric = in.trunk == "" // a phone is reached the way it came
	}
	_, bound := u.Sink(in.callID())
	u.see(in, data, bound)
	if !u.waits(in.msg) {
		u.handle(in)
		return
	}
	ask := in.fault.code == 0 && (in.known || bound)
	u.inTurn(in.flow.Network, in.callID(), in.msg, ask, func() { u.handle(in) })
}

// handle brings a request to its call, or to who answers it.
func (u *UA) handle(in *inbound) {
	if u.direct(in); !in.posted {
		u.unnote(in.kept)
	}
}

func (u *UA) direct(in *inbound) {
	switch sink, bound := u.sinkOf(in); {
	case in.fault.code != 0:
		u.refuseMalformed(in)
	case bound && !u.hears(in):
		u.stranger(in) // whoever has overheard a call's tags is not to end it
	case bound:
		in.prove()
		u.told(in.callID(), in.flow.Network, in.msg)
		u.post(sink, in)
	case in.method == gosip.ACK:
		u.traceRequest(in, nil)
		u.counts.unmatched.Add(1) // for an answer of ours that needed no state
	case !in.known && !in.counted && !u.limiter.take(u.cfg.Now(), in.flow.Remote.Addr(), 1):
		u.limited(in.flow)
	default:
		u.newcomer(in)
	}
}

// limited tells of a request that is not looked at: its source sends too many.
func (u *UA) limited(f leg.Flow) {
	u.counts.limited.Add(1)
	u.log.say(slog.LevelWarn, "too many requests", "network", f.Network, "source", f.Remote)
}

// prove lifts the limits on a TCP connection whose peer has shown who it is.
func (in *inbound) prove() {
	if in.conn != nil {
		in.conn.prove()
	}
}

// refuseMalformed answers where an answer may reach a caller's phone or PBX:
// known peers, and any source on a network where phones are at home.
func (u *UA) refuseMalformed(in *inbound) {
	u.malformed(in.flow, in.fault)
	if u.answers(in) {
		u.respond(in, say(in.fault.code, in.fault.phrase))
	}
}

// answers: known peers, and any source on a network where phones are at home.
func (u *UA) answers(in *inbound) bool {
	if in.known {
		return true
	}
	if !u.origins.Load().phones[in.flow.Network] && u.strangers(in) == Drop {
		u.counts.strangers.Add(1)
		return false
	}
	if !u.limiter.take(u.cfg.Now(), in.flow.Remote.Addr(), 1) {
		u.counts.limited.Add(1)
		return false
	}
	return true
}

// post hands a request to its call. Without room, UDP peers will send it again;
// on TCP they will not, and are told.
func (u *UA) post(sink Sink, in *inbound) {
	u.traceRequest(in, sink)
	if in.posted = sink.Post(Inbound{Packet: in.packet()}); in.posted {
		return
	}
	u.counts.inboxFull.Add(1)
	u.log.say(slog.LevelWarn, "inbox full", "network", in.flow.Network, "method", in.method)
	if in.conn != nil {
		u.respond(in, unavailable())
	}
}

// newcomer sorts the requests whose Call-ID belongs to nobody.
func (u *UA) newcomer(in *inbound) {
	switch {
	case in.method == gosip.REGISTER:
		u.register(in)
	case in.method == gosip.INVITE && !in.inDialog():
		u.invite(in)
	case in.method == gosip.SUBSCRIBE && !in.inDialog():
		u.subscribe(in)
	case !in.known:
		u.stranger(in)
	case in.inDialog(), in.method == gosip.NOTIFY:
		u.respond(in, noDialog()) // RFC 3261 §12.2.2; RFC 6665 §4.1.3: we subscribe to nothing
	case in.method == gosip.OPTIONS:
		u.options(in)
	default:
		u.respond(in, unwanted(in.method))
	}
}

// unwanted: RFC 3261 §8.2.1 for methods that we know and do not take outside of
// a dialog, §21.5.2 for those nobody here has heard of.
func unwanted(m gosip.RequestMethod) answer {
	switch m {
	case gosip.REFER:
		// outside of a call there is none to hand on, and it goes no further
		return say(gosip.StatusGlobalDecline, "Decline")
	case gosip.MESSAGE, gosip.PUBLISH:
		return notAllowed()
	}
	return say(gosip.StatusNotImplemented, "Not Implemented")
}

func (u *UA) stranger(in *inbound) {
	u.counts.strangers.Add(1)
	u.log.say(slog.LevelWarn, "stranger", "network", in.flow.Network, "source", in.flow.Remote, "method",
		method(in.method))
	if u.strangers(in) == Forbid {
		u.respond(in, say(gosip.StatusForbidden, "Forbidden"))
	}
}

// strangers is the policy of the network that a request came by.
func (u *UA) strangers(in *inbound) string {
	return u.origins.Load().said(in.flow.Network)
}

// method shortens what a stranger calls its method for the log.
func method(m gosip.RequestMethod) string { return string(m[:min(len(m), 16)]) }
