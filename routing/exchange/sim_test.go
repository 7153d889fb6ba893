package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/codec"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/ticket"
	"liandong/sip/leg"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// simulation is a whole switch in virtual time: the calls' real cores and legs,
// phones made of real legs, and a network between them that drops, doubles,
// delays and reorders by a seed. Nothing in it waits.
type simulation struct {
	seed  uint64
	rng   *rand.Rand
	now   time.Time
	todo  []todo // what the network and the people will do, soonest first
	seq   int
	dir   *desk.Directory
	seats *Seats
	lamps *Lamps
	rooms *Rooms
	fire  trunk.Choice // the targets of the trunk behind which 119 is
	fault faults

	cores  []*simCall
	phones map[netip.AddrPort]*phone
	board  *simBoard                       // nil: nobody watches lamps
	shown  map[string]bool                 // requests that have told a desk whom it talks with
	moved  map[netip.AddrPort]bool         // where a phone once was
	last   map[[2]netip.AddrPort]time.Time // when the last packet arrives, on each way of a connection
	log    strings.Builder
	trace  bool
	err    error
	ids    *ticket.IDs
	ports  int
	joined int // calls that have become one
	back   int // parties that were lent, and came back
}

type todo struct {
	at  time.Time
	seq int
	do  func()
}

// faults are the network's, as chances per packet.
type faults struct {
	drop, double float64
	delay        time.Duration // the longest; packets overtake each other by it
}

// simCall is one call of the switch with the ports and the outbox it uses.
type simCall struct {
	sim     *simulation
	core    *Core
	ref     string
	began   bool
	bound   map[string]bool
	ids     map[string]time.Time // every Call-ID it ever had, and when the party was first let go
	open    map[engine.LegID]bool
	ears    map[engine.LegID]engine.Listen
	stream  map[engine.LegID]engine.Stream
	entries []ticket.Entry
	number  string    // of the caller
	met     bool      // a partner has answered
	alone   time.Time // since when the caller has nobody, zero: has somebody
	mute    time.Time // since when the caller hears nothing
	closed  bool
	moved   time.Time       // when it has last got a leg
	had     map[string]bool // every Call-ID that was ever bound to it

	taped          map[engine.LegID]int // the channels of the recording
	tapes, stopped int
	paused         bool
}

// simTape is a call's recording.
type simTape struct{ c *simCall }

func (t simTape) Pause(time.Time)  { t.c.paused = true }
func (t simTape) Resume(time.Time) { t.c.paused = false }
func (t simTape) Stop(time.Time)   { t.c.stopped++ }

func (simTape) Put(int, codec.ID, uint32, []byte, time.Time) {}

func (c *simCall) record(r record.Call, _ time.Time) (Recording, error) {
	if r.CallRef != c.ref || len(r.Channels) != 3 {
		c.sim.fail("%s: a recording of %+v", c.ref, r)
	}
	c.tapes++
	return simTape{c}, nil
}

func newSimulation(seed uint64, trace bool) *simulation {
	s := &simulation{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 110)), now: time.Unix(1712109600, 0),
		dir: simDirectory(), phones: map[netip.AddrPort]*phone{}, moved: map[netip.AddrPort]bool{}, last: map[[2]netip.AddrPort]time.Time{}, trace: trace, ports: 20000, ids: ticket.NewIDs(rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})),
	}
	s.seats = NewSeats(func(user string) bool { return s.phoneOf(user).registered })
	s.lamps, s.shown = NewLamps(s.lampChanged), map[string]bool{}
	s.rooms = NewRooms(func(string) {})
	s.dir.OneLine = seed%5 == 0
	for i, id := range []string{"110", "12345", "119"} {
		s.dir.Hotlines[id].Recording = desk.Recording{Mode: desk.RecordMode(seed >> (2 * i) % 3), Announce: "recorded"}
	}
	if seed%4 != 0 { // a quarter of the seeds run on a clean network
		s.fault = faults{drop: s.rng.Float64() * 0.25, double: s.rng.Float64() * 0.25, delay: s.upTo(900 * time.Millisecond)}
	}
	return s
}

func (s *simulation) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(s.rng.Int64N(int64(d)))
}

func (s *simulation) between(a, b time.Duration) time.Duration { return a + s.upTo(b-a) }

func (s *simulation) chance(p float64) bool { return s.rng.Float64() < p }

func (s *simulation) after(d time.Duration, do func()) {
	s.seq++
	t := todo{s.now.Add(d), s.seq, do}
	i, _ := slices.BinarySearchFunc(s.todo, t, func(a, b todo) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.seq, b.seq))
	})
	s.todo = slices.Insert(s.todo, i, t)
}

