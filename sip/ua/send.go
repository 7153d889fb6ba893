package ua

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
)

// outgoing is one message on its way out, already in bytes.
type outgoing struct {
	packet leg.Packet // Msg nil: an answer of our own, nobody waits for an error
	callID string
	data   []byte
	plain  []byte // the same for UDP, where TCP is only tried
	to     netip.AddrPort
}

// Send puts a message on the wire without blocking: UDP at once, TCP into the
// queue of its connection, a name only after it is resolved. A message that
// cannot be sent comes back to the Sink of its Call-ID with Err.
func (u *UA) Send(p leg.Packet) {
	o := outgoing{packet: p, data: p.Bytes()}
	if id := p.Msg.CallID(); id != nil {
		o.callID = id.Value()
	}
	remote := p.Flow.Remote
	if res, ok := p.Msg.(*gosip.Response); ok && !remote.IsValid() {
		remote = answerTo(res.Via(), remote)
	}
	if remote.IsValid() {
		o.to = unmap(remote)
		u.dispatch(o)
		return
	}
	u.resolver.resolve(p.Flow.Network, p.Flow.Transport, p.Target, func(to netip.AddrPort, err error) {
		if err != nil {
			u.failed(o, err)
			return
		}
		o.to = to
		u.dispatch(o)
	})
}

// dispatch chooses the transport. RFC 3261 §18.1.1: a request over the MTU goes
// by TCP; where the peer has none it goes whole by UDP.
func (u *UA) dispatch(o outgoing) {
	if u.silent() || u.leftOut(o) {
		return
	}
	u.controlled(&o)
	u.wentTo(o.callID, o.packet.Flow.Network, o.to.Addr(), o.packet.Msg)
	req, isRequest := o.packet.Msg.(*gosip.Request)
	switch {
	case o.packet.Flow.Transport == "tcp", o.packet.Flow.Transport == "tls":
		u.sendTCP(o, u.cfg.DialTimeout)
	case isRequest && len(o.data) > u.cfg.MTU && u.tryTCP(&o, req):
		u.sendTCP(o, u.cfg.ProbeTimeout)
	default:
		u.sendUDP(o)
	}
}

// tryTCP prepares an oversized request for TCP unless the peer lately had none.
// The Via must name the transport that carries it.
func (u *UA) tryTCP(o *outgoing, req *gosip.Request) bool {
	network := o.packet.Flow.Network
	local, ok := u.Local(network, "tcp")
	if !ok || req.Via() == nil || u.reach.refused(u.cfg.Now(), connKey{network: network, remote: o.to}) {
		return false
	}
	host, port, err := readHostPort(local.ViaHost)
	if err != nil {
		return false
	}
	o.plain, o.data = o.data, header.Bytes(viaBy(req, "TCP", host, port))
	return true
}

// silent: what is to be sent is lost on the way, as it were.
func (u *UA) silent() bool { return u.cfg.Silent != nil && u.cfg.Silent() }

func (u *UA) sendUDP(o outgoing) {
	c := u.udp[o.packet.Flow.Network]
	if c == nil {
		u.failed(o, ErrNoTransport)
		return
	}
	if o.packet.Msg != nil {
		local, _ := u.Addr(o.packet.Flow.Network, "udp")
		u.traceSent(o, "udp", local, nil)
	}
	if _, err := c.WriteToUDPAddrPort(o.data, o.to); err != nil {
		u.failed(o, fmt.Errorf("%w: %w", ErrUnreachable, err))
		return
	}
	u.counts.sent.Add(1)
}

