package exchange

import (
	"slices"
	"sync"

	"liandong/routing/call"
	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/notifier"
)

// Rooms knows the conferences that phones have called, and who is in them. Each call
// shows the whole of its own whenever that has changed. Guarded by mu; nothing under
// the lock blocks.
type Rooms struct {
	changed func(name string) // called under no lock

	mu    sync.Mutex
	rooms map[string]Room
}

// Room is one conference as it is now. Immutable.
type Room struct {
	Users []string // whose phones may watch it
	Who   []event.Attendee
}

// NewRooms is a register without conferences. changed is told of each that is not as
// it was; it must not block.
func NewRooms(changed func(name string)) *Rooms {
	return &Rooms{changed: changed, rooms: map[string]Room{}}
}

// Show is a conference from now on; with nobody in it, and nobody to watch it, it is
// over.
func (r *Rooms) Show(name string, room Room) {
	r.mu.Lock()
	if r.rooms[name] = room; room.Users == nil {
		delete(r.rooms, name)
	}
	r.mu.Unlock()
	r.changed(name)
}

func (r *Rooms) room(name string) (Room, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room, ok := r.rooms[name]
	return room, ok
}

// rosters is the event package of conferences (RFC 4575).
type rosters struct{ rooms *Rooms }

// roomEvent is its name.
const roomEvent = "conference"

func (rosters) Type() string { return event.ConferenceInfo }

// Find: a conference by its own name, for the desks that are in it.
func (r rosters) Find(user string, to header.URI) (name string, code int) {
	room, ok := r.rooms.room(to.User)
	switch {
	case !ok:
		return "", 404
	case !slices.Contains(room.Users, user):
		return "", 403
	}
	return to.User, 0
}

// Write is who is there now; of a conference that is over, nobody.
func (r rosters) Write(v notifier.View) []byte {
	entity := header.URI{Scheme: "sip", User: v.To.User, Host: v.To.Host, Port: v.To.Port}
	room, on := r.rooms.room(v.Resource)
	return event.ConferenceState{Entity: entity.String(), Host: v.To.Host, Version: v.Version, Active: on, Users: room.Who}.XML()
}

// attend shows the conferences of the call, if they have changed.
func (c *Core) attend() {
	for _, p := range c.parties {
		if p.focus == "" {
			continue
		}
		var room Room
		if !p.gone {
			room = Room{Users: c.users(), Who: c.roster(p)}
		}
		if !slices.Equal(room.Users, p.room.Users) || !slices.Equal(room.Who, p.room.Who) {
			p.room = room
			c.world.Rooms.Show(p.focus, room)
		}
	}
}

// users are those whose phones are in the call.
func (c *Core) users() (all []string) {
	for _, p := range c.parties {
		if p.user != "" && !p.gone && !slices.Contains(all, p.user) {
			all = append(all, p.user)
		}
	}
	return all
}

// roster is who is in a conference: once the caller has been brought in, or all
// three talk, everybody who talks there.
func (c *Core) roster(focus *party) []event.Attendee {
	s := &c.state
	who := []event.Attendee{c.attendee(focus.user, s.Desk)}
	if s.Desk == focus.id || s.Phase == call.ThreeWay {
		who = append(who, event.Attendee{User: c.whoFor(c.lineOf(focus.user)), Role: "caller"})
	}
	if s.Partner != 0 && (s.Phase == call.ThreeWay || s.Second.ID == focus.id) {
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