func (s *simulation) note(format string, args ...any) {
	if s.trace {
		fmt.Fprintf(&s.log, "%9.3f "+format+"\n", append([]any{s.now.Sub(time.Unix(1712109600, 0)).Seconds()}, args...)...)
	}
}

func (s *simulation) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
		s.note("FAIL %v", s.err)
	}
}

// run lets time pass until nothing is left to do, or for as long as given.
func (s *simulation) run(longest time.Duration) {
	end := s.now.Add(longest)
	for s.err == nil {
		at, who := s.next()
		if who == nil {
			return
		}
		if at.After(end) {
			s.fail("not over after %v: %s", longest, s.alive())
			return
		}
		if at.After(s.now) {
			s.watch(at)
			s.now = at
		}
		who()
	}
}

// next is who acts next, and when.
func (s *simulation) next() (at time.Time, who func()) {
	earlier := func(t time.Time, ok bool, f func()) {
		if ok && (who == nil || t.Before(at)) {
			at, who = t, f
		}
	}
	if len(s.todo) > 0 {
		earlier(s.todo[0].at, true, func() {
			do := s.todo[0].do
			s.todo = s.todo[1:]
			do()
		})
	}
	for _, c := range s.cores {
		if t, ok := c.core.Deadline(); ok && !c.closed {
			earlier(t, true, func() { c.core.Tick(s.now); c.rest() })
		}
	}
	for _, p := range s.everyPhone() {
		t, ok := p.deadline()
		earlier(t, ok, p.tick)
	}
	if s.board != nil {
		t, ok := s.board.server.Deadline()
		earlier(t, ok, func() { s.board.send(s.board.server.Tick(s.now)) })
	}
	return at, who
}

func (s *simulation) everyPhone() []*phone {
	all := make([]*phone, 0, len(s.phones))
	for _, p := range s.phones {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *phone) int { return cmp.Compare(a.user, b.user) })
	return all
}

func (s *simulation) phoneOf(user string) *phone {
	for _, p := range s.phones {
		if p.user == user {
			return p
		}
	}
	return &phone{}
}

func (s *simulation) alive() string {
	var b strings.Builder
	for _, c := range s.cores {
		if !c.closed {
			fmt.Fprintf(&b, "call %s %s parties %d; ", c.ref, c.core.state.Phase, len(c.core.parties))
		}
	}
	for _, p := range s.everyPhone() {
		if len(p.legs) > 0 {
			fmt.Fprintf(&b, "phone %s legs %d; ", p.user, len(p.legs))
		}
	}
	return b.String()
}

var switchAddr = netip.MustParseAddrPort("127.0.0.1:5060")

// transmit carries a packet from one address to another, through the faults,
// as bytes: what arrives is what a parser reads.
func (s *simulation) transmit(from netip.AddrPort, p leg.Packet, unsent func()) {
	to := p.Flow.Remote
	if !to.IsValid() {
		to, _ = netip.ParseAddrPort(p.Target)
	}
	text := p.Msg.String()
	s.note("%v → %v %s", from, to, firstLine(text))
	if p.Flow.Transport == "tcp" {
		s.stream(from, to, text, unsent)
		return
	}
	if to != switchAddr && s.phones[to] == nil {
		if !s.moved[to] {
			s.after(time.Millisecond, unsent)
		}
		return
	}
	copies := 1
	if s.chance(s.fault.double) {
		copies = 2
	}
	for range copies {
		if s.chance(s.fault.drop) {
			s.note("  lost")
			continue
		}
		delay := time.Millisecond + s.upTo(s.fault.delay/16)
		if s.fault.delay > 0 && s.chance(0.1) {
			delay += s.upTo(s.fault.delay)
		}
		s.after(delay, func() { s.arrive("udp", from, to, text) })
	}
}

// stream carries a packet over a connection: late perhaps, but whole and in
// order, or not at all when the connection is gone.
func (s *simulation) stream(from, to netip.AddrPort, text string, unsent func()) {
	if to != switchAddr && s.phones[to] == nil {
		s.after(time.Millisecond, unsent)
		return
	}
	way := [2]netip.AddrPort{from, to}
	at := s.now.Add(time.Millisecond + s.upTo(s.fault.delay/16))
	if last := s.last[way]; at.Before(last) {
		at = last
	}
	s.last[way] = at
	s.after(at.Sub(s.now), func() { s.arrive("tcp", from, to, text) })
}

func firstLine(text string) string {
	line, rest, _ := strings.Cut(text, "\r\n")
	for _, h := range strings.Split(rest, "\r\n") {
		if strings.HasPrefix(h, "CSeq:") {
			line += " | " + h
		}
	}
	return line
}

