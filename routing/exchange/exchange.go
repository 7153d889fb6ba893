// Package exchange runs the calls: one actor per call, which owns the call's
// state, its legs and its timers, and carries out what package call decides
// through signalling (sip/leg, sip/ua), sound (media/engine) and tickets
// (routing/outbox).
package exchange

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/routing/verb"
	"liandong/sip/admission"
	"liandong/sip/leg"
	"liandong/sip/notifier"
	"liandong/sip/ua"
)

// Config is what an exchange is made of.
type Config struct {
	Directory *desk.Directory // at the start; see [Exchange.SetDirectory]
	Leg       leg.Config      // the same
	Sessions  func(ref string, sink func(engine.Event)) Media
	Wire      Transport
	Trunks    Trunks // nil: each trunk is reached at its Target alone
	Tickets   Tickets
	// Tell publishes a call event: from any goroutine, must not block, has the item for itself.
	Tell func(news.Item)
	// Trace is told whose each dialog is and what is heard, as Tell; nil: nobody is.
	Trace    func(news.Item)
	Seat     func(user string) // is told of each seat whose state may be another, as Tell; nil: nobody is
	NewID    func(now time.Time) string
	Record   Recorder  // nil: nothing is recorded
	Versions *Versions // of what subscribers are told; nil: from 1
	NewRef   func() string

	Journal  *journal.Journal // nil: no call outlives the process
	Clock    *journal.Clock   // nil: the journal's, or one that begins now
	Restored func(ref string, sink func(engine.Event), legs []engine.LegState) (Media, error)
	Retape   Retaper // nil: a recording ends with the process

	// Late takes the keys that are pressed after Leave; nil: nobody does.
	Late func(LateKey)

	// Accounts has the journal keep the record of each call (kind [journal.Account], by call_ref) until whoever is told
	// of it, by Tell, deletes it there.
	Accounts bool

	// Turns bound how many calls are worked on at once; nil: nothing does.
	Turns *admission.Turns

	// Skip is how many CSeqs are left out in dialogs that are gone on with: another machine may have used as many since
	// it told of them (RFC 3261 §12.2.2: a lower one is refused).
	Skip uint32

	// Renew has calls that are gone on with offer their sessions again: for a while nobody carried them, and who has
	// given up or is at another address by now is to say so. One goes after the other, by renewPace.
	Renew bool

	Shared Shared // with other switches; nil: there are none

	// Still says that it is not known whether another machine carries the calls: nothing goes on in them, no timer runs
	// out, until it is; nil: never.
	Still func() bool
}

// Transport is the part of sip/ua that calls use.
type Transport interface {
	Send(leg.Packet)
	Bind(callID string, s ua.Sink)
	Unbind(callID string, s ua.Sink)
	Sink(callID string) (ua.Sink, bool)
	Locate(user string) []ua.Binding
	Reachable(user string) bool // it has one
	Local(network, transport string) (leg.Local, bool)
}

// Exchange holds all calls. Guarded by mu where marked; an actor never takes
// the lock while it works.
type Exchange struct {
	cfg      Config
	rules    atomic.Pointer[rules]
	worlds   World // what those of all calls have in common
	log      *slog.Logger
	seats    *Seats
	lamps    *Lamps
	rosters  *Rosters
	subs     *subscriptions
	stop     chan struct{}
	wg       sync.WaitGroup
	tending  sync.WaitGroup // attend
	panics   atomic.Uint64
	astray   atomic.Uint64
	restored atomic.Uint64 // calls of the process before that go on
	lost     atomic.Uint64 // calls that could not go on
	renewed  atomic.Int64  // sessions of calls that go on that are offered again
	total    atomic.Uint64
	on       atomic.Int64  // calls that are on
	moves    atomic.Uint64 // how often a phone was elsewhere than before
	leaving  atomic.Bool   // another process goes on with the calls

	mu      sync.Mutex
	counted counted
	calls   map[string]*actor // by call reference
	phones  map[string]string // where the phones of a user were when it was last told

	concerned map[string]map[*actor]struct{} // by user: the calls that have to do with a phone of his

	closed bool

	draining bool // guarded by mu; no new calls
	turned   turned
}

