package exchange

import (
	"slices"
	"strings"

	"liandong/routing/call"
	"liandong/routing/disclose"
	"liandong/sip/event"
)

// updateLamps shows the lamps of the call, if one has changed.
func (c *Core) updateLamps() {
	if c.drawn = c.lampStates(c.drawn[:0]); !slices.Equal(c.drawn, c.lamps) {
		c.lamps, c.drawn = c.drawn, c.lamps
		c.shows = addLamps(addLamps(c.shows, c.drawn), c.lamps)
		c.later(act{do: c.shining})
	}
}

// shine shows the lamps as they were drawn last.
func (c *Core) shine() { c.world.Lamps.Show(c.state.Ref, c.lamps) }

// addLamps adds the names of lamps that are not there.
func addLamps(names []string, states []LampState) []string {
	for i := range states {
		if !slices.Contains(names, states[i].Lamp) {
			names = append(names, states[i].Lamp)
		}
	}
	return names
}

// restoreLamps shows the lamps of the call and who is in its conferences as they were: nobody is told but of what may
// have changed when the process before ended.
func (c *Core) restoreLamps(shows []string) {
	c.lamps, c.rang = c.lampStates(nil), c.addRung(nil)
	c.glanced = c.glance(c.rang)
	c.world.Lamps.show(c.state.Ref, c.lamps)
	for _, lamp := range shows {
		c.later(act{do: func() { c.world.Lamps.changed(lamp) }})
	}
	for _, p := range c.parties {
		if p.Focus != "" && !p.Gone {
			p.shownRoster = Roster{Users: c.users(), Who: c.roster(p)}
			c.world.Rosters.set(p.Focus, p.shownRoster)
		}
	}
}

// lampStates adds the lamps of everybody in the call.
func (c *Core) lampStates(all []LampState) []LampState {
	if c.state.Over() || c.state.Phase == "" {
		return all
	}
	for _, p := range c.parties {
		if x, ok := c.seatLampState(p); ok {
			all = append(all, x)
		}
	}
	all = c.lineLampStates(all)
	for _, g := range c.state.VerbLamps() {
		x := LampState{Lamp: c.lampName(verbLamp(string(g.Verb), ""), g.Seat), State: event.Confirmed, Calls: true,
			Who: g.With, At: c.state.At}
		if g.Early {
			x.State = event.Early
		}
		all = append(all, x)
	}
	return all
}

// seatLampState is a desk that rings or talks, or a phone that has called a line.
func (c *Core) seatLampState(p *party) (x LampState, ok bool) {
	if p == nil {
		return x, false
	}
	l, in := c.state.Leg(p.ID)
	switch {
	case p.Gone || !in:
		return x, false
	case p.ID == call.CallerLeg:
		if x = c.dialogOf(p, c.origin.User, true); c.origin.User == "" {
			return x, false
		}
		x.Who = c.state.Dialed
	default:
		if x = c.dialogOf(p, p.Seat, p.Calls); p.Seat == "" {
			return x, false
		}
		x.Who = c.whoFor(l.Hotline)
	}
	x.State = event.Early
	if l.Up || p.Lender.Ref != "" { // a guest talks already
		x.State = event.Confirmed
	}
	// A phone that has not said that it rings does not.
	return x, l.Up || x.CallID != ""
}

// dialogOf names the dialog of a party as its phone does.
func (c *Core) dialogOf(p *party, user string, calls bool) LampState {
	x := LampState{Lamp: c.lampName(seatLamp(""), user), Calls: calls, At: c.state.At}
	if ours, theirs := p.leg.Tags(); theirs != "" && !c.leaksAddress(p, user) {
		x.CallID, x.Tags = p.leg.CallID(), [2]string{theirs, ours}
	}
	return x
}

// leaksAddress says that a dialog cannot be named to all who watch: its phone has made
// the Call-ID of its address, and a seat of the line is on the other network.
func (c *Core) leaksAddress(p *party, user string) bool {
	line, ok := c.dir.At(user)
	return ok && p.Calls && strings.Contains(p.leg.CallID(), "@") &&
		slices.ContainsFunc(line.Seats, func(other string) bool {
			a, b := c.dir.Seats[other], c.dir.Seats[user]
			return a != nil && a.Network != b.Network
		})
}

// lampName is prefix and name put together. What shines already has a name, which needs no other one made.
func (c *Core) lampName(prefix, name string) string {
	for i := range c.lamps {
		if rest, ok := strings.CutPrefix(c.lamps[i].Lamp, prefix); ok && rest == name {
			return c.lamps[i].Lamp
		}
	}
	return prefix + name
}

// lineLampStates adds the lines that seek a desk for the call, or whose desks have it.
func (c *Core) lineLampStates(all []LampState) []LampState {
	before := len(all)
	add := func(line string, x LampState) {
		x.Lamp, x.Who, x.At = c.lampName(lineLamp(""), line), c.whoFor(line), c.state.At
		i := slices.IndexFunc(all[before:], func(o LampState) bool { return o.Lamp == x.Lamp })
		switch {
		case i < 0:
			all = append(all, x)
		case x.rank() < all[before+i].rank():
			all[before+i] = x
		}
	}
	if h := c.state.Hunt; h != nil {
		add(h.Hotline, LampState{State: event.Early})
	}
	for _, l := range c.state.Legs {
		if l.ID == call.CallerLeg {
			continue
		}
		if x, ok := c.seatLampState(c.party(l.ID)); ok {
			add(l.Hotline, x)
		} else if l.Up { // behind a trunk, or lent to another call
			add(l.Hotline, LampState{State: event.Confirmed})
		}
	}
	return all
}

// whoFor is the caller as the desks of a line may see him: "" withheld.
func (c *Core) whoFor(line string) string {
	return c.caller().ToLine(c.dir.Hotlines[line], disclose.AnyNetwork)
}