func (s *simulation) arrive(transport string, from, to netip.AddrPort, text string) {
	msg, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		s.fail("a message of ours cannot be read: %v\n%s", err, text)
		return
	}
	msg.SetTransport(strings.ToUpper(transport))
	msg.SetSource(from.String())
	p := leg.Packet{Msg: msg, Flow: leg.Flow{Network: "lab", Transport: transport, Local: to, Remote: from}}
	if to == switchAddr {
		s.deliver(p)
		return
	}
	if at := s.phones[to]; at != nil { // else it has moved meanwhile
		if at.slow > 0 {
			s.after(at.slow, func() { at.receive(p) })
			return
		}
		at.receive(p)
	}
}

// deliver is what sip/ua does: find the call by Call-ID, or open one.
func (s *simulation) deliver(p leg.Packet) {
	id := p.CallID()
	for _, c := range s.cores {
		if c.bound[id] && !c.closed {
			c.core.Receive(s.now, p)
			c.rest()
			return
		}
	}
	req, ok := p.Msg.(*gosip.Request)
	if !ok || req.Method != gosip.INVITE || strings.Contains(req.To().Value(), "tag=") {
		return
	}
	from := s.phones[p.Flow.Remote]
	if from == nil {
		return // it has moved since
	}
	origin := ua.Origin{Network: "lab", Trunk: "pstn"}
	if s.dir.Seats[from.user] != nil { // a desk's phone calls a line itself
		origin = ua.Origin{Network: "lab", User: from.user}
		p.Flow.Symmetric = true
	}
	if c := s.joins(origin.User, p); c != nil {
		c.Bind(id)
		c.core.Dialled(s.now, origin.User, p)
		c.rest()
		return
	}
	c := s.newCall(origin)
	c.Bind(id)
	c.number = from.user
	c.core.Start(s.now, p)
	c.rest()
}

// joins is the call that a phone's INVITE is to come into, as Exchange.joins finds it.
func (s *simulation) joins(user string, p leg.Packet) *simCall {
	id, enters := leg.Entered(p)
	ref, talks := s.seats.Talks(user)
	if own, ok := s.dir.At(user); ok && !talks && leg.Dialled(p) == "pickup" {
		ref = s.lamps.Rings(own.ID)
	}
	for _, c := range s.cores {
		if !c.closed && (enters && c.bound[id] || !enters && c.ref == ref && user != "") {
			return c
		}
	}
	return nil
}

func (s *simulation) newCall(o ua.Origin) *simCall {
	c := &simCall{
		sim: s, ref: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.cores)+1), bound: map[string]bool{}, had: map[string]bool{}, ids: map[string]time.Time{}, open: map[engine.LegID]bool{},
		ears: map[engine.LegID]engine.Listen{}, stream: map[engine.LegID]engine.Stream{}, taped: map[engine.LegID]int{},
	}
	core, err := NewCore(World{
		Wire: c, Media: c, Tickets: c, Seats: s.seats, Lamps: s.lamps, Rooms: s.rooms, Trunks: s, Place: s.place,
		Local: func(_, transport string) (leg.Local, bool) {
			return leg.Local{Contact: "sip:" + switchAddr.String(), ViaHost: switchAddr.String(), Transport: transport}, true
		},
		Offer: func(f call.SeatsFound) bool {
			if c.closed {
				return false
			}
			s.after(0, func() { c.core.SeatFree(s.now, f); c.rest() })
			return true
		},
		Tell: func(what string, f map[string]string) {
			s.note("  %s tells %s %s", c.ref, what, f["detail"])
			c.met = c.met || what == "partner_answered" || what == "joined"
		},
		NewID: s.ids.New, Record: c.record,
		Find: func(id string) (Peer, bool) { return s.callWith(id, c) }, Self: c,
		Leg: s.legConfig(), Log: slog.New(slog.DiscardHandler),
	}, s.dir, o, c.ref)
	if err != nil {
		s.fail("no call: %v", err)
	}
	c.core = core
	s.cores = append(s.cores, c)
	return c
}

// Order and Called are what the keeper of the trunks does.
func (s *simulation) Order(string) []trunk.Target { return s.fire.Order(s.now, s.rng.Uint64) }

func (s *simulation) Called(_ string, t trunk.Target, o trunk.Outcome) {
	s.note("  target %v: %d", t, o.Code)
	s.fire.Called(s.now, t, o)
}

func (s *simulation) legConfig() leg.Config {
	cfg := leg.Default()
	cfg.Rand = s.rng.Uint64
	return cfg
}

