package claims

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	cases = flag.Int("cases", 150, "how many worlds are simulated")
	world = flag.Int("world", -1, "only this one, and tell of it")
)

// In no world do two switches that hear Redis in time have one seat, also when answers are late or lost, a switch ends,
// or stands still; whoever asks is answered within his patience and a beat; seats of a switch that has ended are to be
// had after its lease, and all that is given back is, when the faults are over.
func TestNeverTwoAtOneDesk(t *testing.T) {
	if *world >= 0 {
		if err := newSim(*world, t.Logf).run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	n, granted := *cases, 0
	if testing.Short() {
		n /= 3
	}
	for seed := range n {
		w := newSim(seed, func(string, ...any) {})
		if err := w.run(); err != nil {
			t.Fatalf("-world %d: %v", seed, err)
		}
		granted += w.granted
	}
	if granted < n*10 {
		t.Error("hardly anything happens")
	}
	t.Logf("%d worlds, %d seats granted", n, granted)
}

const (
	step   = 10 * time.Millisecond
	lasts  = 60 * time.Second
	faulty = 45 * time.Second
)

var epoch = time.Unix(1e9, 0)

// sim is a world of some switches and one Redis. Time goes in steps.
type sim struct {
	log     func(string, ...any)
	rng     *rand.Rand
	now     time.Time
	seats   []string
	nodes   []*node
	held    map[string]string
	lease   map[string]time.Time
	granted int
	err     error
}

type node struct {
	name  string
	m     *machine
	calls map[string]time.Time // seats that its calls have → until when
	sure  map[string]bool      // of those: by Redis' word, not by what was known
	asks  int                  // that wait
	since time.Time            // the oldest
	dead  time.Time            // it ends, and begins anew then
	busy  *reply
	sent  []*reply  // that Redis is yet to see, also when nobody waits for them
	seen  *reply    // the latest that it has
	next  time.Time // beat
}

// reply is an exchange that is under way: at Redis at a time, back at another; zero: never.
type reply struct {
	at, back    time.Time
	asked       time.Time
	take, free  []string
	whose       map[string]string
	whole, done bool
}

func newSim(seed int, log func(string, ...any)) *sim {
	w := &sim{log: log, rng: rand.New(rand.NewPCG(uint64(seed), 7)), now: epoch, held: map[string]string{},
		lease: map[string]time.Time{}}
	for i := range 2 + w.rng.IntN(3) {
		w.seats = append(w.seats, fmt.Sprint(1101+i))
	}
	for i := range 2 + w.rng.IntN(3) {
		n := &node{name: fmt.Sprint("n", i)}
		w.begin(n)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *sim) begin(n *node) {
	n.m, n.calls, n.sure, n.busy, n.asks = newMachine(), map[string]time.Time{}, map[string]bool{}, nil, 0
}

func (w *sim) run() error {
	for w.now = epoch; w.now.Before(epoch.Add(lasts)) && w.err == nil; w.now = w.now.Add(step) {
		for _, n := range w.nodes {
			if w.now.After(n.dead) {
				w.step(n)
			}
		}
		w.check()
	}
	for seat, by := range w.held {
		if w.err == nil && w.now.Before(w.lease[by]) {
			w.err = fmt.Errorf("%s is still %s's", seat, by)
		}
	}
	for _, n := range w.nodes {
		if w.err == nil && len(n.m.other)+len(n.m.mine)+len(n.m.freed)+n.asks > 0 {
			w.err = fmt.Errorf("%s is not done: %+v", n.name, n.m)
		}
	}
	return w.err
}

// check: of the calls that have a seat by Redis' word, none shares it with another such call.
func (w *sim) check() {
	for _, seat := range w.seats {
		var has []string
		for _, n := range w.nodes {
			if n.sure[seat] && w.now.After(n.dead) {
				has = append(has, n.name)
			}
		}
		if len(has) > 1 {
			w.err = fmt.Errorf("%v: %s is rung by %v", w.now.Sub(epoch), seat, has)
		}
	}
}

func (w *sim) step(n *node) {
	faults := w.now.Before(epoch.Add(faulty))
	if faults && w.rng.IntN(2000) == 0 { // it ends, with its calls
		w.log("%v %s ends", w.now.Sub(epoch), n.name)
		n.dead = w.now.Add(time.Duration(w.rng.IntN(6000)) * time.Millisecond)
		w.begin(n)
		return
	}
	for _, seat := range slices.Sorted(maps.Keys(n.calls)) {
		if w.now.After(n.calls[seat]) {
			delete(n.calls, seat)
			delete(n.sure, seat)
			n.m.given(seat)
		}
	}
	if faults && w.rng.IntN(60) == 0 {
		w.rings(n)
	}
	answers, _ := n.m.late(w.now)
	w.answer(answers)
	if n.asks > 0 && w.now.Sub(n.since) > Patience+2*step {
		w.err = fmt.Errorf("%s: a call waits for %v", n.name, w.now.Sub(n.since))
	}
	w.exchange(n, faults)
}

// rings has a call want some seats that are free as far as is known.
func (w *sim) rings(n *node) {
	var want []string
	for _, seat := range w.seats {
		_, mine := n.calls[seat]
		if _, other := n.m.other[seat]; !mine && !other && w.rng.IntN(2) == 0 {
			n.calls[seat] = w.now.Add(time.Duration(500+w.rng.IntN(4000)) * time.Millisecond)
			n.m.taken(seat)
			want = append(want, seat)
		}
	}
	if len(want) == 0 {
		return
	}
	if n.asks++; n.asks == 1 {
		n.since = w.now
	}
	m, asked := n.m, w.now
	n.m.ask(w.now.Add(Patience), want, func(denied []string) {
		if n.m != m {
			return
		}
		if n.asks--; n.asks > 0 {
			n.since = w.now
		}
		for _, seat := range want {
			if _, has := n.calls[seat]; !has {
				continue
			}
			if slices.Contains(denied, seat) {
				delete(n.calls, seat)
				n.m.given(seat)
			} else if n.m.mine[seat] {
				n.sure[seat] = true
				w.granted++
			} else if w.now.Sub(asked) < Patience {
				w.err = fmt.Errorf("%s is answered for %s before Redis has said anything", n.name, seat)
			}
		}
	})
}

func (w *sim) answer(list []answer) {
	for _, a := range list {
		a.done(a.denied)
	}
}

// exchange is what the switch's goroutine and Redis do, a step of it.
func (w *sim) exchange(n *node, faults bool) {
	n.sent = slices.DeleteFunc(n.sent, func(r *reply) bool {
		if w.now.Before(r.at) {
			return false
		}
		if n.seen == nil || !n.seen.asked.After(r.asked) {
			n.seen = r
			w.redis(n, r)
		}
		return true
	})
	if r := n.busy; r != nil {
		switch {
		case !r.back.IsZero() && !w.now.Before(r.back) && r.done:
			n.busy = nil
			answers, _ := n.m.told(n.name, r.asked, r.take, r.whose, r.free, r.whole)
			w.answer(answers)
		case w.now.Sub(r.asked) > Lease/4:
			n.busy = nil
			w.unsure(n)
		}
		return
	}
	r := &reply{asked: w.now, whole: !w.now.Before(n.next)}
	if r.take, r.free = n.m.change(r.whole); !r.whole && len(r.take)+len(r.free) == 0 {
		return
	}
	if r.whole {
		n.next = w.now.Add(beat)
	}
	r.at = w.now.Add(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	r.back = r.at.Add(time.Duration(w.rng.IntN(20)) * time.Millisecond)
	if faults && w.rng.IntN(30) == 0 { // late, or lost after it is done
		r.at = r.at.Add(time.Duration(w.rng.IntN(1000)) * time.Millisecond)
		if r.back = r.at; w.rng.IntN(2) == 0 {
			r.back = time.Time{}
		}
	}
	n.busy = r
	n.sent = append(n.sent, r)
}

// unsure: a switch that has not heard Redis for long may have lost its lease, and goes by what it knows.
func (w *sim) unsure(n *node) {
	if w.now.Sub(w.lease[n.name].Add(-Lease)) > Lease/2 {
		clear(n.sure)
	}
}

// redis is the script claims.lua.
func (w *sim) redis(n *node, r *reply) {
	r.done, r.whose = true, map[string]string{}
	lives := func(node string) bool { return w.now.Before(w.lease[node]) }
	w.lease[n.name] = w.now.Add(Lease)
	for _, seat := range r.take {
		if by, ok := w.held[seat]; !ok || by != n.name && !lives(by) {
			w.held[seat] = n.name
		}
		r.whose[seat] = w.held[seat]
	}
	for _, seat := range r.free {
		if w.held[seat] == n.name {
			delete(w.held, seat)
		}
	}
	if r.whole {
		for seat, by := range w.held {
			if lives(by) {
				r.whose[seat] = by
			}
		}
	}
}
