package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// Client sends any request but INVITE and ACK until a final response comes
// (RFC 3261 §17.1.2).
type Client struct {
	core                  // Resend: timer E; End: F or K
	Req  snapshot.Request `cbor:",omitzero"` // until a final response
}

// Start sends the request.
func (t *Client) Start(now time.Time, timing Timing, req *gosip.Request) Step {
	*t = Client{core: core{Timing: timing, State: Trying, End: now.Add(timing.Life())}, Req: snapshot.Keep(req)}
	t.keepSending(now)
	return send(t.Req)
}

// Receive takes a response that matches.
func (t *Client) Receive(now time.Time, res *gosip.Response) Step {
	if t.State != Trying && t.State != Proceeding {
		return Step{}
	}
	if res.IsProvisional() {
		t.State = Proceeding
		return Step{Deliver: true}
	}
	t.Req, t.Resend = snapshot.Request{}, time.Time{}
	if t.Timing.Reliable {
		t.State, t.End = Terminated, time.Time{}
	} else {
		t.State, t.End = Completed, now.Add(t.Timing.T4) // timer K
	}
	return Step{Deliver: true}
}

// Tick lets the timers act that are due.
func (t *Client) Tick(now time.Time) Step {
	switch {
	case due(t.End, now):
		timeout := t.State != Completed
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.Resend, now):
		// RFC 3261 §17.1.2.2: E doubles up to T2, and is T2 once proceeding
		next := min(2*t.Interval, t.Timing.T2)
		if t.State == Proceeding {
			next = t.Timing.T2
		}
		t.sendAgain(now, next)
		return send(t.Req)
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *Client) Abandon() { *t = Client{core: t.over()} }
