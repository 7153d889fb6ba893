package ua

import (
	"net/netip"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/capture"
	"liandong/sip/leg"
)

// Called is a Sink that is a call: its messages are captured.
type Called interface {
	Ref() string
}

// refOf is the call that a sink is.
func refOf(s Sink) (ref string, ok bool) {
	if c, is := s.(Called); is {
		return c.Ref(), true
	}
	return "", false
}

// see takes down a request that may be of a call, while its bytes are there.
func (u *UA) see(in *inbound, data []byte, bound bool) {
	if u.cfg.Trace != nil && (bound || in.method == gosip.INVITE || in.known && in.method == gosip.ACK) {
		m := u.seen(in.callID(), in.flow, data)
		in.seen = &m
	}
}

// traceRequest captures a request of a call. An INVITE of somebody known, and what follows from it, is kept before it
// is known to which call it comes: it may be asked for a password first.
func (u *UA) traceRequest(in *inbound, s Sink) {
	if in.seen == nil || in.traced {
		return
	}
	ref, ok := refOf(s)
	if !ok && (s != nil || !in.known || in.method != gosip.INVITE && in.method != gosip.ACK) {
		return
	}
	in.traced, in.seen.Ref = true, ref
	u.cfg.Trace(*in.seen)
}

// traceAnswer captures an answer that is given without a leg.
func (u *UA) traceAnswer(in *inbound, o outgoing) {
	if u.traceRequest(in, nil); !in.traced {
		return
	}
	m := u.seen(in.callID(), in.flow, o.data)
	m.Out, m.Ref, m.Remote = true, in.seen.Ref, o.to
	u.cfg.Trace(m)
}

// traceSent captures what a call sends, before it goes: its answer comes after it. A new call may answer before it is
// known whose its Call-ID is.
func (u *UA) traceSent(o outgoing, transport string, local netip.AddrPort, fault error) {
	if u.cfg.Trace == nil || o.packet.Msg == nil {
		return
	}
	s, _ := u.Sink(o.callID)
	place, begins := s.(*reserved)
	if _, ok := refOf(s); !ok && !begins {
		return
	}
	flow := leg.Flow{Network: o.packet.Flow.Network, Transport: transport, Local: local, Remote: o.to}
	m := u.seen(o.callID, flow, o.data)
	if m.Out = true; fault != nil {
		m.Fault = fault.Error()
	}
	if begins && u.holds(place, m) {
		return
	} else if begins {
		s, _ = u.Sink(o.callID) // meanwhile it is known
	}
	m.Ref, _ = refOf(s)
	u.cfg.Trace(m)
}

// traceResponse captures a response to a call.
func (u *UA) traceResponse(m message, flow leg.Flow, data []byte, s Sink) {
	if u.cfg.Trace == nil {
		return
	}
	if ref, ok := refOf(s); ok {
		t := u.seen(m.echo.callID, flow, data)
		t.Ref = ref
		u.cfg.Trace(t)
	}
}

func (u *UA) seen(callID string, flow leg.Flow, text []byte) capture.Message {
	return capture.Message{
		At: time.Now(), CallID: callID, Network: flow.Network, Transport: flow.Transport,
		Local: u.seenAt(flow.Network, flow.Local), Remote: flow.Remote, Text: capture.Masked(text),
	}
}

// seenAt is an address of ours as others see it: a socket may be bound to all there are.
func (u *UA) seenAt(network string, local netip.AddrPort) netip.AddrPort {
	if !local.Addr().IsUnspecified() {
		return local
	}
	if ip, ok := hostIP(u.cfg.Networks[network].Advertise); ok {
		return netip.AddrPortFrom(ip, local.Port())
	}
	return local
}
