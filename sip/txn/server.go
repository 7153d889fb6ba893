package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// Server answers any request but INVITE and ACK, and its copies (RFC 3261
// §17.2.2).
type Server struct {
	core // end: timer J; a copy is answered, nothing is resent
	last *gosip.Response
}

// Start takes the request.
func (t *Server) Start(timing Timing) { *t = Server{core: core{timing: timing, state: Trying}} }

// Respond sends a response; after a final one nothing more goes out.
func (t *Server) Respond(now time.Time, res *gosip.Response) Step {
	if t.state != Trying && t.state != Proceeding {
		return Step{}
	}
	t.last = res
	switch {
	case res.IsProvisional():
		t.state = Proceeding
	case t.timing.Reliable:
		t.Abandon()
	default:
		t.state, t.end = Completed, now.Add(t.timing.Life()) // timer J
	}
	return Step{Send: res}
}

// Receive takes a copy of the request.
func (t *Server) Receive() Step {
	if t.last == nil {
		return Step{} // RFC 3261 §17.2.2: in Trying copies are discarded
	}
	return Step{Send: t.last}
}

// Tick lets timer J act when it is due.
func (t *Server) Tick(now time.Time) Step {
	if due(t.end, now) {
		t.Abandon()
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *Server) Abandon() { *t = Server{core: t.over()} }