// rules are what new calls go by. Immutable.
type rules struct {
	dir  *desk.Directory
	leg  leg.Config
	keys verb.Keymap
}

// SetDirectory lets new calls go by other lines, seats, keys and timers. Calls that are on keep theirs.
func (x *Exchange) SetDirectory(d *desk.Directory, l leg.Config) {
	keys, err := verb.NewKeymap(d.Keys)
	if err != nil {
		x.log.Error("bug: keys that the config was not to have", "err", err)
	}
	x.rules.Store(&rules{d, l, keys})
}

// directory is what new calls go by.
func (x *Exchange) directory() *desk.Directory { return x.rules.Load().dir }

// New makes an exchange with no calls. It implements [ua.Handler].
func New(cfg Config, log *slog.Logger) *Exchange {
	if cfg.Journal != nil && cfg.Clock == nil {
		cfg.Clock = cfg.Journal.Clock()
	}
	if cfg.Clock == nil {
		cfg.Clock = journal.NewClock(time.Now)
	}
	x := &Exchange{cfg: cfg, log: log, stop: make(chan struct{}), calls: map[string]*actor{},
		counted: counted{trunks: map[string]int{}, begun: map[string]int{}},
		phones:  map[string]string{}, turned: turned{}, concerned: map[string]map[*actor]struct{}{}}
	x.SetDirectory(cfg.Directory, cfg.Leg)
	x.seats = NewSeats(cfg.Wire.Reachable)
	if cfg.Seat != nil {
		x.seats.changed = cfg.Seat
	}
	if cfg.Shared != nil {
		x.seats.Share(cfg.Shared)
	}
	x.seats.keep = x.keepAgent
	x.seats.lineOf = func(seat string) *desk.Hotline { line, _ := x.directory().At(seat); return line }
	x.lamps = NewLamps(x.lampChanged)
	x.rosters = NewRosters(func(name string, over bool) { x.subs.tell(change{conferenceEvent, name, over}) })
	told := notifier.Default()
	told.Packages = map[string]notifier.Package{lampEvent: dialogs{x.lamps, x.directory},
		conferenceEvent: conferencePackage{x.rosters}, featureEvent: x.features()}
	x.subs = newSubscriptions(told, x)
	x.worlds = x.sharedWorld()
	x.restoreAgents()
	x.restoreHeld()
	if cfg.Journal == nil { // else Restore does
		x.begin()
	}
	return x
}

// begin starts the goroutines that no call owns.
func (x *Exchange) begin() {
	x.subs.begin()
	x.tending.Go(x.attend)
}

// now is the time of calls: see [journal.Clock].
func (x *Exchange) now() time.Time { return x.cfg.Clock.Now() }

func (x *Exchange) lampChanged(lamp string) {
	for _, name := range lampNames(lamp) {
		x.subs.changed(lampEvent, name)
	}
}

// SeatOnline tells that a user's phone has registered: a waiting call may have
// it, and a call that has it already learns where it is now.
func (x *Exchange) SeatOnline(user string) {
	x.seats.Online(user)
	x.subs.moved(user)
	holder, _ := x.seats.Holder(user)
	at := fmt.Sprint(x.places(user))
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.phones[user] != at {
		x.moves.Add(1)
	}
	x.phones[user] = at
	for a := range x.concerned[user] {
		x.hasMoved(a, user)
	}
	if a := x.calls[holder]; a != nil && !slices.Contains(a.users, user) {
		x.hasMoved(a, user)
	}
}

func (x *Exchange) hasMoved(a *actor, user string) {
	a.inbox.put(input{ask: func(c *Core) { c.Moved(x.now(), user) }}, usual)
}

