package ua

import (
	"sync/atomic"
	"time"
)

// Stats are totals since New, except Bindings and Connections, which are now.
type Stats struct {
	Received, Sent                uint64 // messages
	Malformed, Garbage            uint64 // answerable or not even SIP
	Strangers, Limited, Denied    uint64 // refused or dropped: unknown, too fast, wrong password
	Unmatched, InboxFull          uint64 // messages of no known Call-ID; Sinks without room
	SendErrors, Panics            uint64
	Refused400, Refused401, Other uint64 // answers given without a leg
	Handshakes                    uint64 // of TLS that failed
	LeftOut                       uint64 // calls that a partner has asked not to be sent
	Bindings, Connections         int
	Shed                          map[string]uint64    // new calls refused for want of time, by trunk; "" nobody's
	Waiting                       int                  // new calls that wait for their turn
	Overloaded                    bool                 // new calls are being refused
	Certificates                  map[string]time.Time // when each network's certificate expires
}

type counts struct {
	received, sent, malformed, garbage  atomic.Uint64
	strangers, limited, denied          atomic.Uint64
	unmatched, inboxFull                atomic.Uint64
	sendErrors, panics, handshakes      atomic.Uint64
	refused400, refused401, refusedElse atomic.Uint64
	leftOut                             atomic.Uint64
}

func (c *counts) refused(code int) {
	switch code {
	case 400:
		c.refused400.Add(1)
	case 401:
		c.refused401.Add(1)
	default:
		c.refusedElse.Add(1)
	}
}

// Stats may be called at any time.
func (u *UA) Stats() Stats {
	c := &u.counts
	shed, waiting, overloaded := u.gate.stats()
	return Stats{
		Shed: shed, Waiting: waiting, Overloaded: overloaded,
		Received: c.received.Load(), Sent: c.sent.Load(),
		Malformed: c.malformed.Load(), Garbage: c.garbage.Load(),
		Strangers: c.strangers.Load(), Limited: c.limited.Load(), Denied: c.denied.Load(),
		Unmatched: c.unmatched.Load(), InboxFull: c.inboxFull.Load(),
		SendErrors: c.sendErrors.Load(), Panics: c.panics.Load(),
		Refused400: c.refused400.Load(), Refused401: c.refused401.Load(), Other: c.refusedElse.Load(),
		LeftOut:    c.leftOut.Load(),
		Handshakes: c.handshakes.Load(), Certificates: u.keys.expiry(),
		Bindings: u.registrar.size(), Connections: u.conns.size(),
	}
}
