package location

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	cases = flag.Int("cases", 20_000, "how many worlds are simulated")
	world = flag.Int("world", -1, "only this one, and tell of it")
	spend = flag.Duration("spend", 2*time.Second, "no new case begins after so long")
)

// In every world, once the faults are over, each switch knows of each phone what its last REGISTER has said, wherever
// that went (all the same, where the store's clock was set); and at no time does a switch go back behind what it has
// itself accepted, or use a phone that has ended. The faults: ways to the store that fail, also after it has made the
// change; a store that ends, is back empty or with what it knew some time ago, as a replica is, or whose clock is set;
// messages between the switches that are late, in another order, or lost; switches that begin anew with nothing.
func TestSwitchesAgree(t *testing.T) {
	if *world >= 0 {
		if err := newSim(*world, t.Logf).run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := *cases
	if testing.Short() {
		n /= 10
	}
	var next, ran, moves, failed atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(*spend)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for failed.Load() < 3 && time.Now().Before(end) {
				seed := int(next.Add(1)) - 1
				if seed >= n {
					return
				}
				w := newSim(seed, func(string, ...any) {})
				if err := w.run(); err != nil {
					failed.Add(1)
					t.Errorf("-world %d: %v", seed, err)
				}
				ran.Add(1)
				moves.Add(int64(w.learnt))
			}
		})
	}
	all.Wait()
	t.Logf("%d worlds, %d bindings learnt", ran.Load(), moves.Load())
	if moves.Load() < ran.Load()*10 {
		t.Error("hardly anything happens")
	}
}

const (
	faulty  = 90 * time.Second // so long there are faults
	settles = 40 * time.Second // and then so long none
	beat    = 250 * time.Millisecond
	slowest = 2 * time.Second // an exchange, or a message
	lives   = 300 * time.Second
)

var epoch = time.Unix(1e9, 0)

// sim is a world of some switches, one store and some phones.
type sim struct {
	seed   int
	log    func(string, ...any)
	rng    *rand.Rand
	now    time.Time
	events []event
	order  int
	nodes  []*node
	phones []*phone
	users  []string
	set    bool // the store's clock has been: of two Call-IDs the wrong one may count, though everywhere the same

	store struct {
		up     bool
		clock  time.Duration // it is fast by so much
		has    map[string]map[string]Binding
		former []map[string]map[string]Binding // what a replica has
	}
	learnt int
	err    error
}

type event struct {
	at    time.Time
	order int
	do    func()
}

// node is a switch: its book, and its registrar as far as it matters here.
type node struct {
	name   string
	book   *Book
	here   map[string]map[string]Binding
	life   int  // grows when it begins anew: what was under way is nobody's
	busy   bool // an exchange is under way
	cut    bool // the way to the store
	joined bool
}

// phone registers now here, now there. What it has been told last is last.
type phone struct {
	user, key string
	call      int
	cseq      uint32
	last      Binding
}

func newSim(seed int, log func(string, ...any)) *sim {
	w := &sim{seed: seed, log: log, rng: rand.New(rand.NewPCG(uint64(seed), 1)), now: epoch}
	w.store.up, w.store.has = true, map[string]map[string]Binding{}
	for i := range 1 + w.rng.IntN(3) {
		w.users = append(w.users, fmt.Sprint(1101+i))
		for j := range 1 + w.rng.IntN(2) {
			w.phones = append(w.phones, &phone{user: w.users[i], key: fmt.Sprint("phone ", i, j)})
		}
	}
	for i := range 2 + w.rng.IntN(3) {
		w.nodes = append(w.nodes, &node{name: fmt.Sprint("n", i)})
		w.begin(w.nodes[i])
		w.beat(w.nodes[i])
	}
	for _, p := range w.phones {
		w.lives(p)
	}
	w.fault()
	return w
}

func (w *sim) after(d time.Duration, do func()) {
	w.order++
	e := event{w.now.Add(d), w.order, do}
	i, _ := slices.BinarySearchFunc(w.events, e, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order))
	})
	w.events = slices.Insert(w.events, i, e)
}

func (w *sim) some(most time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(most))) }

func (w *sim) faults() bool { return w.now.Before(epoch.Add(faulty)) }

