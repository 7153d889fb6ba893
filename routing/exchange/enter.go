package exchange

import (
	"cmp"

	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// entered is the call that a phone's INVITE is meant for, by Replaces or Join, or
// that it picks up by number; nil: none, or none any more.
func (x *Exchange) entered(o ua.Origin, p leg.Packet) *actor {
	if id, enters := leg.Entered(p); enters {
		owner, _ := x.cfg.Wire.Sink(id)
		a, _ := owner.(*actor)
		return a
	}
	dir := x.directory()
	if of, ok := monitored(dir, leg.RequestUser(p)); ok {
		return x.actor(x.watched(of))
	}
	own, ok := dir.At(o.User)
	if !ok || dir.Services[leg.RequestUser(p)] != verb.Pickup {
		return nil
	}
	return x.actor(x.lamps.Rings(own.ID))
}

// enters takes an INVITE that is meant for a dialog of the call: RFC 3891 §3, RFC
// 3911 §4. A phone may pick up what rings for its line and join what a colleague
// says; the conversation of a desk is its own, to go on with on another phone.
func (c *Core) enters(p *party, i leg.Invited) {
	of := i.Replaces
	if of == nil {
		of = i.Join
	}
	if of == nil || i.Replaces != nil && i.Join != nil {
		c.dismiss(p.ID, leg.Reject{Code: 400})
		return
	}
	if p.Trunk != "" {
		c.replaces(p, i)
		return
	}
	user := cmp.Or(p.User, c.origin.User)
	target, l := c.deskNamed(*of)
	own, _ := c.dir.At(user)
	switch {
	case target == nil || p.ID == call.CallerLeg:
		c.dismiss(p.ID, c.unknown(481)) // no such dialog, or not one that we have made
	case own == nil || own.ID != l.Hotline:
		c.dismiss(p.ID, leg.Reject{Code: 403})
	case i.Join != nil && !l.Up:
		c.dismiss(p.ID, leg.Reject{Code: 481})
	case i.Join != nil:
		c.claimForPhone(p, user, call.ColleagueJoined{Leg: p.ID, Of: l.ID, Seat: user})
	case !l.Up:
		c.claimForPhone(p, user, call.PickedUp{Leg: p.ID, Of: l.ID, Seat: user})
	case of.EarlyOnly:
		c.dismiss(p.ID, leg.Reject{Code: 486}) // RFC 3891 §3: it has been answered
	case l.Seat != user:
		c.dismiss(p.ID, leg.Reject{Code: 403})
	default:
		p.Seat, p.Agent = user, user
		c.fact(call.TakenOver{Leg: p.ID, Of: l.ID})
	}
}

// claimForPhone claims the seat of a phone that comes into the call. A desk has one call
// at a time.
func (c *Core) claimForPhone(p *party, user string, e call.Event) {
	if !c.world.Seats.Take(c.state.Ref, user) {
		c.dismiss(p.ID, leg.Reject{Code: 486})
		return
	}
	p.Seat, p.Agent = user, user
	c.fact(e)
}

// deskNamed is the desk's leg whose dialog a Replaces or Join names.
func (c *Core) deskNamed(r header.Replaces) (*party, call.Leg) {
	if p := c.named(r); p != nil && p.ID != call.CallerLeg {
		if l, ok := c.state.Leg(p.ID); ok {
			return p, *l
		}
	}
	return nil, call.Leg{}
}

func (c *Core) isPickup(number string) bool { return c.dir.Services[number] == verb.Pickup }

// picksUp takes a call to the pick-up number: of the phones that ring for the line
// the first one's.
func (c *Core) picksUp(p *party) {
	own, ok := c.dir.At(p.User)
	for _, l := range c.state.Legs {
		if ok && l.ID != call.CallerLeg && !l.Up && l.Hotline == own.ID {
			c.claimForPhone(p, p.User, call.PickedUp{Leg: p.ID, Of: l.ID, Seat: p.User})
			return
		}
	}
	c.dismiss(p.ID, leg.Reject{Code: 480})
}

// answer accepts the call of a desk's phone. One that has come in is shown the
// caller, as it would have been by our INVITE.
func (c *Core) answer(id call.LegID) {
	p := c.party(id)
	if p == nil {
		return
	}
	var fields []header.Field
	if l, ok := c.state.Leg(id); ok && p.Seat != "" {
		c.world.Seats.Answered(c.state.Ref, p.Seat)
		host := c.host(leg.Flow{Network: p.Network, Transport: p.Transport})
		fields = []header.Field{asserted(header.NameAddr{URI: c.callerFor(l.Hotline, p.Network, host)})}
	}
	c.command(p, leg.Answer{Fields: fields})
}
