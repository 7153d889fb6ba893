// Package exchange runs the calls: one actor per call, which owns the call's
// state, its legs and its timers, and carries out what package call decides
// through signalling (sip/leg, sip/ua), sound (media/engine) and tickets
// (routing/outbox).
package exchange

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/verb"
	"liandong/sip/leg"
	"liandong/sip/notifier"
	"liandong/sip/ua"
)

// Config is what an exchange is made of.
type Config struct {
	Directory *desk.Directory
	Leg       leg.Config
	MaxCalls  int // more are refused with 503; 0: no limit
	Sessions  func(ref string, sink func(engine.Event)) Media
	Wire      Transport
	Trunks    Trunks // nil: each trunk is reached at its Target alone
	Tickets   Tickets
	Tell      func(event string, fields map[string]string) // from any goroutine; must not block; has the fields for itself
	NewID     func(now time.Time) string
	Record    Recorder  // nil: nothing is recorded
	Versions  *Versions // of what subscribers are told; nil: from 1
	NewRef    func() string
}

// Transport is the part of sip/ua that calls use.
type Transport interface {
	Send(leg.Packet)
	Bind(callID string, s ua.Sink)
	Unbind(callID string)
	Sink(callID string) (ua.Sink, bool)
	Locate(user string) []ua.Binding
	Local(network, transport string) (leg.Local, bool)
}

// Exchange holds all calls. Guarded by mu where marked; an actor never takes
// the lock while it works.
type Exchange struct {
	cfg    Config
	log    *slog.Logger
	seats  *Seats
	lamps  *Lamps
	rooms  *Rooms
	tells  *publisher
	stop   chan struct{}
	wg     sync.WaitGroup
	panics atomic.Uint64
	total  atomic.Uint64

	mu     sync.Mutex
	calls  map[string]*actor // by call reference
	closed bool
}

// New makes an exchange with no calls. It implements [ua.Handler].
func New(cfg Config, log *slog.Logger) *Exchange {
	x := &Exchange{cfg: cfg, log: log, stop: make(chan struct{}), calls: map[string]*actor{}}
	x.seats = NewSeats(func(user string) bool { return len(cfg.Wire.Locate(user)) > 0 })
	x.lamps = NewLamps(x.lampChanged)
	x.rooms = NewRooms(func(name string) { x.tells.changed(roomEvent, name) })
	told := notifier.Default()
	told.Packages = map[string]notifier.Package{lampEvent: dialogs{x.lamps, cfg.Directory}, roomEvent: rosters{x.rooms}}
	x.tells = newPublisher(told, x)
	return x
}

func (x *Exchange) lampChanged(lamp string) {
	for _, name := range lampNames(lamp) {
		x.tells.changed(lampEvent, name)
	}
}

// SeatOnline tells that a user's phone has registered: a waiting call may have
// it, and a call that has it already learns where it is now.
func (x *Exchange) SeatOnline(user string) {
	x.seats.Online(user)
	x.tells.moved(user)
	holder, _ := x.seats.Holder(user)
	x.mu.Lock()
	defer x.mu.Unlock()
	for ref, a := range x.calls {
		if ref == holder || a.user == user {
			a.inbox.put(input{ask: func(c *Core) { c.Moved(time.Now(), user) }}, false)
		}
	}
}

// Incoming opens a call for an INVITE that begins a dialog, or brings it into
// the call that it is meant for or that the phone is in; a SUBSCRIBE is the publisher's. nil: no room.
func (x *Exchange) Incoming(o ua.Origin, p leg.Packet) ua.Sink {
	if p.Method() == "SUBSCRIBE" {
		return x.tells.incoming(o.User, p)
	}
	if a := x.joins(o, p); a != nil && a.crowded() {
		return nil
	} else if a != nil && a.inbox.put(input{dials: &dials{o, p}}, true) {
		return a
	}
	a := x.open(o, p)
	if a == nil {
		return nil // not a nil *actor in the interface
	}
	return a
}

// joins is the call that an INVITE is to come into; nil: it opens one.
func (x *Exchange) joins(o ua.Origin, p leg.Packet) *actor {
	if o.User == "" {
		return nil
	}
	_, enters := leg.Entered(p)
	if ref, ok := x.seats.Talks(o.User); ok && !enters {
		return x.actor(ref)
	}
	return x.entered(o, p)
}

// actor is the call of a reference; nil: it is over.
func (x *Exchange) actor(ref string) *actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.calls[ref]
}

// open starts the actor of a call with the INVITE in its inbox: nothing, Stop
// least of all, can come before it.
func (x *Exchange) open(o ua.Origin, p leg.Packet) *actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || x.cfg.MaxCalls > 0 && len(x.calls) >= x.cfg.MaxCalls || x.begun(o.User) >= maxBegun {
		return nil
	}
	a := &actor{inbox: newInbox[input](inboxRoom), ex: x, ref: x.cfg.NewRef(), user: o.User}
	world := x.world(a)
	core, err := NewCore(world, x.cfg.Directory, o, a.ref)
	if err != nil {
		world.Media.Close()
		x.log.Error("no call can begin", "err", err)
		return nil
	}
	a.core = core
	a.inbox.put(input{packet: &ua.Inbound{Packet: p}}, true)
	x.calls[a.ref] = a
	x.total.Add(1)
	x.wg.Go(a.run)
	return a
}

// maxBegun bounds the calls that one phone has begun, with those refused until their
// ACK: one that dials in a loop is not to take the room of citizens.
const maxBegun = 32

// begun counts the calls of a phone; "" is no phone. Caller holds mu.
func (x *Exchange) begun(user string) (n int) {
	if user == "" {
		return 0
	}
	for _, a := range x.calls {
		if a.user == user {
			n++
		}
	}
	return n
}

