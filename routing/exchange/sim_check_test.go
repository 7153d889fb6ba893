package exchange

import (
	"flag"
	"fmt"
	"runtime"
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
)

var (
	oneSeed = flag.Uint64("seed", 0, "replay one seed of the simulation and print what happened")
	seeds   = flag.Uint64("seeds", 10000, "how many seeds the simulation runs")
)

// TestSimulation runs whole calls in virtual time, one world per seed, and
// checks in each what must hold whatever the network and the people do:
// every call ends; no port, seat, place in a queue or Call-ID leaks; a caller
// who is connected is never with nobody, nor in silence, for more than 1 s;
// each stub has one opened entry and one final one; no desk is rung without
// the citizen's number.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		s := simulate(*oneSeed, true)
		t.Log("\n" + s.log.String())
		if s.err != nil {
			t.Fatalf("seed %d: %v", *oneSeed, s.err)
		}
		return
	}
	n := *seeds
	if testing.Short() || raceEnabled {
		n /= 20
	}
	var next, calls, entries, joined atomic.Uint64
	var wg sync.WaitGroup
	var told sync.Once
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := next.Add(1); seed <= n; seed = next.Add(1) {
				s := simulate(seed, false)
				if s.err != nil {
					told.Do(func() {
						t.Errorf("seed %d: %v\nreplay: go test ./routing/exchange -run TestSimulation -seed %d -v", seed, s.err, seed)
					})
					next.Store(n)
				}
				joined.Add(uint64(s.joined))
				for _, c := range s.cores {
					calls.Add(1)
					entries.Add(uint64(len(c.entries)))
				}
			}
		})
	}
	wg.Wait()
	if calls.Load() < n || entries.Load() < n || joined.Load() < n/200 {
		t.Errorf("%d seeds made only %d calls, %d joined, and %d entries: the simulation no longer does its work", n, calls.Load(), joined.Load(), entries.Load())
	}
	t.Logf("%d seeds, %d calls, %d joined, %d ticket entries", n, calls.Load(), joined.Load(), entries.Load())
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
	if s.chance(0.2) { // a desk's phone loses its power in the middle
		dies := s.everyPhone()[s.rng.IntN(4)]
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
	for s.chance(0.3) {
		s.callsApart()
	}
	for range s.rng.IntN(5) {
		desk := s.phoneOf([]string{"1101", "1102", "2101", "2102"}[s.rng.IntN(4)])
		s.after(s.upTo(60*time.Second), desk.enters)
	}
	s.run(3 * time.Hour)
	s.checkLeft()
}

// checkLeft: when all is over nothing is left behind.
func (s *simulation) checkLeft() {
	for _, c := range s.cores {
		c.finished()
	}
	if n := s.seats.Busy(); n != 0 && s.err == nil {
		s.fail("%d seats are still claimed", n)
	}
	if n := len(s.rooms.rooms); n != 0 {
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
		targets = append(targets, trunk.Target{Host: addr, Addr: gateway.addr, Priority: s.rng.IntN(2), Weight: s.rng.IntN(3)})
	}
	s.fire.Set(targets)
}

func simDirectory() *desk.Directory {
	line := func(id, partner string, seats ...string) *desk.Hotline {
		return &desk.Hotline{
			ID: id, Name: id, Numbers: []string{id}, Network: "lab", Seats: seats, NoAnswer: 8 * time.Second, Partner: partner,
			Queue: desk.Queue{MaxWait: 40 * time.Second, MaxCalls: 10},
			Prompts: desk.Prompts{
				Handover: "transfer", Failed: "transfer_failed", TakerGone: "keep_waiting", Conference: "three_way",
				Left: "party_left", Wait: "queue", Sorry: "all_busy", Confirm: "accepted", Refuse: "refused",
			},
		}
	}
	d := &desk.Directory{
		Hotlines: map[string]*desk.Hotline{
			"110": line("110", "12345", "1101", "1102"), "12345": line("12345", "119", "2101", "2102"), "119": line("119", "110"),
		},
		Seats: map[string]*desk.Seat{"1101": {Hotline: "110"}, "1102": {Hotline: "110"}, "2101": {Hotline: "12345"}, "2102": {Hotline: "12345"}},
		Trunks: map[string]*desk.Trunk{
			"pstn": {Name: "pstn", Network: "lab", Trusted: true, Target: "127.0.0.10:5060", Transport: "udp"},
			"fire": {Name: "fire", Network: "lab", Trusted: true, Target: "127.0.0.11:5060", Transport: "udp", PAI: true, Diversion: true, HistoryInfo: true},
		},
		Keys: map[string]string{
			"*1": "handover", "*2": "consult", "*3": "conference", "*4": "take_back",
			"*5": "accept", "*6": "other_accepts", "*7": "record", "*8NN": "category", "*9": "urgent",
		},
		Services:  map[string]string{"handover": "handover", "consult": "consult", "conference": "conference", "take_back": "take_back", "urgent": "urgent", "pickup": "pickup"},
		Emergency: "110",
		Timers:    desk.Timers{Settle: 3 * time.Second, KeyGap: 3 * time.Second, TrunkRing: 20 * time.Second},
	}
	d.Hotlines["119"].Trunk, d.Hotlines["119"].TrunkNumber = "fire", "119"
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
	connected := st.Answered && !st.Over()
	somebody := st.Desk != 0 || st.Hunt != nil || st.Phase == call.Leaving
	c.alone = since(c.alone, connected && !somebody, c.sim.now)
	c.mute = since(c.mute, connected && !c.hears(), c.sim.now)
	c.checkRecorded(st)
	c.checkParts(st)
	c.sim.checkLamps()
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
	if !ok || st.Over() || c.sim.dir.Hotlines[l.Hotline].Recording.Mode != desk.RecordAlways {
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
	for _, p := range c.sim.everyPhone() {
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
	if p.dead || !l.up || l.ended {
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
	if !ok || req.Method != gosip.INVITE {
		return
	}
	text := req.String()
	for _, name := range []string{"From: ", "P-Asserted-Identity: "} {
		if _, rest, _ := strings.Cut(text, "\r\n"+name); !strings.Contains(strings.SplitN(rest, "\r\n", 2)[0], c.number) {
			c.sim.fail("%s: an INVITE without %s in %s\n%s", c.ref, c.number, name, text)
		}
	}
}

// finished checks a call that is over: its matters are told to the end.
func (c *simCall) finished() {
	if !c.closed {
		c.sim.fail("%s is not over", c.ref)
	}
	if c.tapes > 1 || c.tapes != c.stopped || len(c.taped) > 0 {
		c.sim.fail("%s: %d recordings, %d of them stopped, legs left on it: %v", c.ref, c.tapes, c.stopped, c.taped)
	}
	for stub, told := range byStub(c.entries) {
		if got := strings.Join(told, " "); !finalOnce(told) {
			c.sim.fail("%s: stub %s was told as %q", c.ref, stub, got)
		}
	}
}

func byStub(entries []ticket.Entry) map[string][]string {
	stubs := map[string][]string{}
	for _, e := range entries {
		word := string(e.Event)
		if e.Event == ticket.Answered && e.Mode == ticket.ThreeWay {
			word = "joined"
		}
		if e.Event != ticket.Enriched {
			stubs[e.StubID] = append(stubs[e.StubID], word)
		}
	}
	return stubs
}

// finalOnce lists the only ways a stub may be told.
func finalOnce(told []string) bool {
	switch strings.Join(told, " ") {
	case "opened answered", "opened failed", "opened abandoned", "opened joined decided", "opened urgent":
		return true
	}
	return false
}
