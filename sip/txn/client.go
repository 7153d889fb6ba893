package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Client sends any request but INVITE and ACK until a final response comes
// (RFC 3261 §17.1.2).
type Client struct {
	core                // resend: timer E; end: F or K
	req  *gosip.Request // until a final response
}

// Start sends the request.
func (t *Client) Start(now time.Time, timing Timing, req *gosip.Request) Step {
	*t = Client{core: core{timing: timing, state: Trying, end: now.Add(timing.Life())}, req: req}
	t.keepSending(now)
	return Step{Send: req}
}

// Receive takes a response that matches.
func (t *Client) Receive(now time.Time, res *gosip.Response) Step {
	if t.state != Trying && t.state != Proceeding {
		return Step{}
	}
	if res.IsProvisional() {
		t.state = Proceeding
		return Step{Deliver: true}
	}
	t.req, t.resend = nil, time.Time{}
	if t.timing.Reliable {
		t.state, t.end = Terminated, time.Time{}
	} else {
		t.state, t.end = Completed, now.Add(t.timing.T4) // timer K
	}
	return Step{Deliver: true}
}

// Tick lets the timers act that are due.
func (t *Client) Tick(now time.Time) Step {
	switch {
	case due(t.end, now):
		timeout := t.state != Completed
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.resend, now):
		// RFC 3261 §17.1.2.2: E doubles up to T2, and is T2 once proceeding
		next := min(2*t.interval, t.timing.T2)
		if t.state == Proceeding {
			next = t.timing.T2
		}
		t.sendAgain(now, next)
		return Step{Send: t.req}
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *Client) Abandon() { *t = Client{core: t.over()} }
