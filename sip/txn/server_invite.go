package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// ServerInvite answers an INVITE and its copies, and resends a refusal until
// it is acknowledged (RFC 3261 §17.2.1, RFC 6026 §7.1). A 2xx is resent by the
// user of the transaction, end to end (RFC 3261 §13.3.1.4), not by the machine.
type ServerInvite struct {
	core                   // Resend: timer G; End: H, I or L
	Last snapshot.Response `cbor:",omitzero"` // what a copy of the INVITE is answered with
}

// Start takes the INVITE; the user sends 100 at once by Respond.
func (t *ServerInvite) Start(timing Timing) {
	*t = ServerInvite{core: core{Timing: timing, State: Proceeding}}
}

// Respond sends a response, unless the state forbids it: after a final one
// only copies of a 2xx go out.
func (t *ServerInvite) Respond(now time.Time, res *gosip.Response) Step {
	switch {
	case t.State == Accepted && res.IsSuccess():
		return Step{Send: res}
	case t.State != Proceeding:
		return Step{}
	case res.IsProvisional():
		t.Last = snapshot.Keep(res)
	case res.IsSuccess():
		t.State, t.Last, t.End = Accepted, snapshot.Response{}, now.Add(t.Timing.Life()) // timer L
	default:
		t.refuse(now, res)
	}
	return Step{Send: res}
}

func (t *ServerInvite) refuse(now time.Time, res *gosip.Response) {
	t.State, t.Last, t.End = Completed, snapshot.Keep(res), now.Add(t.Timing.Life()) // timer H
	t.keepSending(now)
}

// Receive takes a copy of the INVITE, or an ACK. An ACK is delivered only after
// a 2xx: the user has to see it to stop resending.
func (t *ServerInvite) Receive(now time.Time, req *gosip.Request) Step {
	if req.Method == gosip.ACK {
		return t.acknowledged(now)
	}
	if (t.State == Proceeding || t.State == Completed) && !t.Last.IsZero() {
		return send(t.Last)
	}
	// RFC 6026 §7.1: in Accepted copies of the INVITE are absorbed
	return Step{}
}

func (t *ServerInvite) acknowledged(now time.Time) Step {
	switch t.State {
	case Accepted:
		return Step{Deliver: true}
	case Completed:
		t.State, t.Last, t.Resend = Confirmed, snapshot.Response{}, time.Time{}
		t.End = now.Add(t.Timing.T4) // timer I
		if t.Timing.Reliable {
			t.Abandon()
		}
	}
	return Step{}
}

// Tick lets the timers act that are due. Timeout: a refusal was never
// acknowledged.
func (t *ServerInvite) Tick(now time.Time) Step {
	switch {
	case due(t.End, now):
		timeout := t.State == Completed
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.Resend, now):
		t.sendAgain(now, min(2*t.Interval, t.Timing.T2))
		return send(t.Last)
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *ServerInvite) Abandon() { *t = ServerInvite{core: t.over()} }
