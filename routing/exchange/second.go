package exchange

import (
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/leg"
)

// phoneInviteIn takes the INVITE by which the phone of a desk in this call dials a
// verb or somebody on a second line, or another desk's comes into it.
func (c *Core) phoneInviteIn(user string, p leg.Packet) {
	c.seconds++
	who := &party{
		ID: call.SecondLeg + c.seconds, Agent: user, Network: p.Flow.Network, Transport: p.Flow.Transport, User: user,
		Calls:   true,
		Contact: p.Contact(), Keys: c.collector(), Signaller: p.Flow.Remote.Addr(),
	}
	addr, err := c.port(who)
	who.Media, who.Addr = err == nil, addr
	l, out := leg.NewInbound(c.world.Leg, c.now, p, c.local(user, who.Network, p.Flow.Transport, addr,
		c.protection(user, "")))
	who.leg = l
	c.parties = append(c.parties, who)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", who.Network, "err", err)
		out.Events = nil
	}
	c.result(who, out)
	if err != nil {
		c.dismiss(who.ID, leg.Reject{Code: 503, Phrase: "No Media Port", Fields: retryAfter})
	}
}

// dialogs counts those by which phones have come into the call.
func (c *Core) dialogs() (n int) {
	for _, p := range c.parties {
		if p.Calls && p.ID != call.CallerLeg {
			n++
		}
	}
	return n
}

// dialedSecond reads what the second line is for: a verb by its number, a talk in
// private with a line or a seat.
func (c *Core) dialedSecond(p *party, i leg.Invited) {
	if of, ok := monitored(c.dir, i.RequestURI.User); ok {
		c.superviseByPhone(p, of)
		return
	}
	v, to, ok := c.meant(p, i.RequestURI)
	desk := c.deskOf(p.User)
	switch {
	case desk == 0 && c.isPickup(i.RequestURI.User):
		c.picksUp(p)
		return
	case !ok:
		c.dismiss(p.ID, leg.Reject{Code: 404})
		return
	case desk == 0:
		c.dismiss(p.ID, leg.Reject{Code: 480})
		return
	case to.Hotline != "":
		v = verb.Verb{Name: verb.Consult}
	}
	if v.Name == verb.Conference {
		c.becomesFocus(p)
	}
	c.fact(call.DeskCalled{Desk: desk, Leg: p.ID, Verb: v, Stub: c.newID(), To: to})
}

// deskOf is the leg in which a user's phone talks, 0 when it does not.
func (c *Core) deskOf(user string) call.LegID {
	for _, l := range c.state.Legs {
		if l.Seat == user && l.Up {
			return l.ID
		}
	}
	return 0
}

// onePhone says whether two parties are the lines of one phone, the second one
// named by the first as the call that it transfers to.
func (c *Core) onePhone(p *party, other *party) bool {
	s := c.state.Second.ID
	return other != nil && other.User == p.User && other != p && (p.ID == s || other.ID == s) && s != 0
}