// world is the switch as one call sees it.
func (x *Exchange) world(a *actor) World {
	return World{
		Wire:    bound{x.cfg.Wire, a},
		Media:   x.cfg.Sessions(a.ref, a.sound),
		Seats:   x.seats,
		Lamps:   x.lamps,
		Rooms:   x.rooms,
		Trunks:  x.cfg.Trunks,
		Tickets: x.cfg.Tickets,
		Place:   x.place,
		Local:   x.cfg.Wire.Local,
		Offer:   func(s call.SeatsFound) bool { return a.inbox.put(input{seats: &s}, true) },
		Tell:    x.cfg.Tell,
		NewID:   x.cfg.NewID,
		Find:    func(callID string) (Peer, bool) { return x.other(a, callID) },
		Self:    a,
		Record:  x.cfg.Record,
		Leg:     x.cfg.Leg,
		Log:     x.log.With("call", a.ref),
	}
}

// other is another call than a's that has a dialog of this Call-ID.
func (x *Exchange) other(a *actor, callID string) (Peer, bool) {
	s, _ := x.cfg.Wire.Sink(callID)
	at, ok := s.(*actor)
	return at, ok && at != a
}

// place is where a seat's phone has registered last.
func (x *Exchange) place(user string) (Place, bool) {
	at := x.cfg.Wire.Locate(user)
	if len(at) == 0 {
		return Place{}, false
	}
	flow := at[0].Flow
	flow.Symmetric = true // phones sit behind NAT more often than not
	return Place{URI: at[0].Contact, Flow: flow}, true
}

// gone takes an actor that has ended out of the books. Seats that were
// promised to it in its last moment are given back, and who asked in it is
// answered.
func (x *Exchange) gone(a *actor) {
	for _, in := range a.inbox.close() {
		switch {
		case in.seats != nil:
			for _, s := range in.seats.Seats {
				x.seats.Release(a.ref, s, time.Now())
			}
		case in.press != nil:
			in.press.done <- ErrGone
		case in.dials != nil: // too late: it opens a call of its own
			x.reopen(*in.dials)
		case in.ask != nil:
			a.guard(func() { in.ask(a.core) })
		}
	}
	a.core.Close()
	x.mu.Lock()
	delete(x.calls, a.ref)
	x.mu.Unlock()
}

// reopen gives an INVITE that its call did not take a call of its own, or lets its
// phone send it again.
func (x *Exchange) reopen(d dials) {
	id := d.packet.CallID()
	if a := x.open(d.origin, d.packet); a != nil {
		x.cfg.Wire.Bind(id, a)
		return
	}
	x.cfg.Wire.Unbind(id)
}

// pressWait is how long a request from outside waits for a call to take it.
const pressWait = 2 * time.Second

// Press carries out a verb for the desk of a user, in the call named or, with
// no call named, in whichever call the user is. It waits for the call to take
// it.
func (x *Exchange) Press(ref, user string, v verb.Verb) error {
	err := ErrGone
	for _, a := range x.actors() {
		if ref != "" && a.ref != ref {
			continue
		}
		done := make(chan error, 1)
		if !a.inbox.put(input{press: &press{user, v, done}}, false) {
			continue
		}
		select {
		case err = <-done:
		case <-time.After(pressWait):
			err = ErrBusy
		}
		if err == nil || ref != "" {
			return err
		}
	}
	return err
}

// Calls lists the state of every call that is not over, oldest first.
func (x *Exchange) Calls() []call.Call {
	var all []call.Call
	for _, a := range x.actors() {
		got := make(chan call.Call, 1)
		if a.inbox.put(input{ask: func(c *Core) { got <- c.State() }}, false) {
			select {
			case c := <-got:
				if !c.Over() && c.Phase != "" {
					all = append(all, c)
				}
			case <-x.stop:
				return all
			}
		}
	}
	slices.SortFunc(all, func(a, b call.Call) int { return strings.Compare(a.At.String()+a.Ref, b.At.String()+b.Ref) })
	return all
}

func (x *Exchange) actors() []*actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]*actor, 0, len(x.calls))
	for _, a := range x.calls {
		all = append(all, a)
	}
	return all
}

// stopGrace is how long Stop lets farewells be repeated until they are answered.
const stopGrace = time.Second

// Stop refuses new calls, says goodbye in those that are on, and waits for all
// actors to end.
func (x *Exchange) Stop() {
	x.mu.Lock()
	closed := x.closed
	x.closed = true
	x.mu.Unlock()
	if closed {
		return
	}
	for _, a := range x.actors() {
		a.inbox.put(input{ask: func(c *Core) { c.End(time.Now()) }}, true)
	}
	x.tells.close()
	ended := make(chan struct{})
	go func() { x.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(stopGrace):
	}
	close(x.stop)
	<-ended
	x.tells.end()
}

// Stats are figures for the metrics page.
type Stats struct {
	Live, Total, Panics uint64
	SeatsBusy           int
	Subscribers         notifier.Stats
}

// Stats counts now.
func (x *Exchange) Stats() Stats {
	x.mu.Lock()
	live := uint64(len(x.calls))
	x.mu.Unlock()
	return Stats{Live: live, Total: x.total.Load(), Panics: x.panics.Load(), SeatsBusy: x.seats.Busy(), Subscribers: *x.tells.stats.Load()}
}

// bound is the transport with this call's inbox as the sink.
type bound struct {
	Transport
	sink ua.Sink
}

func (b bound) Bind(callID string) { b.Transport.Bind(callID, b.sink) }