// concerns registers the users whose phones are in a call, so that nobody has to ask every call. A user whose phone
// has moved since the call's last step began is reported to it again: that step may have used the old address.
func (x *Exchange) concerns(a *actor, users []string, moves uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, user := range a.users {
		if !slices.Contains(users, user) {
			x.forgets(a, user)
		}
	}
	for _, user := range users {
		if slices.Contains(a.users, user) {
			continue
		}
		if x.concerned[user] == nil {
			x.concerned[user] = map[*actor]struct{}{}
		}
		x.concerned[user][a] = struct{}{}
		if x.moves.Load() != moves {
			x.hasMoved(a, user)
		}
	}
	a.users = slices.Clone(users)
}

// forgets: caller holds mu.
func (x *Exchange) forgets(a *actor, user string) {
	if delete(x.concerned[user], a); len(x.concerned[user]) == 0 {
		delete(x.concerned, user)
	}
}

// Incoming opens a call for an INVITE that begins a dialog, or brings it into
// the call that it is meant for or that the phone is in; a SUBSCRIBE goes to the subscriptions. nil: no room.
func (x *Exchange) Incoming(o ua.Origin, p leg.Packet) ua.Sink {
	if p.Method() == "SUBSCRIBE" {
		return x.subs.incoming(o.User, p)
	}
	if a := x.callOf(o, p); a != nil && a.crowded() {
		return nil
	} else if a != nil && a.inbox.put(input{dials: &dials{o, p}}, usual) {
		return a
	}
	a := x.open(o, p)
	if a == nil {
		x.TurnedAway(o, p, x.now())
		return nil // not a nil *actor in the interface
	}
	return a
}

// callOf is the call that an INVITE is to come into; nil: it opens one.
func (x *Exchange) callOf(o ua.Origin, p leg.Packet) *actor {
	_, enters := leg.Entered(p)
	if o.User == "" && !enters {
		return nil
	}
	if _, _, ok := verb.OfSeat(x.directory().Services[leg.RequestUser(p)]); ok && !enters {
		return nil
	}
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
	dir := x.directory()
	if x.draining || !x.admits(dir, o, p) {
		return nil
	}
	a := &actor{inbox: x.inbox(), ex: x, ref: x.cfg.NewRef(), user: o.User, trunk: o.Trunk}
	world := x.world(a, x.cfg.Sessions(a.ref, a.sound))
	a.core = NewCore(world, dir, o, a.ref)
	a.inbox.put(input{packet: &ua.Inbound{Packet: p}}, own)
	x.enter(a)
	if !o.Test {
		x.total.Add(1)
	}
	x.wg.Go(a.run)
	return a
}

func (x *Exchange) inbox() *inbox[input] {
	return inTurn[input](inboxRoom, x.cfg.Turns.Turn(admission.InCall))
}

// sharedWorld is the switch as all calls see it.
func (x *Exchange) sharedWorld() World {
	w := World{
		Seats:   x.seats,
		Lamps:   x.lamps,
		Rosters: x.rosters,
		Trunks:  x.cfg.Trunks,
		Tickets: x.cfg.Tickets,
		Places:  x.places,
		Local:   x.cfg.Wire.Local,
		Tell:    x.cfg.Tell,
		Trace:   x.cfg.Trace,
		NewID:   x.cfg.NewID,
		Post:    x.post,
		Wall:    x.cfg.Clock.Wall,
		Record:  x.cfg.Record,
		Retape:  x.cfg.Retape,
		Astray:  func() { x.astray.Add(1) },
		Skip:    x.cfg.Skip,
	}
	if x.cfg.Journal != nil {
		w.Keep, w.Timed, w.Accounts = x.cfg.Journal.Write, x.cfg.Journal.Timed, x.cfg.Accounts
	}
	if x.cfg.Renew {
		w.Renew = func() time.Duration { return time.Duration(x.renewed.Add(1)-1) * renewPace }
	}
	return w
}

// world is the switch as one call sees it.
func (x *Exchange) world(a *actor, media Media) World {
	w, rules := x.worlds, x.rules.Load()
	w.Wire, w.Media = bound{x.cfg.Wire, a}, media
	w.Offer = func(s call.SeatsFound) bool { return a.inbox.put(input{seats: &s}, own) }
	w.Find = func(callID string) (string, bool) { return x.other(a, callID) }
	w.Bug, w.Leg, w.Keys, w.Log = a.bug, rules.leg, rules.keys, x.log.With("call", a.ref)
	return w
}

