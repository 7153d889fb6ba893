package exchange

import (
	"slices"

	"liandong/routing/call"
	"liandong/sip/leg"
)

// A bug in one place of a call is not to leave its state and the wire at odds. The state after
// a step stands, and what was ordered is carried out to the end, each thing by itself; a
// party with whom something essential could not be done is let go, and the call is told.

// mended runs f and says whether it came to its end. A panic is counted and told, unless
// nobody wants to know of it.
func (c *Core) mended(f func()) (ok bool) {
	if c.world.Bug == nil {
		f()
		return true
	}
	defer func() {
		if r := recover(); r != nil {
			c.world.Bug(r)
			ok = false
		}
	}()
	f()
	return true
}

// step lets the call take a fact, and carries out what it orders.
func (c *Core) step(e call.Event) {
	var effects []call.Effect
	if !c.mended(func() { c.state, effects = call.Step(c.state, c.dir, c.now, e) }) {
		c.untaken(e)
		return
	}
	for _, x := range effects {
		if !c.mended(func() { c.carryOut(x) }) {
			c.undone(x)
		}
	}
}

// untaken: the call could not take a fact, and is as it was before. What only asks for
// something is lost, and may be asked again; of a party that has come or gone the call has to know.
func (c *Core) untaken(e call.Event) {
	switch e := e.(type) {
	case call.DeskCalled:
		c.letGo(e.Leg, leg.Reject{Code: 500})
	case call.PickedUp:
		c.letGo(e.Leg, leg.Reject{Code: 500})
	case call.TakenOver:
		c.letGo(e.Leg, leg.Reject{Code: 500})
	case call.ColleagueJoined:
		c.letGo(e.Leg, leg.Reject{Code: 500})
	case call.SupervisorDialled:
		c.letGo(e.Leg, leg.Reject{Code: 500})
	case call.LegAnswered:
		c.letGo(e.Leg, leg.End{})
		c.fact(call.LegFailed{Leg: e.Leg, Code: 500})
	case call.Arrived, call.LegFailed, call.LegEnded, call.LegTaken, call.JoinFound:
		c.fact(call.Broken{Why: "a party's coming or going could not be taken"})
	case call.Broken:
		c.abandon()
	}
}

// unheard: what a leg has said was not taken to the end.
func (c *Core) unheard(p *party, e leg.Event) {
	switch e := e.(type) {
	case leg.Invited:
		c.letGo(p.ID, leg.Reject{Code: 500})
	case leg.MediaChanged:
		c.mended(func() { c.legEvent(p, e) })
	case leg.Answered:
		c.unrung(p.ID)
	case leg.Failed:
		c.letGo(p.ID, leg.End{})
		c.fact(call.LegFailed{Leg: p.ID, Code: e.Code})
	case leg.Ended:
		c.letGo(p.ID, leg.End{})
		c.fact(call.LegEnded{Leg: p.ID, Lost: e.Cause != leg.Bye && e.Cause != leg.Cancel})
	}
}

// abandon ends a call that cannot even end as it should: its matter is told to the end, and nobody is left
// in silence.
func (c *Core) abandon() {
	c.mended(func() { c.tellLost(c.state) })
	for _, p := range slices.Concat(c.parties, c.lentOut) {
		bye := leg.Command(leg.End{})
		if l, ok := c.state.Leg(p.ID); ok && p.Calls && !l.Up {
			bye = leg.Reject{Code: 500}
		}
		c.letGo(p.ID, bye)
	}
	for line := range c.dir.Hotlines {
		c.world.Seats.Leave(c.state.Ref, line)
	}
	c.state.Phase, c.state.Legs, c.state.Hunt, c.state.Desk, c.state.Partner = call.Ended, nil, nil, 0, 0
	c.state.Second, c.state.Focus, c.state.Supervisors = call.Second{}, call.Focus{}, nil
}

// tellLost tells the matter of a call to its end that the switch cannot carry on.
func (c *Core) tellLost(lost call.Call) {
	for _, e := range call.Owed(lost, c.dir, c.now) {
		c.write(call.Write{Entry: e})
	}
}

// letGo takes a party out of the call as far as that can still be done.
func (c *Core) letGo(id call.LegID, bye leg.Command) {
	if c.mended(func() { c.dismiss(id, bye) }) {
		return
	}
	if p := c.party(id); p != nil && !c.mended(func() { c.farewell(p) }) {
		p.Gone = true
	}
}

// undone: something that the call has ordered has not been done.
func (c *Core) undone(x call.Effect) {
	switch x := x.(type) {
	case call.RingSeat:
		c.unrung(x.Leg)
	case call.RingTrunk:
		c.unrung(x.Leg)
	case call.RingSupervisor:
		c.unrung(x.Leg)
	case call.TakeLeg:
		c.unrung(x.Leg)
	case call.AskJoin:
		c.fact(call.LegFailed{Leg: x.Leg, Code: 500})
	case call.OfferJoin:
		c.fact(call.JoinFailed{Code: 500})
	case call.AnswerCaller:
		c.gone(call.CallerLeg)
	case call.Answer:
		c.gone(x.Leg)
	case call.Succeed:
		c.gone(x.By)
	case call.EndLeg:
		c.letGo(x.Leg, leg.End{})
	case call.Refuse:
		c.letGo(x.Leg, leg.Reject{Code: 500})
	case call.RefuseCaller:
		c.letGo(call.CallerLeg, leg.Reject{Code: 500})
	case call.Hear: // the next step orders it anew
		c.state.Ears = slices.DeleteFunc(slices.Clone(c.state.Ears), func(e call.Ear) bool { return e.Leg == x.Leg })
	}
}

// unrung: a desk could not be rung.
func (c *Core) unrung(id call.LegID) {
	c.letGo(id, leg.End{})
	c.fact(call.LegFailed{Leg: id, Code: 500})
}

// gone: a party could not be answered, and is let go.
func (c *Core) gone(id call.LegID) {
	c.letGo(id, leg.End{})
	c.fact(call.LegEnded{Leg: id, Lost: true})
}
