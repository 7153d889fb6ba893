package exchange

import (
	"time"

	"liandong/routing/call"
	"liandong/sip/ua"
)

// Letter is what one call has to say to another. It is on its way from when the sender's state is stored until the
// receiver's is, so that it is taken once, whatever happens to the process. One of the fields after To is set.
type Letter struct {
	ID       string // names it in the journal
	From, To string // calls

	Offer   *wish       // a party of From is offered to To
	Decline int         // it is not wanted: why, as a SIP code
	Claim   *claim      // From wants the party of To
	Loan    *loan       // the answer to Claim
	Kept    call.LegID  // the party that To has lent stays with From
	Lost    *lostGuest  // it has hung up there, or is gone
	Back    *loan       // it comes back
	packet  *ua.Inbound // of a leg that From has given away
}

// lostGuest is a party that is gone while it was lent.
type lostGuest struct {
	ID     call.LegID // in the call that has lent it
	Silent bool       // it did not say goodbye
}

// post sends a letter when the input that it comes of is over.
func (c *Core) post(l Letter) {
	l.From = c.state.Ref
	if l.packet == nil {
		l.ID = c.newID()
	}
	c.later(act{letter: &l})
}

// Take takes a letter.
func (c *Core) Take(now time.Time, l Letter) {
	c.now, c.taken = now, l.ID
	switch {
	case l.packet != nil && l.packet.Err != nil:
		c.unsent(l.packet.Packet)
	case l.packet != nil:
		c.receive(l.packet.Packet)
	case l.Offer != nil:
		c.askedToJoin(*l.Offer, l.From)
	case l.Decline != 0:
		c.fact(call.JoinFailed{Code: l.Decline})
	case l.Claim != nil:
		c.claimed(*l.Claim, l.From)
	case l.Loan != nil:
		c.lent(*l.Loan, l.From)
	case l.Kept != 0:
		c.kept(l.Kept)
	case l.Lost != nil:
		c.lostGuest(*l.Lost)
	case l.Back != nil:
		c.world.Seats.Pass(l.From, c.state.Ref, l.Back.Who.Seat)
		c.regain(*l.Back, 487)
	}
	c.settle()
}

// Returned takes a letter that could not be delivered: the other call is over.
func (c *Core) Returned(now time.Time, l Letter) {
	c.now, c.taken = now, l.ID
	switch {
	case l.Offer != nil:
		c.fact(call.JoinFailed{Code: 481})
	case l.Claim != nil:
		c.fact(call.LegFailed{Leg: l.Claim.As, Code: 481})
	case l.Loan != nil && l.Loan.Who != nil:
		c.world.Seats.Pass(l.To, c.state.Ref, l.Loan.Who.Seat)
		c.regain(*l.Loan, 481)
	case l.Back != nil:
		c.orphaned(*l.Back)
	}
	c.settle()
}
