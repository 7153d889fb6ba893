package claims

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/exchange"
)

// In no world do two citizens have one seat by Redis' word, nor does a citizen have what another one has; while all
// switches and Redis are there and hear each other nobody is given a seat that an earlier one waits for at another
// switch, also when nobody has answered him before; a seat that is free does not stay so for long while somebody waits
// whom his switch can bring to it, whichever switch or Redis is dead, stands still, or has been cut off; and in the end
// all have been served.
func TestOrderOverSwitches(t *testing.T) {
	if *world >= 0 {
		if err := newRoom(*world, t.Logf).run(); err != nil {
			t.Fatal(err)
		}
		return
	}
	n, served, waited := *cases, 0, 0
	if testing.Short() {
		n /= 3
	}
	for seed := range n {
		w := newRoom(seed, func(string, ...any) {})
		if err := w.run(); err != nil {
			t.Fatalf("-world %d: %v", seed, err)
		}
		served, waited = served+w.served, waited+w.waited
	}
	if served < n*10 || waited < served/10 {
		t.Errorf("hardly anything happens: %d citizens, %d of them have waited", served, waited)
	}
	t.Logf("%d worlds, %d citizens, %d of them have waited", n, served, waited)
}

const (
	slack    = 200 * time.Millisecond // on the way and at Redis
	stranded = Lease + Keep + Patience + time.Second
)

// room is a world of switches that have one line, with one Redis. Odd worlds have faults.
type room struct {
	log    func(string, ...any)
	rng    *rand.Rand
	now    time.Time
	line   *desk.Hotline
	faults bool
	away   time.Time // Redis hears nothing until then
	store  *store
	nodes  []*switching
	calls  []*citizen
	idle   map[string]time.Time // since when a seat has been free while somebody could have it
	served int
	waited int
	err    error
}

// switching is one switch: the register of its seats, and its way to Redis.
type switching struct {
	exchange.Standing // nobody says how desks stand
	wire
	w     *room
	seats *exchange.Seats
	blind map[string]bool // phones that it does not reach
	dead  time.Time       // it has ended, and begins anew then
	still time.Time       // it stands still until then
	later []func()        // what is to be done under no lock
}

// citizen is a call.
type citizen struct {
	ref   string
	at    *switching
	came  time.Time
	since time.Time // in the line, zero: not
	seat  string
	sure  bool // by Redis' word
	until time.Time
	retry time.Time
	over  bool

	vain  bool     // nobody is to answer in his next round
	rings []string // seats at which nobody will
	tried []string // in this round
}