// other is another call than a's that has a dialog of this Call-ID.
func (x *Exchange) other(a *actor, callID string) (ref string, ok bool) {
	s, _ := x.cfg.Wire.Sink(callID)
	at, ok := s.(*actor)
	if !ok || at == a {
		return "", false
	}
	return at.ref, true
}

// post brings a letter to the call that it is for.
func (x *Exchange) post(l Letter) bool {
	a := x.actor(l.To)
	return a != nil && a.inbox.put(input{letter: &l}, own)
}

// places is where the phones of a seat have registered.
func (x *Exchange) places(user string) (all []Place) {
	for _, b := range x.cfg.Wire.Locate(user) {
		b.Flow.Symmetric = true // phones sit behind NAT more often than not
		all = append(all, Place{URI: b.Contact, Before: b.Before, Path: b.Path, Flow: b.Flow})
	}
	return all
}

// gone takes an actor that has ended out of the books. Seats that were
// promised to it in its last moment are given back, and who asked in it is
// answered.
func (x *Exchange) gone(a *actor) {
	if x.leaving.Load() {
		return
	}
	for _, in := range a.inbox.close() {
		switch {
		case in.packet != nil:
			a.core.hears(in.packet.Packet)
		case in.kept != "":
			a.core.takesKey(in.kept)
		case in.seats != nil:
			for _, s := range in.seats.Seats {
				x.seats.Release(a.ref, s, x.now())
			}
		case in.press != nil:
			in.press.done <- ErrGone
		case in.dials != nil: // too late: it opens a call of its own
			x.reopen(a, *in.dials)
		case in.letter != nil:
			a.guard(func() { a.core.Take(x.now(), *in.letter) })
		case in.ask != nil:
			a.guard(func() { in.ask(a.core) })
		}
	}
	a.core.Close()
	x.mu.Lock()
	x.remove(a)
	x.mu.Unlock()
}

// reopen gives an INVITE that its call did not take a call of its own, or lets its
// phone send it again.
func (x *Exchange) reopen(from *actor, d dials) {
	id := d.packet.CallID()
	if a := x.open(d.origin, d.packet); a != nil {
		x.cfg.Wire.Bind(id, a)
		return
	}
	x.cfg.Wire.Unbind(id, from)
}

// pressWait is how long a request from outside waits for a call to take it.
const pressWait = 2 * time.Second

// Press carries out a verb for the desk of a user, in the call named or, with
// no call named, in whichever call the user is. It waits for the call to take
// it.
func (x *Exchange) Press(ref, user string, v verb.Verb) error {
	if ref == "" {
		ref, _ = x.seats.Talks(user)
	}
	a := x.actor(ref)
	done := make(chan error, 1)
	if a == nil || !a.inbox.put(input{press: &press{user, v, done}}, usual) {
		return ErrGone
	}
	select {
	case err := <-done:
		return err
	case <-time.After(pressWait):
		return ErrBusy
	}
}

// Call is the state of one call; false: it is over.
func (x *Exchange) Call(ref string) (call.Call, bool) {
	a := x.actor(ref)
	got := make(chan call.Call, 1)
	if a == nil || !a.inbox.put(input{ask: func(c *Core) { got <- c.State() }}, usual) {
		return call.Call{}, false
	}
	select {
	case c := <-got:
		return x.shown(c), !c.Over() && c.Phase != "" && !c.Test
	case <-time.After(pressWait):
	case <-x.stop:
	}
	return call.Call{}, false
}

