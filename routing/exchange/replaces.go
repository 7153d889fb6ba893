package exchange

import (
	"time"

	"liandong/routing/call"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// A trunk may let a party of its own go on in another dialog: whoever is behind it has moved to
// another set, or an exchange there has taken itself out of the way. The call sees nothing of it.

// trunkInviteIn takes an INVITE of a trunk that is meant for a dialog of this call.
func (c *Core) trunkInviteIn(o ua.Origin, p leg.Packet) {
	c.seconds++
	who := &party{
		ID: call.SecondLeg + c.seconds, Network: o.Network, Transport: p.Flow.Transport, Trunk: o.Trunk,
		Contact: p.Contact(), Calls: true,
		Signaller: p.Flow.Remote.Addr(),
	}
	id, _ := leg.Entered(p)
	if of := c.byCallID(id); of != nil {
		who.Addr = of.Addr // where its sound goes now
	}
	l, out := leg.NewInbound(c.world.Leg, c.now, p, c.local("", who.Network, who.Transport, who.Addr,
		c.protection("", o.Trunk)))
	who.leg = l
	c.parties = append(c.parties, who)
	c.result(who, out)
}

// replaces is RFC 3891 §3 for a trunk.
func (c *Core) replaces(p *party, i leg.Invited) {
	if i.Replaces == nil { // RFC 3911 §4: nobody behind a trunk may be the third
		c.dismiss(p.ID, leg.Reject{Code: 488})
		return
	}
	of := c.named(*i.Replaces)
	switch {
	case of == nil || of == p || of.Trunk != p.Trunk || of.Lender.Ref != "", !c.up(of.ID):
		c.dismiss(p.ID, c.unknown(481))
	case i.Replaces.EarlyOnly:
		c.dismiss(p.ID, leg.Reject{Code: 486})
	default:
		c.goesOn(of, p)
	}
}

func (c *Core) up(id call.LegID) bool {
	l, ok := c.state.Leg(id)
	return ok && l.Up
}

// goesOn gives a party the dialog of another one. Its own is left to its farewell.
func (c *Core) goesOn(of, by *party) {
	old := &party{ID: by.ID, leg: of.leg, Network: of.Network, Trunk: of.Trunk, Gone: true}
	for i, p := range c.parties {
		if p == by {
			c.parties[i] = old
		}
	}
	of.leg, of.Network, of.Transport, of.Contact, of.Signaller, of.Route = by.leg, by.Network, by.Transport, by.Contact,
		by.Signaller, nil
	by.leg = nil
	c.command(of, leg.Answer{})
	c.command(old, leg.End{Fields: c.reason(old.ID, call.Elsewhere)})
}

// InviteIn takes an INVITE that comes into the call: of a phone, or of a trunk.
func (c *Core) InviteIn(now time.Time, o ua.Origin, p leg.Packet) {
	c.now = now
	c.hears(p)
	if o.User == "" {
		c.trunkInviteIn(o, p)
	} else {
		c.phoneInviteIn(o.User, p)
	}
	c.settle()
}
