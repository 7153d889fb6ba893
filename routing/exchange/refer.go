package exchange

import (
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// referred reads a desk's REFER as a verb. It ends here and is never sent on:
// what it asks for the switch does itself, or nobody does. A caller and a trunk
// have no verbs, and a desk reaches only the switch's own lines and seats, so
// that no transfer runs up charges.
func (c *Core) referred(p *party, e leg.Referred) {
	calls := e.To.Method == "" || e.To.Method == "INVITE"
	switch {
	case e.To.Method == "BYE" && p.user != "" && !p.gone:
		c.drops(p, e)
		return
	case calls && c.confers(p, e):
		return
	}
	v, to, ok := c.meant(e.To.Number())
	if r := e.To.Replaces; r != nil {
		other := c.named(*r)
		if calls && other == nil && c.joinsCalls(p, e) {
			return
		}
		v, to, ok = verb.Verb{Name: verb.Handover}, call.Target{}, c.joins(p, other)
	}
	if to.Hotline != "" && p.focus != "" {
		v = verb.Verb{Name: verb.Conference}
	}
	if !ok || !calls || p.gone || p.user == "" {
		c.world.Log.Warn("a REFER is refused", "leg", p.id, "seat", p.seat)
		c.command(p, leg.Report{ID: e.ID, Code: 603})
		return
	}
	c.attended = c.attended || e.To.Replaces != nil
	c.fact(call.KeyPressed{Leg: p.id, Verb: v, Stub: c.world.NewID(c.now), To: to, Refer: e.ID, By: referrer(p, e)})
}

// named is the party whose dialog a Replaces names (RFC 3891 §3).
func (c *Core) named(r header.Replaces) *party {
	for _, p := range c.parties {
		if !p.gone && p.leg.Named(r) {
			return p
		}
	}
	return nil
}

// meant is what a number stands for that a desk's phone names in a transfer: a
// verb, a line or one of its seats.
func (c *Core) meant(number string) (v verb.Verb, to call.Target, ok bool) {
	if name, ok := c.dir.Services[number]; ok {
		v, err := verb.Parse(name)
		return v, to, err == nil
	}
	v = verb.Verb{Name: verb.Handover}
	if line, ok := c.dir.Dialed(number); ok {
		return v, call.Target{Hotline: line.ID}, true
	}
	if seat, ok := c.dir.Seats[number]; ok {
		return v, call.Target{Hotline: seat.Hotline, Seat: number}, true
	}
	return v, to, false
}

// referrer is who refers, in the words of the REFER; a phone that says nothing,
// or where it is instead of who, is who it has proved to be.
func referrer(p *party, e leg.Referred) string {
	if e.By.URI.User != "" && !namesHost(e.By.URI.User) {
		return e.By.URI.User
	}
	return p.user
}

// referredBy is RFC 3892 with a host of ours: no address of one network shows
// in another.
func referredBy(user, host string) []header.Field {
	if user == "" {
		return nil
	}
	by := header.NameAddr{URI: header.URI{Scheme: "sip", User: user, Host: host}}
	return []header.Field{{Name: "Referred-By", Value: by.String()}}
}
