// Package notifier tells subscribers what becomes of what they watch: it takes
// their SUBSCRIBEs and sends them NOTIFYs, each subscription in order and no more
// often than it can bear, and forgets those who are no longer there (RFC 6665).
//
// A [Server] holds all subscriptions of a switch. What can be watched, and how it
// is written, event packages say: each implements [Package] and is named in
// [Config].Packages. When something has changed its owner calls [Server.Changed];
// the state is asked for only when it is written, so that a subscriber who was
// told late is told the latest, and a burst of changes costs one NOTIFY.
//
// The state told is always whole. Its version rises with each NOTIFY about a resource
// to a user, by one within a subscription, also over subscriptions that follow each
// other, and begins above Config.Floor, so that it can be made to rise over restarts too.
//
// A Server is a pure machine, owned by one goroutine: messages and the time go in,
// messages come out. The owner posts all that comes with the Call-ID of a
// subscription to Receive, until Out.Gone names it.
package notifier

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/txn"
)

// Package is an event package (RFC 6665 §5). Its methods run on the goroutine of
// the Server.
type Package interface {
	// Type is the Content-Type of the bodies.
	Type() string
	// Find names what a user watches who subscribes to an address. A code of 300
	// and more refuses the subscription.
	Find(user string, to header.URI) (resource string, code int)
	// Write is the whole state of a resource, as it is now.
	Write(v View) []byte
}

// Asker is a package whose subscribers ask for something besides, in the body of a SUBSCRIBE.
type Asker interface {
	Asked(user, resource string, body []byte)
}

// View is one subscriber's look at a resource.
type View struct {
	Resource string     // as Package.Find has named it
	To       header.URI // what the subscriber calls it
	Version  uint32     // higher than in any earlier body about this resource to this user
}

// Config of a Server. Immutable.
type Config struct {
	Packages map[string]Package // by the name in Event
	Leg      leg.Config         // timers, random numbers, User-Agent
	Local    func(network, transport string) (leg.Local, bool)

	MinExpires time.Duration // shorter subscriptions are refused with 423
	MaxExpires time.Duration // longer ones, and those that ask for nothing, get this
	Pause      time.Duration // between two NOTIFYs of a subscription, on average
	Burst      int           // that many may come at once
	// subscriptions of one user; the oldest gives way. As many may wait for the answer to their last NOTIFY
	PerUser int
	Total   int    // more are refused with 503
	Floor   uint32 // versions are above it
}

// Default is a Config without packages.
//
// Subscriptions are short, as a switch that was killed is noticed by the next
// SUBSCRIBE only. RFC 4235 §3.10 wants no more than a NOTIFY a second; a few may
// follow each other at once, as a call rings, is answered and shown.
func Default() Config {
	return Config{
		Leg: leg.Default(), MinExpires: time.Minute, MaxExpires: 5 * time.Minute,
		Pause: time.Second, Burst: 3, PerUser: 256, Total: 20_000,
	}
}

// Server is all subscriptions. Owned by one goroutine.
type Server struct {
	cfg  Config
	subs map[string]*subscription // by Call-ID
	// how many of them a user has, with those that are over and wait for an answer
	held     map[string]int
	users    map[string][]*subscription   // oldest first; those that are not over
	watched  map[resource][]*subscription // the same
	begun    uint64                       // how many there have been
	touched  []*subscription              // those whose state is another than Out has told
	active   agenda                       // those that have something to say, or wait for an answer
	planned  uint64                       // how many have come there
	sweep    time.Time                    // when those that have run out are looked for
	versions map[version]uint32           // told last, by subscriptions that there are
	top      uint32                       // of all that have been told
	stats    Stats
	out      Out
}

// sweepEvery is how late a subscription may be found to have run out.
const sweepEvery = time.Second

type version struct {
	resource
	user string
}

// Out is what the Server wants done after one input.
type Out struct {
	Packets []leg.Packet
	Changed []State  // of subscriptions that are not as they were: for who keeps them
	Gone    []string // Call-IDs that are of no subscription any more
}

// Stats are totals since New, except On, which is now.
type Stats struct {
	On                    int    // subscriptions
	Sent, Refused, Silent uint64 // NOTIFYs without copies; SUBSCRIBEs refused; subscriptions whose phone did not answer
}

// New is a Server without subscriptions.
func New(cfg Config) *Server {
	return &Server{
		cfg: cfg, top: cfg.Floor, subs: map[string]*subscription{}, held: map[string]int{},
		users:   map[string][]*subscription{},
		watched: map[resource][]*subscription{}, versions: map[version]uint32{},
	}
}

// Subscribe takes a SUBSCRIBE outside of a dialog, of a user who has proved who
// he is. Its Call-ID is the Server's, until Out.Gone names it.
func (s *Server) Subscribe(now time.Time, user string, p leg.Packet) Out {
	req, ok := p.Msg.(*gosip.Request)
	key, whole := txn.KeyOf(req)
	switch {
	case !ok || !whole:
		s.gone(p.CallID())
	case s.subs[p.CallID()] != nil:
		s.again(now, s.subs[p.CallID()], key, p, req)
	default:
		if !s.begin(now, user, key, p, req) {
			s.stats.Refused++
			s.gone(p.CallID())
		}
	}
	return s.flush(now)
}

