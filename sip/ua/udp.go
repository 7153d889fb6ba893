package ua

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"liandong/sip/leg"
)

const maxMessage = 65535 // bytes, a UDP datagram and our limit for TCP

// readUDP is the only reader of its socket, so that messages keep their order. It takes a message when the one before
// is handled: what lies in the socket outlives this process, what has been taken does not.
func (u *UA) readUDP(network string, c *net.UDPConn) {
	buf, control := make([]byte, maxMessage), make([]byte, 64)
	local, _ := u.Addr(network, "udp")
	flow := leg.Flow{Network: network, Transport: "udp", Local: local}
	stampArrivals(c)
	since := time.Now() // what the process before has not read did not wait for us
	for !u.leaving.Load() {
		n, told, _, from, err := c.ReadMsgUDPAddrPort(buf, control)
		if err == nil {
			flow.Remote = unmap(from)
			u.datagram(buf[:n], flow, arrived(control[:told]), since)
			continue
		}
		if errors.Is(err, net.ErrClosed) || u.leaving.Load() || !u.pause(10*time.Millisecond) {
			return
		}
		u.log.say(slog.LevelError, "UDP read", "network", network, "error", err)
	}
}

// datagram handles one, which came at a time by the wall clock; zero: it is not known.
func (u *UA) datagram(data []byte, flow leg.Flow, at, since time.Time) {
	if !u.admits(flow.Network, flow.Remote) || keepAlive(data) {
		return
	}
	h := arrival{data: data}
	if !at.IsZero() {
		h.waited = max(0, min(time.Since(at), time.Since(since)))
	}
	u.receive(h, flow, nil)
}

// keepAlive: phones hold their NAT's door open with CRLF or with zero bytes.
// RFC 5626 §4.4.2 answers neither on UDP.
func keepAlive(b []byte) bool {
	for _, c := range b {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

// pause waits so that a lasting error does not spin; false once stopped.
func (u *UA) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-u.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
