package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// ServerInvite answers an INVITE and its copies, and resends a refusal until
// it is acknowledged (RFC 3261 §17.2.1, RFC 6026 §7.1). A 2xx is resent by the
// user of the transaction, end to end (RFC 3261 §13.3.1.4), not by the machine.
type ServerInvite struct {
	core                 // resend: timer G; end: H, I or L
	last *gosip.Response // what a copy of the INVITE is answered with
}

// Start takes the INVITE; the user sends 100 at once by Respond.
func (t *ServerInvite) Start(timing Timing) {
	*t = ServerInvite{core: core{timing: timing, state: Proceeding}}
}

// Respond sends a response, unless the state forbids it: after a final one
// only copies of a 2xx go out.
func (t *ServerInvite) Respond(now time.Time, res *gosip.Response) Step {
	switch {
	case t.state == Accepted && res.IsSuccess():
		return Step{Send: res}
	case t.state != Proceeding:
		return Step{}
	case res.IsProvisional():
		t.last = res
	case res.IsSuccess():
		t.state, t.last, t.end = Accepted, nil, now.Add(t.timing.Life()) // timer L
	default:
		t.refuse(now, res)
	}
	return Step{Send: res}
}

func (t *ServerInvite) refuse(now time.Time, res *gosip.Response) {
	t.state, t.last, t.end = Completed, res, now.Add(t.timing.Life()) // timer H
	t.keepSending(now)
}

// Receive takes a copy of the INVITE, or an ACK. An ACK is delivered only after
// a 2xx: the user has to see it to stop resending.
func (t *ServerInvite) Receive(now time.Time, req *gosip.Request) Step {
	if req.Method == gosip.ACK {
		return t.acknowledged(now)
	}
	if (t.state == Proceeding || t.state == Completed) && t.last != nil {
		return Step{Send: t.last}
	}
	// RFC 6026 §7.1: in Accepted copies of the INVITE are absorbed
	return Step{}
}

func (t *ServerInvite) acknowledged(now time.Time) Step {
	switch t.state {
	case Accepted:
		return Step{Deliver: true}
	case Completed:
		t.state, t.last, t.resend = Confirmed, nil, time.Time{}
		t.end = now.Add(t.timing.T4) // timer I
		if t.timing.Reliable {
			t.Abandon()
		}
	}
	return Step{}
}

// Tick lets the timers act that are due. Timeout: a refusal was never
// acknowledged.
func (t *ServerInvite) Tick(now time.Time) Step {
	switch {
	case due(t.end, now):
		timeout := t.state == Completed
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.resend, now):
		t.sendAgain(now, min(2*t.interval, t.timing.T2))
		return Step{Send: t.last}
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *ServerInvite) Abandon() { *t = ServerInvite{core: t.over()} }