// Receive takes whatever else comes with the Call-ID of a subscription.
func (s *Server) Receive(now time.Time, p leg.Packet) Out {
	sub := s.subs[p.CallID()]
	switch m := p.Msg.(type) {
	case *gosip.Request:
		s.request(now, sub, p, m)
	case *gosip.Response:
		if sub != nil {
			s.answered(now, sub, m)
		}
	}
	return s.flush(now)
}

// Failed says that the transport could not send p.
func (s *Server) Failed(now time.Time, p leg.Packet) Out {
	if sub := s.subs[p.CallID()]; sub != nil && sub.awaits(p.Msg) {
		s.outcome(now, sub, 503)
	}
	return s.flush(now)
}

// Changed says that a resource of an event package is no longer as it was told.
func (s *Server) Changed(now time.Time, event, name string) Out {
	for _, sub := range s.watched[resource{event, name}] {
		s.owe(sub)
	}
	return s.flush(now)
}

// Over says that a resource is no more. Its subscribers are told how it ended, and that
// nothing follows (RFC 6665 §4.1.3).
func (s *Server) Over(now time.Time, event, name string) Out {
	for _, sub := range slices.Clone(s.watched[resource{event, name}]) {
		s.end(sub, "noresource")
	}
	return s.flush(now)
}

// Moved says that a phone of a user has registered anew and is reached by flow
// now. It is known by its Contact.
func (s *Server) Moved(now time.Time, user, contact string, flow leg.Flow) Out {
	at, err := header.ParseURI(contact)
	for _, sub := range s.users[user] {
		if to, bad := header.ParseURI(sub.Dialog.Target); err == nil && bad == nil && to.Host == at.Host &&
			to.Port == at.Port {
			s.move(now, sub, flow)
		}
	}
	return s.flush(now)
}

// Close ends all subscriptions: the switch goes down, and phones are to come
// again (RFC 6665 §4.1.3, probation) when it may be up.
func (s *Server) Close(now time.Time, again time.Duration) Out {
	for _, user := range slices.Sorted(maps.Keys(s.users)) {
		for _, sub := range slices.Clone(s.users[user]) {
			sub.Spent = time.Time{}
			s.end(sub, "probation;retry-after="+seconds(again))
		}
	}
	return s.flush(now)
}

// Deadline is when Tick wants to be called; false: never, as things stand.
func (s *Server) Deadline() (at time.Time, ok bool) {
	at = s.sweep
	if len(s.active) > 0 && (at.IsZero() || s.active[0].due.Before(at)) {
		at = s.active[0].due
	}
	return at, !at.IsZero()
}

// Tick lets everything act that is due.
func (s *Server) Tick(now time.Time) Out {
	for _, sub := range s.acts(now) {
		s.tick(now, sub)
		s.activate(sub)
	}
	if due(s.sweep, now) {
		s.expire(now)
	}
	return s.flush(now)
}

// expire ends the subscriptions that nobody has refreshed.
func (s *Server) expire(now time.Time) {
	for _, user := range slices.Sorted(maps.Keys(s.users)) {
		for _, sub := range slices.Clone(s.users[user]) {
			if due(sub.Until, now) {
				s.end(sub, "timeout")
			}
		}
	}
	s.sweep = now.Add(sweepEvery)
}

// Top is the highest version told so far.
func (s *Server) Top() uint32 { return s.top }

// Stats counts now.
func (s *Server) Stats() Stats { return s.stats }

// Events lists the names of the packages, as Allow-Events has them.
func (s *Server) Events() string {
	names := make([]string, 0, len(s.cfg.Packages))
	for name := range s.cfg.Packages {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// flush sends what is owed and may be sent, and hands everything out.
func (s *Server) flush(now time.Time) Out {
	for _, sub := range s.touched {
		s.turn(now, sub)
		if s.plan(sub); sub.done() && s.subs[sub.Dialog.CallID] == sub {
			s.bury(sub)
		}
	}
	switch {
	case len(s.users) == 0:
		s.sweep = time.Time{}
	case s.sweep.IsZero():
		s.sweep = now.Add(sweepEvery)
	}
	out := s.out
	out.Changed = s.takeTouched()
	s.out = Out{}
	return out
}

// bury takes what nobody has to be told of any more out of all books. What its user is
// told next of the resource begins above everything told so far.
func (s *Server) bury(sub *subscription) {
	delete(s.subs, sub.Dialog.CallID)
	if s.held[sub.User]--; s.held[sub.User] == 0 {
		delete(s.held, sub.User)
	}
	if !slices.ContainsFunc(s.watched[sub.What], func(o *subscription) bool { return o.User == sub.User }) {
		delete(s.versions, version{sub.What, sub.User})
	}
	s.gone(sub.Dialog.CallID)
}

func (s *Server) gone(callID string) { s.out.Gone = append(s.out.Gone, callID) }

func (s *Server) put(m gosip.Message, flow leg.Flow) {
	s.out.Packets = append(s.out.Packets, leg.Packet{Msg: m, Flow: flow})
}

func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