// Calls lists the state of every call that is not over, oldest first. All are asked at once, and those that are over
// are not. When none answers any more, those that have not are left out.
func (x *Exchange) Calls() []call.Call {
	on := x.actorsOn()
	got := make(chan call.Call, len(on))
	asked := 0
	for _, a := range on {
		if a.inbox.put(input{ask: func(c *Core) { got <- c.State() }}, usual) {
			asked++
		}
	}
	var all []call.Call
	still, patience := x.still(), time.NewTimer(pressWait)
	defer patience.Stop()
	for asked > 0 {
		select {
		case c := <-got:
			asked--
			if !c.Over() && c.Phase != "" && !c.Test {
				all = append(all, x.shown(c))
			}
		case <-patience.C:
			before := still
			if still = x.still(); !before && !still { // else none was to answer
				asked = 0
			}
		case <-x.stop:
			return all
		}
		patience.Reset(pressWait)
	}
	slices.SortFunc(all, func(a, b call.Call) int { return strings.Compare(a.At.String()+a.Ref, b.At.String()+b.Ref) })
	return all
}

// actorsOn are those of calls that are not over.
func (x *Exchange) actorsOn() []*actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]*actor, 0, max(x.counted.on, 0))
	for _, a := range x.calls {
		if a.counts {
			all = append(all, a)
		}
	}
	return all
}

// shown is a call with its times as a clock on the wall shows them.
func (x *Exchange) shown(c call.Call) call.Call {
	wall := x.cfg.Clock.Wall
	c.At, c.JoinedAt = wall(c.At), wall(c.JoinedAt)
	if m := c.Matter; m != nil {
		at := *m
		at.KeyAt, at.Answered = wall(m.KeyAt), wall(m.Answered)
		c.Matter = &at
	}
	return c
}

func (x *Exchange) actors() []*actor {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Values(x.calls))
}

// Drain refuses new calls; those that are on go on, also with more parties.
func (x *Exchange) Drain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.draining = true
}

// Draining says that no new calls are taken.
func (x *Exchange) Draining() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.draining
}

// Farewell tells all who talk that they are cut off after grace, and turns away who waits to be answered.
func (x *Exchange) Farewell(grace time.Duration) {
	x.Drain()
	x.end(grace)
}

func (x *Exchange) end(grace time.Duration) {
	for _, a := range x.actors() {
		a.inbox.put(input{ask: func(c *Core) { c.End(x.now(), grace) }}, own)
	}
}

// stopGrace is how long Stop lets farewells be repeated until they are answered.
const stopGrace = time.Second

// Stop refuses new calls, says goodbye in those that are on, and waits for all
// actors to end.
func (x *Exchange) Stop() {
	x.mu.Lock()
	closed := x.closed
	x.closed, x.draining = true, true
	x.mu.Unlock()
	if closed {
		return
	}
	x.end(0)
	x.subs.close()
	ended := make(chan struct{})
	go func() { x.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(stopGrace):
	}
	close(x.stop)
	<-ended
	x.tending.Wait()
	x.subs.end()
}

// Leave lets go of all calls as they are stored, for another process to go on with, and waits for the actors. Nothing
// is said to anybody.
func (x *Exchange) Leave() {
	x.mu.Lock()
	closed := x.closed
	x.closed = true
	x.mu.Unlock()
	if closed {
		return
	}
	x.leaving.Store(true)
	close(x.stop)
	x.wg.Wait()
	x.tending.Wait()
	x.subs.end()
}

// Stats are figures for the metrics page.
type Stats struct {
	Live, Total, Panics uint64
	Astray              uint64 // states of calls that no call can be in
	Restored, Lost      uint64 // calls of the process before that go on, and that cannot
	SeatsBusy           int
	Subscribers         notifier.Stats
}

// Stats counts now.
func (x *Exchange) Stats() Stats {
	return Stats{
		Live: uint64(max(x.on.Load(), 0)), Total: x.total.Load(), Panics: x.panics.Load(), Astray: x.astray.Load(),
		Restored: x.restored.Load(), Lost: x.lost.Load(), SeatsBusy: x.seats.Busy(), Subscribers: *x.subs.stats.Load(),
	}
}

// bound is the transport with this call's inbox as the sink.
type bound struct {
	Transport
	sink ua.Sink
}

func (b bound) Bind(callID string) { b.Transport.Bind(callID, b.sink) }

func (b bound) Unbind(callID string) { b.Transport.Unbind(callID, b.sink) }
