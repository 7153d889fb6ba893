package txn

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// ClientInvite sends an INVITE until something comes back, and acknowledges a
// refusal (RFC 3261 §17.1.1, RFC 6026 §7.2).
type ClientInvite struct {
	core                // resend: timer A; end: B, D or M
	req  *gosip.Request // until a final response
	ack  *gosip.Request // after a refusal
}

// Start sends the INVITE.
func (t *ClientInvite) Start(now time.Time, timing Timing, invite *gosip.Request) Step {
	*t = ClientInvite{core: core{timing: timing, state: Calling, end: now.Add(timing.Life())}, req: invite}
	t.keepSending(now)
	return Step{Send: invite}
}

// Receive takes a response that matches.
func (t *ClientInvite) Receive(now time.Time, res *gosip.Response) Step {
	switch t.state {
	case Calling, Proceeding:
		return t.answered(now, res)
	case Accepted:
		// RFC 6026 §8.4: further 2xx, of this or another fork, go up
		return Step{Deliver: res.IsSuccess()}
	case Completed:
		if res.StatusCode >= 300 {
			return Step{Send: t.ack}
		}
	}
	return Step{}
}

func (t *ClientInvite) answered(now time.Time, res *gosip.Response) Step {
	t.resend = time.Time{}
	switch {
	case res.IsProvisional():
		t.state, t.end = Proceeding, time.Time{}
		return Step{Deliver: true}
	case res.IsSuccess():
		t.state, t.end, t.req = Accepted, now.Add(t.timing.Life()), nil
		return Step{Deliver: true}
	}
	t.ack = AckRefusal(t.req, res)
	t.req = nil
	if t.timing.Reliable {
		// RFC 3261 §17.1.1.2: timer D is zero seconds for reliable transports
		t.state, t.end = Terminated, time.Time{}
	} else {
		t.state, t.end = Completed, now.Add(t.waitD())
	}
	return Step{Send: t.ack, Deliver: true}
}

// waitD is timer D: "at least 32 seconds for unreliable transports".
func (t *ClientInvite) waitD() time.Duration { return max(32*time.Second, t.timing.Life()) }

// Tick lets the timers act that are due.
func (t *ClientInvite) Tick(now time.Time) Step {
	switch {
	case due(t.end, now):
		timeout := t.state == Calling
		t.Abandon()
		return Step{Timeout: timeout}
	case due(t.resend, now):
		t.sendAgain(now, 2*t.interval) // RFC 3261 §17.1.1.2: timer A doubles without a bound
		return Step{Send: t.req}
	}
	return Step{}
}

// Abandon ends the transaction at once: it could not be sent, or nobody waits
// for its outcome any more.
func (t *ClientInvite) Abandon() {
	*t = ClientInvite{core: t.over()}
}

// AckRefusal is the ACK to a final response other than 2xx. RFC 3261
// §17.1.1.3: same Request-URI, top Via, Route, From, Call-ID and CSeq number
// as the INVITE, the To of the response.
func AckRefusal(invite *gosip.Request, res *gosip.Response) *gosip.Request {
	ack := gosip.NewRequest(gosip.ACK, invite.Recipient)
	ack.AppendHeader(invite.Via())
	for _, h := range invite.GetHeaders("route") {
		ack.AppendHeader(h)
	}
	hops := gosip.MaxForwardsHeader(70)
	ack.AppendHeader(&hops)
	ack.AppendHeader(invite.From())
	if to := res.To(); to != nil {
		ack.AppendHeader(to)
	} else {
		ack.AppendHeader(invite.To())
	}
	ack.AppendHeader(invite.CallID())
	ack.AppendHeader(&gosip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: gosip.ACK})
	ack.SetBody(nil)
	ack.SetTransport(invite.Transport())
	return ack
}