func (s *simulation) place(user string) (Place, bool) {
	p := s.phoneOf(user)
	if !p.registered {
		return Place{}, false
	}
	return Place{URI: p.contact(), Flow: leg.Flow{Network: "lab", Transport: p.transport(), Local: switchAddr, Remote: p.bound, Symmetric: true}}, true
}

// rest is called when a call has worked: it may be over, its parties may have
// come and gone.
func (c *simCall) rest() {
	c.began = true
	if c.core.Done() && !c.closed {
		c.closed = true
		c.core.Close()
		c.sim.after(80*time.Second, c.nobodyLeft)
	}
	c.check()
}

// Wire, Media and Tickets of the call.

func (c *simCall) Send(p leg.Packet) {
	c.checkIdentity(p)
	if res, ok := p.Msg.(*gosip.Response); ok {
		c.sim.answersRefer(res)
	}
	if m := p.Method(); (m == "BYE" || m == "CANCEL") && c.ids[p.CallID()].IsZero() {
		c.ids[p.CallID()] = c.sim.now
	}
	c.sim.transmit(switchAddr, p, func() {
		if !c.closed {
			c.core.Unsent(c.sim.now, p)
			c.rest()
		}
	})
}

// Bind is for one call at a time: a leg that comes from another call comes with its Call-ID.
func (c *simCall) Bind(id string) {
	c.moved = c.sim.now
	if _, was := c.had[id]; was {
		c.sim.back++
	}
	c.had[id] = true
	for _, o := range c.sim.cores {
		delete(o.bound, id)
		delete(o.ids, id)
	}
	c.bound[id], c.ids[id] = true, time.Time{}
}

// callWith is another call than c that has a Call-ID.
func (s *simulation) callWith(id string, c *simCall) (Peer, bool) {
	for _, o := range s.cores {
		if o.bound[id] && o != c && !o.closed {
			return o, true
		}
	}
	return nil, false
}

// Ask lets calls work on each other when their turn comes.
func (c *simCall) Ask(f func(time.Time, *Core)) bool {
	if c.closed {
		return false
	}
	c.sim.after(c.sim.upTo(5*time.Millisecond), func() { f(c.sim.now, c.core); c.rest() })
	return true
}

func (c *simCall) Unbind(id string) { delete(c.bound, id) }

var errNoPorts = errors.New("no ports")

func (c *simCall) Open(id engine.LegID, network string) (netip.AddrPort, error) {
	if c.sim.chance(0.01) {
		return netip.AddrPort{}, errNoPorts
	}
	if c.open[id] {
		c.sim.fail("%s: leg %d opened twice", c.ref, id)
	}
	c.open[id] = true
	c.sim.ports += 2
	return netip.AddrPortFrom(switchAddr.Addr(), uint16(c.sim.ports)), nil
}

func (c *simCall) Do(cmd engine.Command) {
	switch cmd := cmd.(type) {
	case engine.Close:
		if !c.open[cmd.Leg] {
			c.sim.fail("%s: leg %d closed twice", c.ref, cmd.Leg)
		}
		delete(c.open, cmd.Leg)
		delete(c.ears, cmd.Leg)
		delete(c.taped, cmd.Leg)
	case engine.Record:
		if !c.open[cmd.Leg] {
			c.sim.fail("%s: leg %d is recorded and has no port", c.ref, cmd.Leg)
		}
		c.taped[cmd.Leg] = cmd.Channel
		if cmd.Tap == nil {
			delete(c.taped, cmd.Leg)
		}
	case engine.Listen:
		c.sim.note("  %s leg %d hears %v %v", c.ref, cmd.Leg, cmd.From, cmd.Play)
		c.ears[cmd.Leg] = cmd
		if p := cmd.Play; p.ID != 0 && !p.Loop {
			c.sim.after(time.Second, func() {
				if !c.closed {
					c.core.Heard(c.sim.now, engine.PlayDone{Leg: cmd.Leg, ID: p.ID})
					c.rest()
				}
			})
		}
	case engine.Stream:
		c.stream[cmd.Leg] = cmd
	}
}

func (c *simCall) Close() {
	if len(c.open) > 0 {
		c.sim.fail("%s: ports left open: %v", c.ref, c.open)
	}
	if len(c.bound) > 0 && c.began {
		c.sim.fail("%s: Call-IDs left bound: %d", c.ref, len(c.bound))
	}
}

func (c *simCall) Put(e ticket.Entry, done func(error)) {
	c.sim.note("  %s ticket %s %s %s", c.ref, e.Event, e.StubID, e.Result)
	if err := e.Validate(); err != nil {
		c.sim.fail("%s: %v", c.ref, err)
	}
	c.entries = append(c.entries, e)
	done(nil)
}
