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
	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/leg"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// simulation is a whole switch in virtual time: the calls' real cores and legs,
// phones made of real legs, and a network between them that drops, doubles,
// delays and reorders by a seed. Nothing in it waits.
type simulation struct {
	tape *replay // what a call takes; nil: nobody asks

	seed    uint64
	rng     *rand.Rand
	now     time.Time
	todo    []todo // what the network and the people will do, soonest first
	seq     int
	dir     *desk.Directory
	seats   *Seats
	lamps   *Lamps
	rosters *Rosters
	fire    trunk.Choice // the targets of the trunk behind which 119 is
	fault   faults
	bugs    float64         // how often the switch's own code panics, of what is asked of it
	got     int             // over how many of them it got
	owed    map[string]bool // calls whose records are stored, for whoever writes them down
	bugged  bool            // just now
	stale   int             // phones of each user that have gone without a word, and are still registered

	cores   []*simCall
	phones  map[netip.AddrPort]*phone
	people  []*phone                        // the same, by their names
	board   *simBoard                       // nil: nobody watches lamps
	shown   map[string]bool                 // requests that have told a desk whom it talks with
	moved   map[netip.AddrPort]bool         // where a phone once was
	last    map[[2]netip.AddrPort]time.Time // when the last packet arrives, on each way of a connection
	log     strings.Builder
	trace   bool
	err     error
	ids     *ticket.IDs
	ports   int
	watched bool                   // supervisors look after calls
	attends int                    // how often one was in a call
	rebirth bool                   // calls are written and read after every input
	writes  func(...journal.Entry) // a journal that is never read; nil: that of death, if it comes
	death   mortality
	posted  int              // letters on their way
	agents  map[string]Agent // how seats stand, as the journal has it
	joined  int              // calls that have become one
	back    int              // parties that were lent, and came back
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
	due     time.Time // when its next timer acts, since its last input
	waits   bool      // one does
	bound   map[string]bool
	ids     map[string]time.Time // every Call-ID it ever had, and when the party was first let go
	open    map[engine.LegID]bool
	ears    map[engine.LegID]engine.Listen
	stream  map[engine.LegID]engine.Stream
	entries []ticket.Entry
	number  string     // of the caller
	met     bool       // a partner has answered
	desks   []string   // who were told to have answered
	alone   time.Time  // since when the caller has nobody, zero: has somebody
	mute    time.Time  // since when the caller hears nothing
	back    bool       // the switch makes it, to call a citizen back
	phase   call.Phase // before it was over
	closed  bool
	never   bool            // the process died before anything of it was stored
	lost    bool            // what was stored of it could not go on
	departs *Record         // it is to end by this
	moved   time.Time       // when it has last got a leg
	had     map[string]bool // every Call-ID that was ever bound to it

	arrived, recorded bool                 // it was told of, and its record
	taped             map[engine.LegID]int // the channels of the recording
	tapes, stopped    int
	paused            bool
}

// simTape is a call's recording.
type simTape struct{ c *simCall }

func (t simTape) Paused() bool     { return t.c.paused }
func (t simTape) Pause(time.Time)  { t.c.paused = true }
func (t simTape) Resume(time.Time) { t.c.paused = false }
func (t simTape) Concern(string)   {}

func (t simTape) Attended([]record.Attendance, time.Time) {}

func (t simTape) Position() record.Position {
	return record.Position{Call: record.Call{CallRef: t.c.ref}, Began: t.c.sim.now, Paused: t.c.paused}
}
func (t simTape) Stop(time.Time) { t.c.stopped++ }

func (simTape) Put(int, codec.ID, uint32, []byte, time.Time) {}

func (c *simCall) record(r record.Call, _ time.Time) (LiveRecording, error) {
	if r.CallRef != c.ref || len(r.Channels) != 4 {
		c.sim.fail("%s: a recording of %+v", c.ref, r)
	}
	c.tapes++
	return simTape{c}, nil
}

// retape goes on with a recording of the process before.
func (c *simCall) retape(p record.Position, _ time.Time) (LiveRecording, error) {
	if p.Call.CallRef != c.ref || p.Began.IsZero() {
		c.sim.fail("%s: a recording goes on as %+v", c.ref, p)
	}
	if c.stopped > 0 {
		return nil, errors.New("it is over")
	}
	c.tapes, c.paused = 1, p.Paused
	return simTape{c}, nil
}

