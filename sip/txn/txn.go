// Package txn is the four transaction machines of SIP: what to resend and
// when, what is new to the user of the transaction and what is a copy, and
// when to give up (RFC 3261 §17, RFC 6026).
//
// A machine is a plain value without clock, socket or lock, and what is written of it
// (package snapshot) goes on where it stood. Each input (a
// message, a response to send, the time) gives a Step: what to put on the wire
// and what to tell upwards. A finished machine holds only what it may have to
// send again, never the request it began with.
package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// Timing is the timers' base. Immutable.
type Timing struct {
	T1, T2, T4 time.Duration `cbor:",omitzero"` // RFC 3261 §17.1.1.1: 500 ms, 4 s, 5 s
	Reliable   bool          `cbor:",omitzero"` // TCP: nothing is retransmitted, copies are not waited for
}

// Life is how long a transaction waits for the other side: timers B, F, H, L, M.
func (t Timing) Life() time.Duration { return 64 * t.T1 }

// Step is what a machine wants done after one input. The zero Step is nothing.
type Step struct {
	Send    gosip.Message  // put on the wire; nil: nothing
	Text    *snapshot.Text // of Send
	Deliver bool           // the message given in is for the user of the transaction
	Timeout bool           // the other side never answered: the transaction is over
}

// send puts a message on the wire.
func send[M gosip.Message](m snapshot.Message[M]) Step { return Step{Send: m.Msg, Text: m.Text()} }

// State is where a transaction stands. Not every machine knows every state.
type State uint8

// The states of RFC 3261 §17 and, for an INVITE answered by 2xx, RFC 6026.
const (
	Idle State = iota
	Calling
	Trying
	Proceeding
	Accepted
	Completed
	Confirmed
	Terminated
)

func (s State) String() string {
	return [...]string{"idle", "calling", "trying", "proceeding", "accepted", "completed", "confirmed", "terminated"}[s]
}

// core is what the machines have in common: the state and the timers.
type core struct {
	Timing   Timing        `cbor:",omitzero"`
	State    State         `cbor:",omitzero"` // where the transaction stands
	Interval time.Duration `cbor:",omitzero"`
	Resend   time.Time     `cbor:",omitzero"` // timers A, E, G
	End      time.Time     `cbor:",omitzero"` // the others: until when it waits
}

// Deadline is when Tick wants to be called.
func (c *core) Deadline() (time.Time, bool) { return earliest(c.Resend, c.End) }

// over is the machine at its end, without a timer.
func (c *core) over() core { return core{Timing: c.Timing, State: Terminated} }

// keepSending starts the timer of the copies: there are none on TCP.
func (c *core) keepSending(now time.Time) {
	if !c.Timing.Reliable {
		c.sendAgain(now, c.Timing.T1)
	}
}

// sendAgain sets it to the next copy.
func (c *core) sendAgain(now time.Time, interval time.Duration) {
	c.Interval, c.Resend = interval, now.Add(interval)
}

// earliest is the sooner of two timers, of which zero is one that does not run.
func earliest(a, b time.Time) (time.Time, bool) {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		a = b
	}
	return a, !a.IsZero()
}

// due says whether a timer runs and has come.
func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }
