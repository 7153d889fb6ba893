package exchange

import (
	"cmp"
	"regexp"
	"strings"

	"liandong/routing/call"
	"liandong/routing/disclose"
	"liandong/routing/number"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// referred reads a desk's REFER as a verb. It ends here and is never sent on:
// what it asks for the switch does itself, or nobody does. A caller and a trunk
// have no verbs, and a desk reaches only the switch's own lines and seats, and the
// numbers outside that its line permits, so that no transfer runs up charges.
func (c *Core) referred(p *party, e leg.Referred) {
	calls := e.To.Method == "" || e.To.Method == "INVITE"
	switch {
	case e.To.Method == "BYE" && p.User != "" && !p.Gone:
		c.drops(p, e)
		return
	case calls && c.confers(p, e):
		return
	}
	v, to, ok := c.meant(p, e.To.URI)
	if r := e.To.Replaces; r != nil {
		other := c.named(*r)
		if calls && other == nil && c.joinsCalls(p, e) {
			return
		}
		v, to, ok = verb.Verb{Name: verb.Handover}, call.Target{}, c.onePhone(p, other)
	}
	if to.Hotline != "" && p.Focus != "" {
		v = verb.Verb{Name: verb.Conference}
	}
	if !ok || !calls || p.Gone || p.User == "" {
		c.world.Log.Warn("a REFER is refused", "leg", p.ID, "seat", p.Seat)
		c.command(p, leg.Report{ID: e.ID, Code: 603, Phrase: c.notOurs(e)})
		return
	}
	c.attended = c.attended || e.To.Replaces != nil
	c.fact(call.KeyPressed{Leg: p.ID, Verb: v, Stub: c.newID(), To: to, Refer: e.ID, By: referrer(p, e)})
}

// notOurs says why a REFER is refused that names a call which is not here.
func (c *Core) notOurs(e leg.Referred) string {
	if e.To.Replaces == nil {
		return ""
	}
	if _, here := c.world.Find(e.To.Replaces.CallID); here || c.named(*e.To.Replaces) != nil {
		return ""
	}
	return c.unknown(603).Phrase
}

// named is the party whose dialog a Replaces names (RFC 3891 §3).
func (c *Core) named(r header.Replaces) *party {
	for _, p := range c.parties {
		if !p.Gone && p.leg.Named(r) {
			return p
		}
	}
	return nil
}

// meant is what a URI stands for that a desk's phone names in a transfer: a verb,
// a line or one of its seats, or a number outside.
func (c *Core) meant(p *party, u header.URI) (v verb.Verb, to call.Target, ok bool) {
	dialled := cmp.Or(u.User, u.Host)
	if name, ok := c.dir.Services[dialled]; ok {
		v, err := verb.Parse(name)
		return v, to, err == nil
	}
	v = verb.Verb{Name: verb.Handover}
	if line, ok := c.dir.LineByNumber(dialled); ok {
		return v, call.Target{Hotline: line.ID}, true
	}
	if seat, ok := c.dir.Seats[dialled]; ok {
		return v, call.Target{Hotline: seat.Hotline, Seat: dialled}, true
	}
	to, ok = c.outside(p, u)
	return v, to, ok
}

// dialable is a number outside as a phone has to write it: no separators, and
// nothing that would be dialled after it.
var dialable = regexp.MustCompile(`^\+?[0-9]{2,20}$`)

// outside finds the number that a URI names among those that a desk's line permits.
// What is dialled is written anew from its digits: nothing else of the URI goes on.
func (c *Core) outside(p *party, u header.URI) (to call.Target, ok bool) {
	line, ok := c.dir.At(p.User)
	if u.User == "" {
		u.User, u.Host = u.Host, ""
	}
	if !ok || !dialable.MatchString(u.User) || !c.bare(p, u) {
		return to, false
	}
	e164, ok := c.dir.Plan.Normalise(u.User)
	if !ok || !line.Transfer.Permits(e164) {
		return to, false
	}
	return call.Target{Hotline: line.ID, Trunk: line.Transfer.Trunk, Number: number.National(e164)}, true
}

// bare says that a URI is at our host, and asks for nothing but its user part.
func (c *Core) bare(p *party, u header.URI) bool {
	for _, param := range u.Params {
		if key := strings.ToLower(param.Key); key != "user" && key != "transport" {
			return false
		}
	}
	ours := u.Host == "" || strings.EqualFold(u.Host, c.dir.Realm) ||
		u.Host == c.host(leg.Flow{Network: p.Network, Transport: p.Transport})
	return ours && u.Password == "" && u.Headers == ""
}

// referrer is who refers, in the words of the REFER; a phone that says nothing,
// or where it is instead of who, is who it has proved to be.
func referrer(p *party, e leg.Referred) string {
	if e.By.URI.User != "" && !disclose.NamesHost(e.By.URI.User) {
		return e.By.URI.User
	}
	return p.User
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
