package exchange

import (
	"slices"
	"strings"

	"liandong/routing/call"
	"liandong/sip/event"
)

// light shows what the call lights, if that has changed.
func (c *Core) light() {
	if now := c.lights(); !slices.Equal(now, c.lit) {
		c.lit = now
		c.world.Lamps.Show(c.state.Ref, now)
	}
}

// lights are the lamps of everybody in the call.
func (c *Core) lights() []Light {
	if c.state.Over() || c.state.Phase == "" {
		return nil
	}
	var all []Light
	for _, p := range c.parties {
		if x, ok := c.seatLight(p); ok {
			all = append(all, x)
		}
	}
	all = append(all, c.lineLights()...)
	for _, g := range c.state.Glows() {
		x := Light{Lamp: verbLamp(string(g.Verb), g.Seat), State: event.Confirmed, Calls: true, Who: g.With, At: c.state.At}
		if g.Early {
			x.State = event.Early
		}
		all = append(all, x)
	}
	return all
}

// seatLight is a desk that rings or talks, or a phone that has called a line.
func (c *Core) seatLight(p *party) (x Light, ok bool) {
	if p == nil {
		return x, false
	}
	l, in := c.state.Leg(p.id)
	switch {
	case p.gone || !in:
		return x, false
	case p.id == call.CallerLeg:
		if x = c.dialogOf(p, c.origin.User, true); c.origin.User == "" {
			return x, false
		}
		x.Who = c.state.Dialed
	default:
		if x = c.dialogOf(p, p.seat, p.calls); p.seat == "" {
			return x, false
		}
		x.Who = c.whoFor(l.Hotline)
	}
	x.State = event.Early
	if l.Up || p.lender.peer != nil { // a guest talks already
		x.State = event.Confirmed
	}
	// A phone that has not said that it rings does not.
	return x, l.Up || x.CallID != ""
}

// dialogOf names the dialog of a party as its phone does.
func (c *Core) dialogOf(p *party, user string, calls bool) Light {
	x := Light{Lamp: seatLamp(user), Calls: calls, At: c.state.At}
	if ours, theirs := p.leg.Tags(); theirs != "" && !c.telltale(p, user) {
		x.CallID, x.Tags = p.leg.CallID(), [2]string{theirs, ours}
	}
	return x
}

// telltale says that a dialog cannot be named to all who watch: its phone has made
// the Call-ID of its address, and a seat of the line is on the other network.
func (c *Core) telltale(p *party, user string) bool {
	line, ok := c.dir.At(user)
	return ok && p.calls && strings.Contains(p.leg.CallID(), "@") && slices.ContainsFunc(line.Seats, func(other string) bool {
		a, b := c.dir.Seats[other], c.dir.Seats[user]
		return a != nil && a.Network != b.Network
	})
}

// lineLights are the lines that seek a desk for the call, or whose desks have it.
func (c *Core) lineLights() (all []Light) {
	add := func(line string, x Light) {
		i := slices.IndexFunc(all, func(o Light) bool { return o.Lamp == lineLamp(line) })
		x.Lamp, x.Who, x.At = lineLamp(line), c.whoFor(line), c.state.At
		switch {
		case i < 0:
			all = append(all, x)
		case x.rank() < all[i].rank():
			all[i] = x
		}
	}
	if h := c.state.Hunt; h != nil {
		add(h.Hotline, Light{State: event.Early})
	}
	for _, l := range c.state.Legs {
		if l.ID == call.CallerLeg {
			continue
		}
		if x, ok := c.seatLight(c.party(l.ID)); ok {
			add(l.Hotline, x)
		} else if l.Up { // behind a trunk, or lent to another call
			add(l.Hotline, Light{State: event.Confirmed})
		}
	}
	return all
}

// whoFor is the caller as the desks of a line may see him: "" withheld.
func (c *Core) whoFor(line string) string {
	if !c.shown(c.dir.Hotlines[line]) {
		return ""
	}
	return c.callerID("") // whoever watches, from whichever network
}