func (w *sim) run() error {
	for w.err == nil && w.now.Before(epoch.Add(faulty+settles)) {
		e := w.events[0]
		w.events, w.now = w.events[1:], e.at
		e.do()
	}
	for _, n := range w.nodes {
		for _, p := range w.phones {
			if w.err == nil && w.now.Add(3*slowest).Before(p.last.Expires) {
				w.check(n, p)
			}
		}
		if lag := n.book.Lag(w.now); w.err == nil && lag > slowest {
			w.err = fmt.Errorf("%s has not told the store for %v", n.name, lag)
		}
	}
	return w.err
}

func (w *sim) check(n *node, p *phone) {
	got, ok := n.here[p.user][p.key]
	if first := w.nodes[0].here[p.user][p.key]; w.set {
		if got.Same(first) {
			return
		}
		p.last = first
	}
	switch {
	case p.last.Gone && !ok, ok && got.Same(p.last):
	default:
		w.err = fmt.Errorf("%s: %s: %+v, want %+v", n.name, p.key, got, p.last)
	}
}

// begin is a switch that knows nothing.
func (w *sim) begin(n *node) {
	n.book, n.here, n.busy, n.joined = NewBook(w.users), map[string]map[string]Binding{}, false, false
	n.life++
	for _, u := range w.users {
		n.here[u] = map[string]Binding{}
	}
}

// lives has a phone register now and then, later than any exchange takes, anywhere; at the end it stays as it is.
func (w *sim) lives(p *phone) {
	w.after(2*slowest+w.some(20*time.Second), func() {
		if !w.faults() {
			return
		}
		if p.cseq++; w.rng.IntN(6) == 0 { // it begins anew
			p.call, p.cseq = p.call+1, 1
		}
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		p.last = Binding{User: p.user, Key: p.key, CallID: fmt.Sprint(p.key, p.call), CSeq: p.cseq,
			Gone: w.rng.IntN(5) == 0, Node: n.name, Since: w.now, Expires: w.now.Add(lives)}
		w.log("%v %s: %s registers: %s %d gone=%v", w.now.Sub(epoch), n.name, p.key, p.last.CallID, p.cseq, p.last.Gone)
		w.put(n, p.last)
		n.book.Changed(w.now, p.last)
		w.lives(p)
	})
}

func (w *sim) put(n *node, b Binding) {
	if n.here[b.User][b.Key] = b; b.Gone {
		delete(n.here[b.User], b.Key)
	}
}

// beat has a switch exchange with the store what there is.
func (w *sim) beat(n *node) {
	w.after(beat, func() {
		w.beat(n)
		if w.rng.IntN(10) == 0 {
			n.book.Again(1)
		}
		if reach := w.store.up && !n.cut; reach != n.joined {
			if n.joined = reach; reach {
				n.book.Joined()
			}
		}
		items := n.book.Next(w.now, 1+w.rng.IntN(3))
		if n.busy || len(items) == 0 {
			return
		}
		n.busy = true
		life, sent := n.life, w.now
		done := func(d time.Duration, do func()) {
			w.after(d, func() {
				if n.life == life {
					n.busy = false
					do()
				}
			})
		}
		if !n.joined {
			done(beat, func() {})
			return
		}
		there := w.some(slowest / 2)
		w.after(there, func() {
			if !w.store.up {
				done(beat, func() {})
				return
			}
			var states [][]Binding
			for _, item := range items {
				states = append(states, w.exchange(n, item, w.now.Sub(sent)))
			}
			if w.faults() && w.rng.IntN(8) == 0 { // it is done, and nobody is told
				done(slowest, func() {})
				return
			}
			done(w.some(slowest/2), func() {
				for i, item := range items {
					w.took(n, item, states[i], sent)
				}
			})
		})
	})
}

