package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/snapshot"
)

// ClientInvite sends an INVITE until something comes back, and acknowledges a
// refusal (RFC 3261 §17.1.1, RFC 6026 §7.2).
type ClientInvite struct {
	core                  // Resend: timer A; End: B, D or M
	Req  snapshot.Request `cbor:",omitzero"` // until a final response
	Ack  snapshot.Request `cbor:",omitzero"` // after a refusal
}

// Start sends the INVITE.
func (t *ClientInvite) Start(now time.Time, timing Timing, invite *gosip.Request) Step {
	*t = ClientInvite{core: core{Timing: timing, State: Calling, End: now.Add(timing.Life())},
		Req: snapshot.Keep(invite)}
	t.keepSending(now)
	return send(t.Req)
}

// Receive takes a response that matches.
func (t *ClientInvite) Receive(now time.Time, res *gosip.Response) Step {
	switch t.State {
	case Calling, Proceeding:
		return t.answered(now, res)
	case Accepted:
		// RFC 6026 §8.4: further 2xx, of this or another fork, go up
		return Step{Deliver: res.IsSuccess()}
	case Completed:
		if res.StatusCode >= 300 {
			return send(t.Ack)
		}
	}
	return Step{}
}

func (t *ClientInvite) answered(now time.Time, res *gosip.Response) Step {
	t.Resend = time.Time{}
	switch {
	case res.IsProvisional():
		t.State, t.End = Proceeding, time.Time{}
		return Step{Deliver: true}
	case res.IsSuccess():
		t.State, t.End, t.Req = Accepted, now.Add(t.Timing.Life()), snapshot.Request{}
		return Step{Deliver: true}
	}
	t.Ack = snapshot.Keep(AckRefusal(t.Req.Msg, res))
	t.Req = snapshot.Request{}
	if t.Timing.Reliable {
		// RFC 3261 §17.1.1.2: timer D is zero seconds for reliable transports
		t.State, t.End = Terminated, time.Time{}
	} else {
		t.State, t.End = Completed, now.Add(t.waitD())
	}
	return Step{Send: t.Ack.Msg, Text: t.Ack.Text(), Deliver: true}
}

// waitD is timer D: "at least 32 seconds for unreliable transports".
func (t *ClientInvite) waitD() time.Duration { return max(32*time.Second, t.Timing.Life()) }

// Tick lets the timers act that are due.
func (t *ClientInvite) Tick(now time.Time) Step {
	switch {
	case due(t.End, now):
		timeout := t.State == Calling
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.Resend, now):
		t.sendAgain(now, 2*t.Interval) // RFC 3261 §17.1.1.2: timer A doubles without a bound
		return send(t.Req)
	}
	return Step{}
}

// Abandon ends the transaction at once: it could not be sent, or nobody waits
// for its outcome any more.
func (t *ClientInvite) Abandon() {
	*t = ClientInvite{core: t.over()}
}

// AckRefusal is the ACK to a final response other than 2xx, with the To of
// that (RFC 3261 §17.1.1.3).
func AckRefusal(invite *gosip.Request, res *gosip.Response) *gosip.Request {
	to := res.To()
	if to == nil {
		to = invite.To()
	}
	ack := Following(invite, gosip.ACK, to)
	header.SetBody(ack, nil)
	return ack
}

// Following is a request that goes the same way as an INVITE and belongs to
// its transaction (RFC 3261 §9.1, §17.1.1.3): same Request-URI, From, Call-ID
// and CSeq number, a single Via equal to its top one, and its Route headers.
// The caller adds the rest and the body.
func Following(invite *gosip.Request, method gosip.RequestMethod, to *gosip.ToHeader) *gosip.Request {
	req := gosip.NewRequest(method, invite.Recipient)
	req.AppendHeader(invite.Via())
	for h := range header.All(invite, "route") {
		req.AppendHeader(h)
	}
	hops := gosip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.AppendHeader(invite.From())
	req.AppendHeader(to)
	req.AppendHeader(invite.CallID())
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: method})
	return req
}