func newSimulation(seed uint64, trace bool) *simulation {
	s := &simulation{
		seed: seed, rng: rand.New(rand.NewPCG(seed, 110)), now: time.Unix(1712109600, 0),
		dir: simDirectory(), phones: map[netip.AddrPort]*phone{}, moved: map[netip.AddrPort]bool{},
		last: map[[2]netip.AddrPort]time.Time{}, trace: trace, ports: 20000, owed: map[string]bool{},
		ids: ticket.NewIDs(rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})),
	}
	s.agents = map[string]Agent{}
	s.seats = s.newSeats()
	s.lamps, s.shown = NewLamps(s.lampChanged), map[string]bool{}
	s.rosters = NewRosters(func(string, bool) {})
	s.dir.OneLine = seed%5 == 0
	for i, id := range []string{"110", "12345", "119"} {
		s.dir.Hotlines[id].Recording = desk.RecordingPolicy{Mode: desk.RecordMode(seed >> (2 * i) % 3), Announce: "recorded"}
	}
	if seed%4 != 0 { // a quarter of the seeds run on a clean network
		s.stale = s.rng.IntN(3)
		s.fault = faults{drop: s.rng.Float64() * 0.25, double: s.rng.Float64() * 0.25,
			delay: s.upTo(900 * time.Millisecond)}
	}
	s.takersRest()
	return s
}

// newSeats is the register of seats of a process.
func (s *simulation) newSeats() *Seats {
	seats := NewSeats(s.online)
	seats.lineOf = func(seat string) *desk.Hotline { line, _ := s.dir.At(seat); return line }
	seats.keep = func(seat string, a Agent) {
		s.agents[seat] = a
		if a.State == AfterCall {
			s.after(a.Until.Sub(s.now), func() { s.reaches(func() { s.seats.Tick(s.now) }) })
		}
	}
	seats.restore(s.agents)
	return seats
}

// takersRest has desks of a third of the seeds be ready and not, and write up their calls. It has chances of its own:
// without it a seed is the story that it was.
func (s *simulation) takersRest() {
	if s.seed%3 != 0 {
		return
	}
	rng := rand.New(rand.NewPCG(s.seed, 12345))
	for _, id := range []string{"110", "12345"} {
		line := s.dir.Hotlines[id]
		line.AfterCall, line.LastResort = time.Duration(rng.IntN(3))*4*time.Second, rng.IntN(2) == 0
		for _, seat := range line.Seats {
			for range 3 {
				to := []AgentState{Ready, NotReady, Ready}[rng.IntN(3)]
				at := time.Duration(rng.IntN(60_000)) * time.Millisecond
				s.after(at, func() { s.reaches(func() { s.seats.SetAgent(seat, to, "", s.now) }) })
			}
		}
	}
}

func (s *simulation) online(user string) bool { return s.phoneOf(user).registered }

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
		fmt.Fprintf(&s.log, "%9.3f "+format+"\n", append([]any{s.now.Sub(time.Unix(1712109600, 0)).Seconds()},
			args...)...)
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
		s.does(who)
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
		if c.closed || s.death.down {
			continue
		}
		due := c.due
		if due.Before(s.death.pause) {
			due = s.death.pause
		}
		earlier(due, c.waits, func() { c.input(func(core *Core, now time.Time) { core.Tick(now) }); c.rest() })
	}
	for _, p := range s.people {
		t, ok := p.deadline()
		earlier(t, ok, p.tick)
	}
	if s.board != nil {
		t, ok := s.board.server.Deadline()
		earlier(t, ok, func() { s.board.send(s.board.server.Tick(s.now)) })
	}
	return at, who
}

