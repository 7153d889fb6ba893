package exchange

import (
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/leg"
)

// Dialled takes the INVITE by which the phone of a desk in this call dials a
// verb or somebody on a second line, or another desk's comes into it.
func (c *Core) Dialled(now time.Time, user string, p leg.Packet) {
	c.now = now
	c.seconds++
	who := &party{
		id: call.SecondLeg + c.seconds, agent: user, network: p.Flow.Network, transport: p.Flow.Transport, user: user, calls: true,
		contact: p.Contact(), keys: c.collector(),
	}
	addr, err := c.world.Media.Open(engine.LegID(who.id), who.network)
	who.media, who.addr = err == nil, addr
	l, out := leg.NewInbound(c.world.Leg, now, p, c.local(who.network, p.Flow.Transport, addr, c.protection(user, "")))
	who.leg = l
	c.parties = append(c.parties, who)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", who.network, "err", err)
		out.Events = nil
	}
	c.result(who, out)
	if err != nil {
		c.dismiss(who.id, leg.Reject{Code: 503, Phrase: "No Media Port", Fields: retryAfter})
	}
	c.settle()
}

// dialogs counts those by which phones have come into the call.
func (c *Core) dialogs() (n int) {
	for _, p := range c.parties {
		if p.calls && p.id != call.CallerLeg {
			n++
		}
	}
	return n
}

// dialled reads what the second line is for: a verb by its number, a talk in
// private with a line or a seat.
func (c *Core) dialled(p *party, i leg.Invited) {
	v, to, ok := c.meant(p, i.RequestURI)
	desk := c.deskOf(p.user)
	switch {
	case desk == 0 && c.isPickup(i.RequestURI.User):
		c.picksUp(p)
		return
	case !ok:
		c.dismiss(p.id, leg.Reject{Code: 404})
		return
	case desk == 0:
		c.dismiss(p.id, leg.Reject{Code: 480})
		return
	case to.Hotline != "":
		v = verb.Verb{Name: verb.Consult}
	}
	if v.Name == verb.Conference {
		c.becomesFocus(p)
	}
	c.fact(call.DeskCalled{Desk: desk, Leg: p.id, Verb: v, Stub: c.world.NewID(c.now), To: to})
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

// joins says whether two parties are the lines of one phone, the second one
// named by the first as the call that it transfers to.
func (c *Core) joins(p *party, other *party) bool {
	s := c.state.Second.ID
	return other != nil && other.user == p.user && other != p && (p.id == s || other.id == s) && s != 0
}