func newRoom(seed int, log func(string, ...any)) *room {
	w := &room{log: log, rng: rand.New(rand.NewPCG(uint64(seed), 11)), now: epoch, store: newStore(),
		idle: map[string]time.Time{}, faults: seed%2 == 1}
	w.line = &desk.Hotline{ID: "110", Ring: []desk.Ring{desk.All, desk.LongestIdle, desk.InOrder}[w.rng.IntN(3)],
		Queue: desk.Queue{MaxCalls: 1000}}
	for i := range 1 + w.rng.IntN(3) {
		w.line.Seats = append(w.line.Seats, fmt.Sprint(1101+i))
	}
	for i := range 2 + w.rng.IntN(2) {
		n := &switching{wire: wire{name: fmt.Sprint("n", i)}, w: w, blind: map[string]bool{}}
		for _, seat := range w.line.Seats[1:] {
			n.blind[seat] = w.faults && w.rng.IntN(3) == 0
		}
		w.begin(n)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *room) begin(n *switching) {
	n.m, n.busy, n.later = newMachine(), nil, nil
	n.seats = exchange.NewSeats(func(user string) bool { return !n.blind[user] })
	n.seats.Share(n)
}

func (n *switching) Taken(seat string, by exchange.Waiter) { n.m.taken(seat, n.waiter(by)) }
func (n *switching) Given(seat string)                     { n.m.given(seat) }
func (n *switching) Bars(seat string) bool                 { return n.m.bars(seat) }
func (n *switching) Queued(w exchange.Waiter)              { n.m.queued(n.waiter(w)) }
func (n *switching) Unqueued(w exchange.Waiter)            { n.m.unqueued(w.Call) }
func (n *switching) Waiting(*desk.Hotline) int             { return n.m.others["110"] }
func (n *switching) Idle(string, time.Time)                {}

func (n *switching) Ask(seats []string, done func([]string)) {
	m := n.m
	n.m.ask(n.w.now.Add(Patience), seats, func(denied []string) {
		if n.m == m {
			done(denied)
		}
	})
}

func (n *switching) HeldBy(seat string) (string, bool) { by, ok := n.m.other[seat]; return by, ok }

func (n *switching) waiter(w exchange.Waiter) Waiter {
	if w.Line == nil {
		return Waiter{}
	}
	return Waiter{Call: w.Call, Line: w.Line.ID, Since: w.Since, Last: w.Last, Tried: w.Tried}
}

func (w *room) run() error {
	for w.now = epoch; w.now.Before(epoch.Add(10*time.Minute)) && w.err == nil && !w.over(); w.now = w.now.Add(step) {
		faults := w.faults && w.now.Before(epoch.Add(faulty))
		if faults && w.rng.IntN(3000) == 0 {
			w.away = w.now.Add(time.Duration(w.rng.IntN(6000)) * time.Millisecond)
			clear(w.idle)
			w.log("%v Redis is away until %v", w.now.Sub(epoch), w.away.Sub(epoch))
		}
		for _, n := range w.nodes {
			if w.now.After(n.dead) && w.now.After(n.still) {
				w.step(n, faults)
			}
			if w.now.After(w.store.lease[n.name]) {
				w.unsure(n)
			}
		}
		w.check()
	}
	if w.err == nil && !w.over() {
		w.err = fmt.Errorf("somebody is not served")
	}
	return w.err
}

func (w *room) step(n *switching, faults bool) {
	switch {
	case faults && w.rng.IntN(3000) == 0: // it ends, with its calls
		n.dead = w.now.Add(time.Duration(w.rng.IntN(6000)) * time.Millisecond)
		clear(w.idle) // what follows is told from here on
		w.log("%v %s ends until %v", w.now.Sub(epoch), n.name, n.dead.Sub(epoch))
		for _, c := range w.calls {
			c.over = c.over || c.at == n
		}
		w.begin(n)
		return
	case faults && w.rng.IntN(3000) == 0:
		n.still = w.now.Add(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
		clear(w.idle)
		w.log("%v %s stands still until %v", w.now.Sub(epoch), n.name, n.still.Sub(epoch))
		return
	}
	if w.now.Before(epoch.Add(faulty)) && w.rng.IntN(250) == 0 {
		c := &citizen{ref: fmt.Sprint("c", len(w.calls)), at: n, came: w.now, vain: w.rng.IntN(4) == 0}
		w.calls = append(w.calls, c)
		w.seek(c)
	}
	for _, c := range w.calls {
		switch {
		case c.at != n || c.over:
		case len(c.rings) > 0:
			if w.now.After(c.until) {
				w.inVain(c)
			}
		case c.seat != "" && w.now.After(c.until):
			c.over = true
			w.served++
			w.log("%v %s gives %s back by %s", w.now.Sub(epoch), c.ref, c.seat, n.name)
			n.seats.Release(c.ref, c.seat, w.now)
		case c.seat == "" && w.now.After(c.retry):
			c.tried = nil
			w.seek(c)
		case c.seat == "" && !c.since.IsZero() && w.rng.IntN(4000) == 0:
			w.seek(c)
		}
	}
	late, freed := n.m.late(w.now)
	answers, changed, lost := n.exchanges(w.now, w.rng, w.store, faults, w.now.Before(w.away))
	for _, a := range slices.Concat(late, answers) {
		a.done(a.denied)
	}
	if lost && w.now.Sub(w.store.lease[n.name].Add(-Lease)) > Lease/2 {
		w.unsure(n)
	}
	for _, seat := range slices.Concat(freed, changed) {
		n.seats.Online(seat)
	}
	for len(n.later) > 0 {
		f := n.later[0]
		n.later = n.later[1:]
		f()
	}
}

// over says that no more citizens come, and all have been served.
func (w *room) over() bool {
	return w.now.After(epoch.Add(faulty)) && !slices.ContainsFunc(w.calls, func(c *citizen) bool { return !c.over })
}

// unsure: a switch may have lost its lease, and goes by what it knows.
func (w *room) unsure(n *switching) {
	for _, c := range w.calls {
		c.sure = c.sure && c.at != n
	}
}

// seek is what a call does that wants a desk.
func (w *room) seek(c *citizen) {
	c.retry = w.now.Add(2 * time.Second)
	claim := exchange.Claim{Call: c.ref, Since: c.came, Line: w.line, Tried: slices.Clone(c.tried),
		Tell: func(f call.SeatsFound) bool { return w.told(c, f) }}
	if w.line.Ring != desk.All {
		claim.Max = 1
	}
	if found, ok := c.at.seats.Find(claim, claim.Tell); ok {
		w.told(c, found)
	}
}

func (w *room) told(c *citizen, f call.SeatsFound) bool {
	if c.over {
		return false
	}
	w.log("%v %s by %s is told %+v", w.now.Sub(epoch), c.ref, c.at.name, f)
	c.at.later = append(c.at.later, func() {
		switch {
		case c.over || c.seat != "" || len(c.rings) > 0:
			for _, seat := range f.Seats {
				c.at.seats.Release(c.ref, seat, w.now)
			}
		case f.Denied:
			w.seek(c)
		case len(f.Seats) == 0:
			if c.since.IsZero() && len(c.tried) == 0 {
				c.since = w.now
				w.waited++
			}
		default:
			w.sits(c, f.Seats)
		}
	})
	return true
}

// inVain: nobody has answered. He waits, and all seats have their turn again in the next round.
func (w *room) inVain(c *citizen) {
	seats := c.rings
	c.tried, c.rings = slices.Concat(c.tried, seats), nil
	w.log("%v %s has rung %v in vain by %s", w.now.Sub(epoch), c.ref, seats, c.at.name)
	for _, seat := range seats {
		c.at.seats.Release(c.ref, seat, w.now)
	}
	w.seek(c)
}

// sits: one of the seats answers.
func (w *room) sits(c *citizen, seats []string) {
	if c.vain {
		c.vain, c.rings, c.since, c.until = false, seats, time.Time{}, w.now.Add(time.Second)
		return
	}
	c.seat = seats[w.rng.IntN(len(seats))]
	c.sure = c.at.m.mine[c.seat]
	c.until = w.now.Add(time.Duration(500+w.rng.IntN(4000)) * time.Millisecond)
	w.log("%v %s has %s of %v by %s, sure %t", w.now.Sub(epoch), c.ref, c.seat, seats, c.at.name, c.sure)
	for _, seat := range seats {
		if seat != c.seat {
			c.at.seats.Release(c.ref, seat, w.now)
		}
	}
	if w.faults {
		return
	}
	for _, o := range w.calls {
		if !o.over && o.seat == "" && o.at != c.at && !o.since.IsZero() && w.now.Sub(o.since) > slack &&
			c.came.Sub(o.came) > slack {
			w.err = fmt.Errorf("%v: %s, that came at %v, has %s by %s, and %s waits at %s since %v", w.now.Sub(epoch),
				c.ref, c.came.Sub(epoch), c.seat, c.at.name, o.ref, o.at.name, o.came.Sub(epoch))
		}
	}
}

// check: nobody shares a seat, and no seat is idle for long while somebody waits for it.
func (w *room) check() {
	has, busy := map[string]string{}, map[string]bool{}
	for _, c := range w.calls {
		for _, seat := range c.rings {
			busy[seat] = busy[seat] || !c.over
		}
		if c.over || c.seat == "" {
			continue
		}
		busy[c.seat] = true
		if was := has[c.seat]; was != "" && c.sure {
			w.err = fmt.Errorf("%v: %s and %s have %s", w.now.Sub(epoch), was, c.ref, c.seat)
		}
		if c.sure {
			has[c.seat] = c.ref
		}
	}
	for _, seat := range w.line.Seats {
		wanted := slices.ContainsFunc(w.calls, func(c *citizen) bool {
			return !c.over && c.seat == "" && !c.at.blind[seat] && w.now.After(c.at.dead) && w.now.After(c.at.still)
		})
		if busy[seat] || !wanted {
			delete(w.idle, seat)
		} else if at, ok := w.idle[seat]; !ok {
			w.idle[seat] = w.now
		} else if w.now.Sub(at) > stranded {
			w.err = fmt.Errorf("%v: %s is free since %v, and somebody waits; %v", w.now.Sub(epoch), seat,
				at.Sub(epoch), slices.Sorted(maps.Keys(busy)))
		}
	}
}