func (s *simulation) phoneOf(user string) *phone {
	for _, p := range s.people {
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
	for _, p := range s.people {
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
	s.carry(from, p, p.Msg.String(), unsent)
}

func (s *simulation) carry(from netip.AddrPort, p leg.Packet, text string, unsent func()) {
	to := p.Flow.Remote
	if !to.IsValid() {
		to, _ = netip.ParseAddrPort(p.Target)
	}
	if s.trace {
		s.note("%v → %v %s", from, to, firstLine(text))
	}
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
		s.reaches(func() { s.hears(p) })
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
			c.input(func(core *Core, now time.Time) { core.Receive(now, p) })
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
		c.core.InviteIn(s.now, origin, p)
		c.rest()
		return
	}
	c := s.newCall(origin)
	c.Bind(id)
	c.number = from.user
	c.input(func(core *Core, now time.Time) { core.Start(now, p) })
	c.rest()
}

// joins is the call that a phone's INVITE is to come into, as Exchange.joins finds it.
func (s *simulation) joins(user string, p leg.Packet) *simCall {
	id, enters := leg.Entered(p)
	ref, talks := s.seats.Talks(user)
	if own, ok := s.dir.At(user); ok && !talks && leg.RequestUser(p) == "pickup" {
		ref = s.lamps.Rings(own.ID)
	}
	if of, ok := monitored(s.dir, leg.RequestUser(p)); ok && !talks {
		if ref = s.seats.LongestWaiting(of.line); of.seat != "" {
			ref, _ = s.seats.Claimed(of.seat)
		}
	}
	for _, c := range s.cores {
		if !c.closed && (enters && c.bound[id] || !enters && c.ref == ref && user != "") {
			return c
		}
	}
	return nil
}

func (s *simulation) simCall() *simCall {
	return &simCall{
		sim: s, ref: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.cores)+1), bound: map[string]bool{},
		had: map[string]bool{}, ids: map[string]time.Time{}, open: map[engine.LegID]bool{},
		ears: map[engine.LegID]engine.Listen{}, stream: map[engine.LegID]engine.Stream{}, taped: map[engine.LegID]int{},
	}
}

func (s *simulation) newCall(o ua.Origin) *simCall {
	c := s.simCall()
	c.core = NewCore(c.world(), s.dir, o, c.ref)
	s.cores = append(s.cores, c)
	return c
}

// keys are those of the directory.
func (s *simulation) keys() verb.Keymap {
	keys, err := verb.NewKeymap(s.dir.Keys)
	if err != nil {
		s.fail("%v", err)
	}
	return keys
}

