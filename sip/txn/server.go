package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// Server answers any request but INVITE and ACK, and its copies (RFC 3261
// §17.2.2).
type Server struct {
	core                   // End: timer J; a copy is answered, nothing is resent
	Last snapshot.Response `cbor:",omitzero"`
}

// Start takes the request.
func (t *Server) Start(timing Timing) { *t = Server{core: core{Timing: timing, State: Trying}} }

// Respond sends a response; after a final one nothing more goes out.
func (t *Server) Respond(now time.Time, res *gosip.Response) Step {
	if t.State != Trying && t.State != Proceeding {
		return Step{}
	}
	t.Last = snapshot.Keep(res)
	switch {
	case res.IsProvisional():
		t.State = Proceeding
	case t.Timing.Reliable:
		t.Abandon()
	default:
		t.State, t.End = Completed, now.Add(t.Timing.Life()) // timer J
	}
	return Step{Send: res}
}

// Receive takes a copy of the request.
func (t *Server) Receive() Step {
	if t.Last.IsZero() {
		return Step{} // RFC 3261 §17.2.2: in Trying copies are discarded
	}
	return send(t.Last)
}

// Tick lets timer J act when it is due.
func (t *Server) Tick(now time.Time) Step {
	if due(t.End, now) {
		t.Abandon()
	}
	return Step{}
}

// Abandon ends the transaction at once.
func (t *Server) Abandon() { *t = Server{core: t.over()} }
