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
// or stands still, or Redis loses all; whoever asks is answered within his patience and a beat; seats of a switch that
// has ended are to be had after its lease, and all that is given back is, when the faults are over.
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
	store   *store
	granted int
	err     error
}

type node struct {
	wire
	calls map[string]time.Time // seats that its calls have → until when
	sure  map[string]bool      // of those: by Redis' word, not by what was known
	asks  int                  // that wait
	since time.Time            // the oldest
	dead  time.Time            // it ends, and begins anew then
}

func newSim(seed int, log func(string, ...any)) *sim {
	w := &sim{log: log, rng: rand.New(rand.NewPCG(uint64(seed), 7)), now: epoch, store: newStore()}
	for i := range 2 + w.rng.IntN(3) {
		w.seats = append(w.seats, fmt.Sprint(1101+i))
	}
	for i := range 2 + w.rng.IntN(3) {
		n := &node{wire: wire{name: fmt.Sprint("n", i)}}
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
		if w.now.Before(epoch.Add(faulty)) && w.rng.IntN(800) == 0 {
			w.log("%v Redis loses all", w.now.Sub(epoch))
			w.store.flush()
		}
		for _, n := range w.nodes {
			if w.now.After(n.dead) {
				w.step(n)
			}
		}
		w.check()
	}
	for seat, by := range w.store.held {
		if w.err == nil && w.now.Before(w.store.lease[by]) {
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
	late, _ := n.m.late(w.now)
	w.answer(late)
	if n.asks > 0 && w.now.Sub(n.since) > Patience+2*step {
		w.err = fmt.Errorf("%s: a call waits for %v", n.name, w.now.Sub(n.since))
	}
	answers, lost := n.exchange(w.now, w.rng, w.store, faults)
	w.answer(answers)
	if lost {
		w.unsure(n)
	}
}

// rings has a call want some seats that are free as far as is known.
func (w *sim) rings(n *node) {
	var want []string
	for _, seat := range w.seats {
		_, mine := n.calls[seat]
		if _, other := n.m.other[seat]; !mine && !other && w.rng.IntN(2) == 0 {
			n.calls[seat] = w.now.Add(time.Duration(500+w.rng.IntN(4000)) * time.Millisecond)
			n.m.taken(seat, Waiter{})
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

// unsure: a switch that has not heard Redis for long may have lost its lease, and goes by what it knows.
func (w *sim) unsure(n *node) {
	if w.now.Sub(w.store.last[n.name]) > Lease/2 {
		clear(n.sure)
	}
}
