package exchange

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/routing/ticket"
	"liandong/sip/leg"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "replay one seed of the simulation and print what happened")
	seeds     = flag.Uint64("seeds", 10000, "how many seeds the simulation runs at the most")
	firstSeed = flag.Uint64("first-seed", 1, "with which one it begins")
	seedTime  = flag.Duration("seed-time", 12*time.Second, "for how long it goes on with them: a slow machine runs fewer")
)

// play is a simulation with one seed.
type play func(seed uint64, trace bool) *simulation

// fewSeeds are run whatever time they take: with none a test says nothing.
const fewSeeds = 200

// runSeeds runs a simulation with n seeds, or as many as there is time for, says how many those were, and tells of each
// that has come to its end. It fails with the first that fails.
func runSeeds(t *testing.T, n uint64, run play, each func(*simulation)) (ran uint64) {
	t.Helper()
	if *oneSeed != 0 {
		s := run(*oneSeed, true)
		t.Log("\n" + s.log.String())
		if s.err != nil {
			t.Fatalf("seed %d: %v", *oneSeed, s.err)
		}
		return 0
	}
	limit := *seedTime
	if n < *seeds { // they are worth less
		limit /= 4
	}
	if testing.Short() || raceEnabled {
		n = min(n, max(n/50, fewSeeds/2))
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a seed's litter is small and goes with it
	end := time.Now().Add(limit)
	var next, done atomic.Uint64
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !failed.Load() {
				i := next.Add(1) - 1
				if i >= n || i >= fewSeeds && time.Now().After(end) {
					return
				}
				s := run(*firstSeed+i, false)
				if s.err != nil && !failed.Swap(true) {
					t.Errorf("seed %d: %v\nreplay: go test ./routing/exchange -run '^%s$' -seed %d -v",
						s.seed, s.err, t.Name(), s.seed)
				}
				done.Add(1)
				each(s)
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds of %d", done.Load(), n)
	return done.Load()
}

// TestSimulation runs whole calls in virtual time, one world per seed, and
// checks in each what must hold whatever the network and the people do:
// every call ends; no port, seat, place in a queue or Call-ID leaks; a caller
// who is connected is never with nobody, nor in silence, for more than 1 s;
// each stub has one opened entry and one final one; no desk is rung without
// the citizen's number.
func TestSimulation(t *testing.T) {
	var calls, entries, joined atomic.Uint64
	n := runSeeds(t, *seeds, simulate, func(s *simulation) {
		joined.Add(uint64(s.joined))
		for _, c := range s.cores {
			calls.Add(1)
			entries.Add(uint64(len(c.entries)))
		}
	})
	if calls.Load() < n || entries.Load() < n || joined.Load() < n/200 {
		t.Errorf("%d seeds made only %d calls, %d joined, and %d entries: the simulation no longer does its work", n,
			calls.Load(), joined.Load(), entries.Load())
	}
	t.Logf("%d calls, %d joined, %d ticket entries", calls.Load(), joined.Load(), entries.Load())
}

// simulate plays one seed: one to three citizens who call while the desks
// answer, refuse, ignore, press keys, hold and hang up.
func simulate(seed uint64, trace bool) *simulation {
	s := newSimulation(seed, trace)
	s.play()
	return s
}

func (s *simulation) play() {
	for i, user := range []string{"1101", "1102", "2101", "2102"} {
		p := s.addPhone(user, fmt.Sprintf("127.0.1.%d:5060", i+1))
		p.registered = s.chance(0.95)
		p.dead = s.chance(0.05)
		p.tcp = s.chance(0.25)
		p.stubborn = s.chance(0.1)
		for s.chance(0.15) {
			s.after(s.between(2*time.Second, 90*time.Second), p.move)
		}
	}
	if s.chance(0.2) && !s.watched { // a desk's phone loses its power in the middle
		dies := s.people[s.rng.IntN(4)]
		s.after(s.between(10*time.Second, 60*time.Second), dies.die)
	}
	s.fireTargets()
	for i := range 1 + s.rng.IntN(3) {
		citizen := s.addPhone(fmt.Sprintf("1381234567%d", i), fmt.Sprintf("127.0.0.10:%d", 5060+i))
		line := []string{"110", "110", "12345", "12345", "119"}[s.rng.IntN(5)]
		s.after(s.upTo(20*time.Second), func() {
			l := citizen.dial(line)
			if s.chance(0.05) { // who is no desk may not
				s.after(s.between(time.Second, 20*time.Second), func() { l.refer("<sip:12345@127.0.0.1>") })
			}
			s.after(s.between(200*time.Millisecond, 100*time.Second), l.hangUp)
		})
	}
	if s.seed%7 == 3 {
		s.callsBack("1101")
	}
	for s.chance(0.3) {
		s.callsApart()
	}
	for range s.rng.IntN(5) {
		desk := s.phoneOf([]string{"1101", "1102", "2101", "2102"}[s.rng.IntN(4)])
		s.after(s.upTo(60*time.Second), desk.enters)
	}
	if s.watched {
		s.supervised()
	}
	s.run(3 * time.Hour)
	s.checkLeft()
}

// callsBack has a desk call back a citizen, who is one of those behind the trunk to 119. In the end they hang up.
func (s *simulation) callsBack(seat string) {
	rng := rand.New(rand.NewPCG(s.seed, 110))
	s.after(time.Duration(rng.IntN(40_000))*time.Millisecond, func() {
		s.reaches(func() {
			ref := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(s.cores)+1)
			if !s.seats.Take(ref, seat) {
				return
			}
			c := s.newCall(ua.Origin{Network: "lab", Trunk: "fire"})
			c.number, c.back = "13812345679", true
			c.core.CallBack(s.now, call.CallbackAsked{Ref: ref, Hotline: "110",
				Caller: number.Number{E164: "+8613812345679", Raw: "13812345679", Status: number.OK},
				Callback: call.Callback{Stub: s.ids.New(s.now), Seat: seat, Trunk: "fire", Number: "13812345679",
					Shown: "110"}})
			c.rest()
		})
	})
	s.after(100*time.Second, func() {
		for _, p := range s.people {
			if p.user != seat && !strings.HasPrefix(p.user, "119") {
				continue
			}
			for _, l := range p.legs {
				if !l.ended {
					l.hangUp()
				}
			}
		}
	})
}

// checkLeft: when all is over nothing is left behind.
func (s *simulation) checkLeft() {
	for _, c := range s.cores {
		c.finished()
	}
	if n := s.seats.Busy(); n != 0 && s.err == nil {
		s.fail("%d seats are still claimed", n)
	}
	if n := len(s.rosters.rosters); n != 0 {
		s.fail("%d conferences are still shown", n)
	}
	for line := range s.dir.Hotlines {
		if n := s.seats.Waiting(line); n != 0 {
			s.fail("%d calls still wait for %s", n, line)
		}
	}
	s.allDark()
}

// fireTargets are the ways to 119: some dead, some full, some so slow that their
// answers come when the next one has been tried.
func (s *simulation) fireTargets() {
	var targets []trunk.Target
	for i := range 1 + s.rng.IntN(3) {
		addr := fmt.Sprintf("127.0.0.11:%d", 5060+i)
		gateway := s.addPhone(fmt.Sprintf("119-%d", i), addr)
		gateway.dead, gateway.full = s.chance(0.25), s.chance(0.25)
		if s.chance(0.25) {
			gateway.slow = s.between(2*time.Second, 8*time.Second)
		}
		targets = append(targets, trunk.Target{Host: addr, Addr: gateway.addr, Priority: s.rng.IntN(2),
			Weight: s.rng.IntN(3)})
	}
	s.fire.Set(targets)
}

func simDirectory() *desk.Directory {
	line := func(id, partner string, seats ...string) *desk.Hotline {
		return &desk.Hotline{
			ID: id, Name: id, Numbers: []string{id}, Network: "lab", Seats: seats, NoAnswer: 8 * time.Second,
			Partner: partner,
			Queue:   desk.Queue{MaxWait: 40 * time.Second, MaxCalls: 10},
			Prompts: desk.Prompts{
				Handover: "transfer", Failed: "transfer_failed", TakerGone: "keep_waiting", Conference: "three_way",
				Left: "party_left", Wait: "queue", Sorry: "all_busy", Confirm: "accepted", Refuse: "refused",
			},
		}
	}
	d := &desk.Directory{
		Hotlines: map[string]*desk.Hotline{
			"110": line("110", "12345", "1101", "1102"), "12345": line("12345", "119", "2101", "2102"),
			"119": line("119", "110"),
		},
		Seats: map[string]*desk.Seat{"1101": {Hotline: "110"}, "1102": {Hotline: "110"}, "2101": {Hotline: "12345"},
			"2102": {Hotline: "12345"}},
		Trunks: map[string]*desk.Trunk{
			"pstn": {Name: "pstn", Network: "lab", Trusted: true, Target: "127.0.0.10:5060", Transport: "udp"},
			"fire": {Name: "fire", Network: "lab", Trusted: true, Target: "127.0.0.11:5060", Transport: "udp",
				PAI: true, Diversion: true, HistoryInfo: true},
		},
		Keys: map[string]string{
			"*1": "handover", "*2": "consult", "*3": "conference", "*4": "take_back",
			"*5": "accept", "*6": "other_accepts", "*7": "record", "*8NN": "category", "*9": "urgent",
		},
		Services: map[string]string{"handover": "handover", "consult": "consult", "conference": "conference",
			"take_back": "take_back", "urgent": "urgent", "pickup": "pickup", "monitor": "monitor"},
		Emergency: "110",
		Timers:    desk.Timers{Settle: 3 * time.Second, KeyGap: 3 * time.Second, TrunkRing: 20 * time.Second},
	}
	d.Hotlines["119"].Trunk, d.Hotlines["119"].TrunkNumber = "fire", "119"
	d.Hotlines["110"].Supervisors, d.Hotlines["12345"].Supervisors = []string{"9001", "9002"}, []string{"9002"}
	doctor, _ := d.Plan.Range("0311*")
	d.Hotlines["110"].Transfer = desk.Transfer{Trunk: "fire", Numbers: []number.Range{doctor}}
	d.Hotlines["12345"].Ring, d.Hotlines["12345"].RingEach = desk.LongestIdle, 5*time.Second
	d.Hotlines["12345"].Queue.Answer = true
	d.Hotlines["12345"].Queue.Overflow.Hotline = "110"
	return d
}

// watch is asked before time passes on to at: may the state last as long?
func (s *simulation) watch(at time.Time) {
	for _, c := range s.cores {
		if !c.alone.IsZero() && at.Sub(c.alone) > time.Second {
			s.fail("%s: the caller has nobody since %v (%s)", c.ref, at.Sub(c.alone), c.core.state.Phase)
		}
		if !c.mute.IsZero() && at.Sub(c.mute) > time.Second {
			s.fail("%s: the caller hears nothing since %v (%s)", c.ref, at.Sub(c.mute), c.core.state.Phase)
		}
	}
}

// check notes since when the caller has nobody, or hears nothing.
func (c *simCall) check() {
	st := c.core.State()
	if !st.Over() && st.Phase != "" {
		c.phase = st.Phase
	}
	connected := st.Answered && !st.Over()
	somebody := st.Desk != 0 || st.Hunt != nil || st.Phase == call.Leaving
	c.alone = since(c.alone, connected && !somebody, c.sim.now)
	c.mute = since(c.mute, connected && !c.hears(), c.sim.now)
	c.checkRecorded(st)
	c.checkParts(st)
	c.checkSupervisors(st)
	c.checkThin()
	c.sim.checkLamps()
}

// checkThin: a call that is over keeps nothing but what its legs have yet to repeat.
func (c *simCall) checkThin() {
	if !c.core.state.Over() || c.sim.rebirth || c.sim.death.near > 0 { // where calls are written for the test as well
		return
	}
	for _, p := range c.core.parties {
		if kept := cap(c.core.acts) + cap(p.Leg); kept > 0 || !p.Media && (p.Sound != nil || p.Stream != nil) {
			c.sim.fail("%s is over and keeps %d of what it did", c.ref, kept)
		}
	}
}

// checkParts: who has answered, or has come in, has a part in the call: of several
// who wanted it at once just one has it.
func (c *simCall) checkParts(st call.Call) {
	for _, l := range st.Legs {
		if l.Up && l.ID != call.CallerLeg && l.ID != st.Desk && l.ID != st.Partner {
			c.sim.fail("%s: leg %d of %s has answered and has no part in the call (%s)", c.ref, l.ID, l.Seat, st.Phase)
		}
	}
}

// checkRecorded: a conversation with a desk whose line records every call is
// recorded, each party on a channel of its own.
func (c *simCall) checkRecorded(st call.Call) {
	on := map[int]engine.LegID{}
	for leg, channel := range c.taped {
		if other, taken := on[channel]; taken {
			c.sim.fail("%s: legs %d and %d are both on channel %d", c.ref, leg, other, channel)
		}
		on[channel] = leg
	}
	l, ok := st.Leg(st.Desk)
	if !ok || st.Over() || st.Phase == call.CallingBack || c.sim.death.full ||
		c.sim.dir.Hotlines[l.Hotline].Recording.Mode != desk.RecordAlways {
		return
	}
	if c.tapes == 0 || c.paused || len(c.taped) < 2 {
		c.sim.fail("%s: not recorded at %s: paused %v, legs %v", c.ref, l.Hotline, c.paused, c.taped)
	}
}

func since(t time.Time, is bool, now time.Time) time.Time {
	switch {
	case !is:
		return time.Time{}
	case t.IsZero():
		return now
	}
	return t
}

// hears says whether any sound can reach the caller: a playlist, or a party
// whose port is open and whose sound we take.
func (c *simCall) hears() bool {
	ear := c.ears[engine.LegID(call.CallerLeg)]
	if ear.Play.ID != 0 {
		return true
	}
	for _, id := range ear.From {
		if c.open[id] && c.stream[id].Receive {
			return true
		}
	}
	return false
}

// nobodyLeft: when a call has been over for a while no phone still believes to
// be in it.
func (c *simCall) nobodyLeft() {
	for _, p := range c.sim.people {
		for _, l := range p.legs {
			l.checkKnows()
			if _, ok := c.ids[l.leg.CallID()]; ok {
				l.checkTold()
			}
		}
	}
}

// checkKnows: a phone that can be reached is not left in a conversation with a
// switch that let it go long ago.
func (l *line) checkKnows() {
	p := l.phone
	if p.dead || !l.up || l.ended || p.sim.death.full {
		return
	}
	for _, c := range p.sim.cores {
		told := c.ids[l.leg.CallID()]
		if !told.IsZero() && p.atHome.Before(told) && p.sim.now.Sub(told) > 40*time.Second {
			p.sim.fail("%s let %s go at %v, who does not know", c.ref, p.user, told)
		}
	}
}

// checkIdentity: no desk is rung without the original number.
func (c *simCall) checkIdentity(p leg.Packet) {
	req, ok := p.Msg.(*gosip.Request)
	if ok && strings.Contains(req.To().Value(), "tag=") {
		c.checkShown(req)
		return
	}
	if !ok || req.Method != gosip.INVITE || req.From().Address.User == "monitor" { // a supervisor sees it on the page
		return
	}
	if c.back && strings.Contains(req.Recipient.String(), c.number) {
		return // the citizen is shown the line's number
	}
	text := req.String()
	for _, name := range []string{"From: ", "P-Asserted-Identity: "} {
		if _, rest, _ := strings.Cut(text, "\r\n"+name); !strings.Contains(strings.SplitN(rest, "\r\n", 2)[0],
			c.number) {
			c.sim.fail("%s: an INVITE without %s in %s\n%s", c.ref, c.number, name, text)
		}
	}
}

// accounted checks the record of a call: it names all of whom was told that they have answered, also by a process
// before.
func (c *simCall) accounted(what string, f map[string]string) {
	switch what {
	case "arrived":
		c.arrived = true
	case "answered", "partner_answered", "picked_up", "joined":
		if !slices.Contains(c.desks, f["agent"]) && f["agent"] != "" && len(c.desks) < mostDesks {
			c.desks = append(c.desks, f["agent"])
		}
	case "record":
		c.recorded = true
		if c.sim.death.full { // the call may go on from before a desk had answered
			return
		}
		for _, desk := range c.desks {
			if !slices.Contains(strings.Split(f["desks"], ","), desk) || f["answered_at"] == "" {
				c.sim.fail("%s: answered at %q by %q, it was told of %s", c.ref, f["answered_at"], f["desks"], desk)
			}
		}
	}
}

// finished checks a call that is over: its matters are told to the end.
func (c *simCall) finished() {
	if c.never {
		return
	}
	if !c.closed {
		c.sim.fail("%s is not over", c.ref)
	}
	if !c.lost && !c.sim.death.full && (c.tapes > 1 || c.tapes != c.stopped || len(c.taped) > 0) {
		c.sim.fail("%s: %d recordings, %d of them stopped, legs left on it: %v", c.ref, c.tapes, c.stopped, c.taped)
	}
	if c.sim.death.full {
		return
	}
	c.checkMissed()
	if c.arrived && !c.lost && !c.recorded && !c.sim.owed[cmp.Or(c.core.state.Peer.Ref, c.ref)] {
		c.sim.fail("%s: its record is neither told nor kept", c.ref)
	}
	for stub, told := range byStub(c.entries) {
		if got := strings.Join(told, " "); !finalOnce(told) && !((c.sim.bugs > 0 || c.lost) && givenUp(told)) {
			c.sim.fail("%s: stub %s was told as %q", c.ref, stub, got)
		}
	}
}

// checkMissed: a citizen whom nobody has served, and no other, is a missed call, once whatever dies; and what became
// of a citizen who is called back is told once.
func (c *simCall) checkMissed() {
	told := map[ticket.Event]map[string]bool{ticket.Missed: {}, ticket.CalledBack: {}}
	for _, e := range c.entries {
		if ids := told[e.Event]; ids != nil {
			ids[e.EventID] = true
		}
	}
	want := 0
	alone := c.phase == call.Ringing || c.phase == call.Leaving
	if phone := c.sim.dir.Seats[c.number] != nil; !phone && alone {
		want = 1
	}
	begun := c.phase != "" // it may end with the input that begins it
	if n := len(told[ticket.Missed]); n != want && (begun || n > 1) {
		c.sim.fail("%s: missed %d times, want %d (%s)", c.ref, n, want, c.phase)
	}
	if n := len(told[ticket.CalledBack]); c.back && n != 1 || !c.back && n != 0 {
		c.sim.fail("%s: told as called back %d times", c.ref, n)
	}
}

func byStub(entries []ticket.Entry) map[string][]string {
	stubs := map[string][]string{}
	for _, e := range entries {
		word := string(e.Event)
		if e.Event == ticket.Answered && e.Mode == ticket.ThreeWay {
			word = "joined"
		}
		if e.Event != ticket.Enriched && e.Reason != "corrected" {
			stubs[e.StubID] = append(stubs[e.StubID], word)
		}
	}
	return stubs
}

// finalOnce lists the only ways a stub may be told.
func finalOnce(told []string) bool {
	switch strings.Join(told, " ") {
	case "missed", "called_back", "opened answered", "opened failed", "opened abandoned", "opened joined decided", "opened urgent":
		return true
	}
	return false
}

// givenUp lists how a stub of a call is told that could not end as it should.
func givenUp(told []string) bool {
	switch strings.Join(told, " ") {
	case "opened failed decided", "opened joined failed decided":
		return true
	}
	return false
}
