package call

import (
	"liandong/routing/verb"
)

// VerbLamp is a verb of a desk that goes on, for the lamp of its key.
type VerbLamp struct {
	Verb  verb.Name
	Seat  string // whose verb it is
	With  string // the other line, "" none
	Early bool   // somebody rings for it
}

// verbOf is the verb that a phase comes of.
var verbOf = map[Phase]verb.Name{
	HandingOver: verb.Handover, Consulting: verb.Consult, Conferencing: verb.Conference, ThreeWay: verb.Conference,
}

// VerbLamps are the verbs that go on in the call, of the desks that are still in it.
func (c *Call) VerbLamps() (all []VerbLamp) {
	for _, l := range c.Legs {
		if l.Seat == "" || !l.Up {
			continue
		}
		if v, ok := verbOf[c.Phase]; ok && c.Matter != nil && c.Matter.FromAgent == l.Seat {
			all = append(all, VerbLamp{Verb: v, Seat: l.Seat, With: c.Matter.To, Early: len(c.Rung()) > 0})
		}
		if c.Recording.On {
			all = append(all, VerbLamp{Verb: verb.Record, Seat: l.Seat})
		}
		if c.Urgent {
			all = append(all, VerbLamp{Verb: verb.Urgent, Seat: l.Seat})
		}
	}
	return all
}

// Rung lists the legs that ring.
func (c *Call) Rung() (all []Leg) {
	for _, l := range c.Legs {
		if l.ID != CallerLeg && !l.Up {
			all = append(all, l)
		}
	}
	return all
}
