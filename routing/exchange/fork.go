package exchange

import (
	"liandong/routing/call"
	"liandong/sip/leg"
)

// A user may have several phones: all of them ring for the desk (RFC 3261 §16.6), each by a leg of its own, and the
// first that answers is the desk's. To the call they are one leg. The phone first called is the party; the others are
// parties with no id that say of which desk they are, until one takes the party's place.

// ringSeat calls all phones of a seat.
func (c *Core) ringSeat(e call.RingSeat) {
	p := &party{ID: e.Leg, Agent: e.Seat, Seat: e.Seat, User: e.Seat, Keys: c.collector()}
	places := c.world.Places(e.Seat)
	if len(places) == 0 {
		c.unreachable(p, 480)
		return
	}
	c.ringAll(p, places, func(to Place) leg.Invite { return c.toDesk(e, to) })
}

// ringAll rings all phones of a user, who is one party: the first is his, and the others ring beside it.
func (c *Core) ringAll(p *party, places []Place, invite func(to Place) leg.Invite) {
	protection := c.protection(p.User, "")
	p.Network, p.Contact = places[0].Flow.Network, places[0].URI
	if !c.open(p) {
		return
	}
	for i, place := range places {
		place.SRTP = protection
		who := p
		if i > 0 {
			who = &party{ForkOf: p.ID, Network: p.Network, Contact: place.URI, Addr: p.Addr, Gone: true,
				Watches: p.Watches}
			c.parties = append(c.parties, who)
		}
		c.dial(who, place, invite(place))
	}
}

// forks are the other phones that ring for a desk.
func (c *Core) forks(id call.LegID) (all []*party) {
	for _, p := range c.parties {
		if p.ForkOf == id && id != 0 {
			all = append(all, p)
		}
	}
	return all
}

// forked takes an event of a phone that rings beside others for one desk; false: it is an event like any.
func (c *Core) forked(p *party, e leg.Event) bool {
	desk := p
	if p.ForkOf != 0 {
		desk = c.party(p.ForkOf)
	}
	if desk == nil || len(c.forks(desk.ID)) == 0 {
		return false
	}
	switch e := e.(type) {
	case leg.Progressed:
		c.fact(call.LegRinging{Leg: desk.ID})
	case leg.Answered:
		farewell := leg.End{Fields: c.reason(desk.ID, call.Elsewhere)}
		c.dropForksBut(p, desk.ID, farewell)
		if p != desk {
			desk.replacedBy(p)
			c.command(desk, farewell)
		}
		c.legEvent(p, e)
	case leg.Failed:
		c.forkFailed(desk, p, e)
	}
	return true
}

// forkFailed: RFC 3261 §16.7 step 5, a 6xx speaks for the user wherever he is; any other refusal is of one phone.
func (c *Core) forkFailed(desk, p *party, e leg.Failed) {
	if better(e.Code, desk.Refused) {
		desk.Refused = e.Code
	}
	if e.Code >= 600 {
		farewell := leg.End{Fields: c.reason(desk.ID, call.Elsewhere)}
		c.dropForks(desk.ID, farewell)
		if p != desk {
			c.command(desk, farewell)
		}
		c.legEvent(desk, e)
		return
	}
	if p == desk {
		desk.replacedBy(c.forks(desk.ID)[0])
		return
	}
	p.ForkOf = 0
}

// better says which of two refusals tells more of a desk: RFC 3261 §16.7 step 6, what a phone has said before what is
// said of one that could not be reached.
func better(code, than int) bool {
	rank := func(code int) int {
		switch {
		case code == 0:
			return 0
		case code == 408 || code == 480 || code/100 == 5:
			return 1
		case code == 486:
			return 3
		case code >= 600:
			return 4
		}
		return 2
	}
	return rank(code) > rank(than)
}

// replacedBy gives another phone the place at the desk; the one that had it only has its farewell left.
func (p *party) replacedBy(fork *party) {
	next := *p
	next.leg, next.Contact, next.Transport = fork.leg, fork.Contact, fork.Transport
	*p, *fork = party{leg: p.leg, Network: p.Network, Gone: true, Watches: p.Watches, traced: p.traced}, next
}

// dropForks lets all other phones of a desk go.
func (c *Core) dropForks(id call.LegID, cmd leg.Command) {
	c.dropForksBut(nil, id, cmd)
}

func (c *Core) dropForksBut(stays *party, id call.LegID, cmd leg.Command) {
	for _, f := range c.forks(id) {
		if f != stays {
			f.ForkOf = 0
			c.command(f, cmd)
		}
	}
}
