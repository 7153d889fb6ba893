// Package txn is the four transaction machines of SIP: what to resend and
// when, what is new to the user of the transaction and what is a copy, and
// when to give up (RFC 3261 §17, RFC 6026).
//
// A machine is a plain value without clock, socket or lock. Each input (a
// message, a response to send, the time) gives a Step: what to put on the wire
// and what to tell upwards. A finished machine holds only what it may have to
// send again, never the request it began with.
package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Timing is the timers' base. Immutable.
type Timing struct {
	T1, T2, T4 time.Duration // RFC 3261 §17.1.1.1: 500 ms, 4 s, 5 s
	Reliable   bool          // TCP: nothing is retransmitted, copies are not waited for
}

// Life is how long a transaction waits for the other side: timers B, F, H, L, M.
func (t Timing) Life() time.Duration { return 64 * t.T1 }

// Step is what a machine wants done after one input. The zero Step is nothing.
type Step struct {
	Send    gosip.Message // put on the wire; nil: nothing
	Deliver bool          // the message given in is for the user of the transaction
	Timeout bool          // the other side never answered: the transaction is over
}

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
	timing   Timing
	state    State
	interval time.Duration
	resend   time.Time // timers A, E, G
	end      time.Time // the others: until when it waits
}

// State is where the transaction stands.
func (c *core) State() State { return c.state }

// Deadline is when Tick wants to be called.
func (c *core) Deadline() (time.Time, bool) { return earliest(c.resend, c.end) }

// over is the machine at its end, without a timer.
func (c *core) over() core { return core{timing: c.timing, state: Terminated} }

// keepSending starts the timer of the copies: there are none on TCP.
func (c *core) keepSending(now time.Time) {
	if !c.timing.Reliable {
		c.sendAgain(now, c.timing.T1)
	}
}

// sendAgain sets it to the next copy.
func (c *core) sendAgain(now time.Time, interval time.Duration) {
	c.interval, c.resend = interval, now.Add(interval)
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
