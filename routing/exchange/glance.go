package exchange

import (
	"slices"
	"strings"

	"liandong/routing/call"
)

// glance is what an onlooker sees of a call: events tell of it whenever it is not as it was. Agents and lines stand
// with commas between.
type glance struct {
	phase                         call.Phase
	desk, partner, ringing, lines string
}

// glance is the call as it is, with those who ring.
func (c *Core) glance(rung []string) glance {
	s := &c.state
	g := glance{phase: s.Phase, ringing: strings.Join(rung, ","), lines: Lines(c.state)}
	if l, ok := s.Leg(s.Desk); ok {
		g.desk = l.Agent()
	}
	if l, ok := s.Leg(s.Partner); ok {
		g.partner = l.Agent()
	}
	return g
}

// addRung adds the desks whose phones have said that they ring.
func (c *Core) addRung(agents []string) []string {
	for _, l := range c.state.Legs {
		p := c.party(l.ID)
		if l.ID == call.CallerLeg || l.Up || p == nil || p.leg == nil || p.Gone || p.Calls || p.Lender.Ref != "" {
			continue
		}
		if _, theirs := p.leg.Tags(); theirs != "" && !slices.Contains(agents, l.Agent()) {
			agents = append(agents, l.Agent())
		}
	}
	return agents
}

// Lines are those that have to do with a call, with commas between: the one called first, that which seeks a desk, and
// those whose desks are in it.
func Lines(c call.Call) string {
	of := []string{c.Hotline}
	add := func(line string) {
		if line != "" && !slices.Contains(of, line) {
			of = append(of, line)
		}
	}
	if h := c.Hunt; h != nil {
		add(h.Hotline)
	}
	for _, l := range c.Legs {
		add(l.Hotline)
	}
	return strings.Join(of, ",")
}

// look tells who has begun to ring, and how the call looks if that is another way than before.
func (c *Core) look() {
	if c.state.Over() || c.state.Phase == "" {
		return
	}
	var room [8]string
	if rung := c.addRung(room[:0]); !slices.Equal(rung, c.rang) {
		rang := c.rang
		c.rang = slices.Clone(rung)
		for _, agent := range c.rang {
			if !slices.Contains(rang, agent) {
				c.rings(agent)
			}
		}
	}
	g := c.glance(c.rang)
	if g == c.glanced {
		return
	}
	c.glanced = g
	it := c.about(call.Tell{What: "state"})
	it.Set("desk", g.desk)
	it.Set("partner", g.partner)
	it.Set("ringing", g.ringing)
	c.publish(it)
}

func (c *Core) rings(agent string) {
	for _, l := range c.state.Legs {
		if l.Agent() == agent && !l.Up {
			c.tell(call.Tell{What: "ringing", Leg: l.ID, Note: l.Hotline})
			return
		}
	}
}