// exchange is the store's part. Its times are by its own clock, in which late is how old the message is.
func (w *sim) exchange(n *node, item Item, late time.Duration) (state []Binding) {
	now := w.now.Add(w.store.clock)
	has := w.store.has[item.User]
	if has == nil {
		has = map[string]Binding{}
		w.store.has[item.User] = has
	}
	for key, b := range has {
		if !now.Before(b.Expires) {
			delete(has, key)
		}
	}
	told := false
	for _, c := range item.Changes {
		shift := w.store.clock + late // the switch sends ages and lifetimes
		c.Since, c.Expires = c.Since.Add(shift), c.Expires.Add(shift)
		if had, ok := has[c.Key]; !ok || c.After(had, now) {
			has[c.Key], told = c, true
		}
	}
	for _, o := range w.nodes {
		if told && o != n && (!w.faults() || w.rng.IntN(4) > 0) {
			life := o.life
			w.after(w.some(slowest), func() {
				if o.life == life {
					o.book.Heard(item.User)
				}
			})
		}
	}
	for _, key := range sorted(has) {
		state = append(state, has[key])
	}
	for i := range state { // ages and lifetimes again; nothing is of the future
		since := state[i].Since
		if since.After(now) {
			since = now
		}
		state[i].Since, state[i].Expires = w.now.Add(since.Sub(now)), w.now.Add(state[i].Expires.Sub(now))
	}
	return state
}

// took is a switch's part: what it has itself accepted since stays.
func (w *sim) took(n *node, item Item, state []Binding, sent time.Time) {
	late := w.now.Sub(sent)
	for i := range state { // it counts from when it asked
		state[i].Since, state[i].Expires = state[i].Since.Add(-late), state[i].Expires.Add(-late)
	}
	for _, news := range n.book.Took(w.now, item, state) {
		w.learnt++
		had, ok := n.here[item.User][news.Now.Key]
		if ok && !had.Same(news.Was) {
			continue
		}
		w.log("%v %s learns %s %d gone=%v", w.now.Sub(epoch), n.name, news.Now.CallID, news.Now.CSeq, news.Now.Gone)
		if !w.set && ok && had.Node == n.name && news.Now.CallID == had.CallID && news.Now.CSeq < had.CSeq {
			w.err = fmt.Errorf("%s goes back from %+v to %+v", n.name, had, news.Now)
		}
		if w.put(n, news.Now); !w.set && news.Now.Expires.After(news.Now.Since.Add(lives+4*slowest)) {
			w.err = fmt.Errorf("%s: lives on and on: %+v", n.name, news.Now)
		}
	}
}

// fault breaks something for a while.
func (w *sim) fault() {
	w.after(w.some(15*time.Second), func() {
		if !w.faults() {
			w.heal()
			return
		}
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		what := w.rng.IntN(8)
		w.log("%v fault %d at %s", w.now.Sub(epoch), what, n.name)
		switch what {
		case 0, 1:
			n.cut = !n.cut
		case 2:
			w.store.up = !w.store.up
		case 3: // a replica goes on, some changes behind
			w.store.former = append(w.store.former, w.copied())
			if i := len(w.store.former) - 2; i >= 0 && w.rng.IntN(2) == 0 {
				w.store.has, w.store.former = w.store.former[i], nil
				w.away()
			}
		case 4:
			w.store.has = map[string]map[string]Binding{}
			w.away()
		case 5:
			w.restart(n)
		case 6:
			if w.seed%4 == 0 {
				w.set = true
				w.store.clock += time.Duration(w.rng.IntN(200)-100) * time.Second
			}
		}
		w.fault()
	})
}

// away is a connection that ends, and is there again.
func (w *sim) away() {
	for _, n := range w.nodes {
		n.joined = false
	}
}

func (w *sim) copied() map[string]map[string]Binding {
	all := map[string]map[string]Binding{}
	for user, has := range w.store.has {
		all[user] = map[string]Binding{}
		for key, b := range has {
			all[user][key] = b
		}
	}
	return all
}

// restart has a switch begin with nothing, unless another does not know yet what this one has accepted.
func (w *sim) restart(n *node) {
	for _, p := range w.phones {
		for _, o := range w.nodes {
			if k := o.book.known[p.user][p.key]; p.last.Node == n.name && (k == nil || !k.Same(p.last)) {
				return
			}
		}
	}
	w.begin(n)
}

func (w *sim) heal() {
	w.store.up = true
	for _, n := range w.nodes {
		n.cut = false
	}
	w.away()
}