// sendTCP, also by TLS, uses the connection to that very address, or makes one. An answer
// whose connection is gone goes to the port of its Via (RFC 3261 §18.2.2).
func (u *UA) sendTCP(o outgoing, patience time.Duration) {
	key := connKey{o.packet.Flow.Network, o.to, o.packet.Flow.Transport == "tls"}
	if res, ok := o.packet.Msg.(*gosip.Response); ok && res.Via() != nil && u.conns.get(key) == nil {
		o.to = netip.AddrPortFrom(o.to.Addr(), viaPort(res.Via()))
		key.remote = o.to
	}
	c, err := u.connTo(key, o, patience)
	if err == nil {
		err = c.push(o)
	}
	if err != nil {
		u.undelivered(o, err)
	}
}

// undelivered is for messages that TCP did not take: they go by UDP if they may.
func (u *UA) undelivered(o outgoing, err error) {
	if o.plain == nil {
		o.plain = u.byUDP(o)
	}
	if o.plain == nil || u.ctx.Err() != nil {
		u.failed(o, err)
		return
	}
	o.data, o.plain = o.plain, nil
	u.sendUDP(o)
}

// byUDP is a request of a call for UDP, when its connection is gone or cannot be made (RFC 3263 §4.1); nil: it is not
// to go so. A phone is reached by its connection alone, and for an INVITE that begins a call the failure is to be known
// at once.
func (u *UA) byUDP(o outgoing) []byte {
	flow := o.packet.Flow
	req, ok := o.packet.Msg.(*gosip.Request)
	local, has := u.Local(flow.Network, "udp")
	if !ok || !has || flow.Transport != "tcp" || flow.Symmetric || req.Via() == nil {
		return nil
	}
	if inDialog := req.To() != nil && req.To().Params.Has("tag"); !inDialog && req.Method != gosip.CANCEL {
		return nil
	}
	host, port, err := readHostPort(local.ViaHost)
	if err != nil {
		return nil
	}
	return header.Bytes(viaBy(req, "UDP", host, port))
}

// viaBy is a request as another transport carries it: the Via must name that.
func viaBy(req *gosip.Request, transport, host string, port int) *gosip.Request {
	moved := req.Clone()
	via := moved.Via()
	via.Transport, via.Host, via.Port = transport, host, port
	return moved
}

// failed tells the message's call: RFC 3261 §8.1.3.1, §18.4.
func (u *UA) failed(o outgoing, err error) {
	if u.ctx.Err() != nil {
		return // Stop: nothing is posted any more
	}
	u.counts.sendErrors.Add(1)
	u.log.say(slog.LevelWarn, "message not sent", "network", o.packet.Flow.Network, "to", o.to, "error", err)
	if o.packet.Msg == nil {
		return
	}
	u.traceSent(o, o.packet.Flow.Transport, netip.AddrPort{}, err)
	defer u.survive()
	if s, ok := u.Sink(o.callID); ok {
		s.Post(Inbound{Packet: o.packet, Err: err})
	}
}

// sendBack returns an answer of our own the way its request came.
func (u *UA) sendBack(in *inbound, data []byte) {
	if u.silent() {
		return
	}
	o := outgoing{packet: leg.Packet{Flow: in.flow}, data: data, to: in.flow.Remote}
	if in.conn == nil && in.top != nil && !in.flow.Symmetric {
		o.to = answerTo(in.top, in.flow.Remote)
	}
	u.traceAnswer(in, o)
	if in.conn != nil {
		if err := in.conn.push(o); err != nil {
			u.failed(o, err)
		}
		return
	}
	u.sendUDP(o)
}

// reach remembers which peers would not take TCP, so that not every oversized
// request waits for a connection that never comes.
type reach struct {
	mu   sync.Mutex
	none map[connKey]time.Time // guarded by mu
}

const (
	reachLife = 10 * time.Minute
	maxReach  = 1024
)

func newReach() *reach { return &reach{none: map[connKey]time.Time{}} }

func (r *reach) refused(now time.Time, k connKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.none[k]
	return ok && now.Sub(at) < reachLife
}

func (r *reach) refuse(now time.Time, k connKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.none) >= maxReach {
		clear(r.none)
	}
	r.none[k] = now
}