func (c *simCall) world() World {
	s := c.sim
	world := World{
		Wire: c, Media: c, Tickets: c, Seats: s.seats, Lamps: s.lamps, Rosters: s.rosters, Trunks: s, Places: s.places,
		Local: func(_, transport string) (leg.Local, bool) {
			return leg.Local{Contact: "sip:" + switchAddr.String(), ViaHost: switchAddr.String(), Transport: transport},
				true
		},
		Offer: func(f call.SeatsFound) bool {
			if c.closed {
				return false
			}
			s.inside(0, func() { c.core.SeatFree(s.now, f); c.rest() })
			return true
		},
		Tell: func(it news.Item) {
			what, f := it.Event, it.Map()
			if !slices.Equal(it.Fields, news.From(f)) || f["event"] != what {
				s.fail("%s tells %s out of order: %v", c.ref, what, it.Fields)
			}
			s.note("  %s tells %s %s", c.ref, what, f["detail"])
			if what == "supervisor" && f["detail"] != "end" {
				s.attends++
			}
			c.met = c.met || what == "partner_answered" || what == "joined"
			c.accounted(what, f)
		},
		NewID: s.ids.New, Record: c.record, Retape: c.retape, Keep: s.keeps(), Accounts: true,
		Astray: func() { s.fail("%s: %v", c.ref, c.core.state.Check()) },
		Find:   func(id string) (string, bool) { return s.callWith(id, c) }, Post: s.post,
		Leg: s.legConfig(), Keys: s.keys(), Log: slog.New(slog.DiscardHandler),
	}
	if s.tape != nil {
		world.Leg.Rand = s.tape.draws(world.Leg.Rand)
	}
	if s.bugs > 0 {
		world.Bug = func(r any) { s.got++; s.note("  %s panics: %v", c.ref, r) }
	}
	return world
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

// places is the phone of a seat, and at times one before it that has gone without a word.
func (s *simulation) places(user string) (all []Place) {
	p := s.phoneOf(user)
	if !p.registered {
		return nil
	}
	flow := leg.Flow{Network: "lab", Transport: p.transport(), Local: switchAddr, Remote: p.bound, Symmetric: true}
	for range s.stale {
		at := netip.AddrPortFrom(p.home.Addr(), uint16(s.between(1, 1000)))
		s.moved[at] = s.chance(0.5) // else the way there says that there is nobody
		gone := flow
		gone.Remote = at
		all = append(all, Place{URI: "sip:" + user + "@" + at.String(), Flow: gone})
	}
	return append(all, Place{URI: p.contact(), Flow: flow})
}

// input has the call take something.
func (c *simCall) input(f func(*Core, time.Time)) {
	if c.sim.tape != nil {
		c.sim.tape.note(c.sim.now, f)
	}
	f(c.core, c.sim.now)
}

// rest is called when a call has worked: it may be over, its parties may have
// come and gone.
func (c *simCall) rest() {
	c.began = true
	if c.sim.rebirth {
		c.reborn()
	}
	c.due, c.waits = c.core.Deadline()
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
	c.sim.moment()
	text := string(p.Bytes())
	c.checkCopies(p, text)
	life := c.sim.death.life
	c.sim.carry(switchAddr, p, text, func() {
		if !c.closed && c.sim.death.life == life {
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
func (s *simulation) callWith(id string, c *simCall) (ref string, ok bool) {
	for _, o := range s.cores {
		if o.bound[id] && o != c && !o.closed {
			return o.ref, true
		}
	}
	return "", false
}

// post lets calls work on each other when their turn comes.
func (s *simulation) post(l Letter) bool {
	for _, c := range s.cores {
		if c.ref == l.To && !c.closed {
			if l.packet != nil {
				delete(s.death.handling, l.packet.Packet.Kept) // who takes it in the end ends it
			}
			s.posted++
			s.inside(s.upTo(5*time.Millisecond), func() { s.posted--; c.core.Take(s.now, l); c.rest() })
			return true
		}
	}
	return false
}

func (c *simCall) Unbind(id string) { delete(c.bound, id) }

var errNoPorts = errors.New("no ports")

// bug panics now and then, and not when it is tried again.
func (s *simulation) bug() {
	if s.bugs > 0 && s.chance(s.bugs) && !s.bugged {
		s.bugged = true
		panic("a bug")
	}
	s.bugged = false
}

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
	c.sim.moment()
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
		c.sim.bug()
		c.sim.note("  %s leg %d hears %v %v", c.ref, cmd.Leg, cmd.From, cmd.Play)
		c.ears[cmd.Leg] = cmd
		if p := cmd.Play; p.ID != 0 && !p.Loop {
			c.sim.inside(time.Second, func() {
				if !c.closed {
					done := engine.PlayDone{Leg: cmd.Leg, ID: p.ID}
					c.input(func(core *Core, now time.Time) { core.MediaEvent(now, done) })
					c.rest()
				}
			})
		}
	case engine.Stream:
		c.sim.bug()
		was := c.stream[cmd.Leg]
		c.stream[cmd.Leg] = cmd
		c.pauses(cmd, was.Receive || !cmd.Receive)
	}
}

// pauses is what the media engine says of one who holds us, until sound comes again.
func (c *simCall) pauses(s engine.Stream, same bool) {
	heard := func(after time.Duration, e engine.Event) {
		c.sim.after(after, func() {
			c.sim.insist(func() {
				if now := c.stream[s.Leg]; !c.closed && c.open[s.Leg] && now.Receive == s.Receive {
					c.core.MediaEvent(c.sim.now, e)
					c.rest()
				}
			})
		})
	}
	switch {
	case !s.Receive:
		heard(1500*time.Millisecond, engine.Silent{Leg: s.Leg})
	case !same:
		heard(20*time.Millisecond, engine.Alive{Leg: s.Leg})
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
	c.sim.bug()
	c.sim.note("  %s ticket %s %s %s", c.ref, e.Event, e.StubID, e.Result)
	if err := e.Validate(); err != nil {
		c.sim.fail("%s: %v", c.ref, err)
	}
	c.sim.moment()
	if !slices.ContainsFunc(c.entries, func(o ticket.Entry) bool { return o.EventID == e.EventID }) {
		c.entries = append(c.entries, e)
	}
	c.sim.moment()
	done(nil)
}
