package phone

import "context"

// Hangup ends the call by whatever it takes (CANCEL, BYE or a refusal) and waits until it is over. Idempotent.
func (c *Call) Hangup(ctx context.Context) error { return c.HangupWith(ctx) }

// HangupWith puts headers (Reason …) into the BYE or CANCEL.
func (c *Call) HangupWith(ctx context.Context, headers ...Header) error {
	if err := c.Cancel(headers...); err != nil {
		if c.State() == Ended {
			return nil
		}
		return err
	}
	return c.WaitState(ctx, Ended)
}

// Cancel begins to end the call, as Hangup, and does not wait.
func (c *Call) Cancel(headers ...Header) error {
	return c.order(func() error { c.hangUp(headers); return nil })
}

func (c *Call) hangUp(headers []Header) {
	switch {
	case c.State() == Ended || c.bye:
	case c.unanswered():
		c.refuse(480, "Temporarily Unavailable")
	case !c.Outgoing && c.State() < Confirmed:
		// RFC 3261 §15: the callee sends no BYE before the ACK or its time-out.
		c.hanging, c.hangLater = true, headers
	case c.State() == Confirmed:
		c.sendBye(headers, Ending{Code: 200, Phrase: "hung up", Local: true})
	case !c.cancelling:
		c.cancelling, c.hangLater = true, headers
		// RFC 3261 §9.1: no CANCEL before a provisional response has come.
		if c.client.proceed {
			c.sendCancel()
		}
	}
}

// sendBye silences the phone at once; the call is over when the BYE is answered, or never will be.
func (c *Call) sendBye(headers []Header, how Ending) {
	if c.bye || c.State() == Ended {
		return
	}
	c.bye = true
	c.giveUp.stop()
	c.resend.stop()
	if v := c.Voice(); v != nil {
		v.Mute()
	}
	c.ask(c.dialog.request("BYE", headers...), func(*Message) { c.end(how) })
}
