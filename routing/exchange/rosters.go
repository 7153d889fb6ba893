package exchange

import (
	"slices"
	"sync"

	"liandong/routing/call"
	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/notifier"
)

// Rosters knows the conferences that phones have called, and who is in them. Each call
// shows the whole of its own whenever that has changed. Guarded by mu; nothing under
// the lock blocks.
type Rosters struct {
	changed func(name string, over bool) // called under no lock

	mu      sync.Mutex
	rosters map[string]Roster
}

// Roster is who is in one conference as it is now. Immutable.
type Roster struct {
	Users []string // whose phones may watch it
	Who   []event.Attendee
}

// NewRosters is a register without conferences. changed is told of each that is not as
// it was, or is over; it must not block.
func NewRosters(changed func(name string, over bool)) *Rosters {
	return &Rosters{changed: changed, rosters: map[string]Roster{}}
}

// Show is a conference from now on; with nobody in it, and nobody to watch it, it is
// over.
func (r *Rosters) Show(name string, roster Roster) {
	r.set(name, roster)
	r.changed(name, roster.over())
}

// over says that nobody watches the conference any more, as it is none.
func (r Roster) over() bool { return r.Users == nil }

func (r *Rosters) set(name string, roster Roster) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rosters[name] = roster; roster.over() {
		delete(r.rosters, name)
	}
}

func (r *Rosters) roster(name string) (Roster, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	roster, ok := r.rosters[name]
	return roster, ok
}

// conferencePackage is the event package of conferences (RFC 4575).
type conferencePackage struct{ rosters *Rosters }

// conferenceEvent is its name.
const conferenceEvent = "conference"

func (conferencePackage) Type() string { return event.ConferenceInfo }

// Find: a conference by its own name, for the desks that are in it.
func (r conferencePackage) Find(user string, to header.URI) (name string, code int) {
	roster, ok := r.rosters.roster(to.User)
	switch {
	case !ok:
		return "", 404
	case !slices.Contains(roster.Users, user):
		return "", 403
	}
	return to.User, 0
}

// Write is who is there now; of a conference that is over, nobody.
func (r conferencePackage) Write(v notifier.View) []byte {
	entity := header.URI{Scheme: "sip", User: v.To.User, Host: v.To.Host, Port: v.To.Port}
	roster, on := r.rosters.roster(v.Resource)
	return event.ConferenceState{Entity: entity.String(), Host: v.To.Host, Version: v.Version, Active: on,
		Users: roster.Who}.XML()
}

// attend shows the conferences of the call, if they have changed.
func (c *Core) attend() {
	for _, p := range c.parties {
		if p.Focus == "" {
			continue
		}
		var roster Roster
		if !p.Gone {
			roster = Roster{Users: c.users(), Who: c.roster(p)}
		}
		if !slices.Equal(roster.Users, p.shownRoster.Users) || !slices.Equal(roster.Who, p.shownRoster.Who) {
			p.shownRoster = roster
			c.later(act{do: func() { c.world.Rosters.Show(p.Focus, roster) }})
		}
	}
}

// users are those whose phones are in the call.
func (c *Core) users() (all []string) {
	for _, p := range c.parties {
		if p.User != "" && !p.Gone && !slices.Contains(all, p.User) {
			all = append(all, p.User)
		}
	}
	return all
}

// roster is who is in a conference: once the caller has been brought in, or all
// three talk, everybody who talks there.
func (c *Core) roster(focus *party) []event.Attendee {
	s := &c.state
	who := []event.Attendee{c.attendee(focus.User, s.Desk)}
	if s.Desk == focus.ID || s.Phase == call.ThreeWay {
		who = append(who, event.Attendee{User: c.whoFor(c.lineOf(focus.User)), Role: "caller"})
	}
	if s.Partner != 0 && (s.Phase == call.ThreeWay || s.Second.ID == focus.ID) {
		who = append(who, c.attendee("", s.Partner))
	}
	return who
}

// attendee is a desk with its line as its role.
func (c *Core) attendee(user string, id call.LegID) event.Attendee {
	a := event.Attendee{User: user}
	if l, ok := c.state.Leg(id); ok {
		a.User, a.Role = l.Agent(), l.Hotline
	}
	return a
}

func (c *Core) lineOf(user string) string {
	if line, ok := c.dir.At(user); ok {
		return line.ID
	}
	return ""
}
