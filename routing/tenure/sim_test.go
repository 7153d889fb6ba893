package tenure

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	cases = flag.Int("cases", 100_000, "how many worlds with faults are simulated, half of them with a witness")
	world = flag.Int("world", -1, "only this one, and tell of it")
	spend = flag.Duration("spend", 8*time.Second, "no new case begins after so long")
)

const (
	ms       = time.Millisecond
	faulty   = 6 * time.Second // so long there are faults
	quietly  = 6 * time.Second // and then so long none: a slow hand-over may take half of it
	advert   = 100 * ms        // of VRRP
	tickWait = 40 * ms
)

// In no world do two act at once, or is an entry lost or written by both, and when the faults are over the one acts
// that has the address. The faults: the network between the two, each way alone, for VRRP and the stream apart; the
// ways to the witness, which is Redis; delays; machines and processes that stand still for longer than a lease, or end
// and come again, a machine now and then without its disk; links that go down; clocks that run up to a twentieth too
// fast or too slow. None of them is a wall clock: one that is set changes nothing.
func TestNeverTwo(t *testing.T) {
	if *world >= 0 {
		if err := simulate(*world, t.Logf); err != nil {
			t.Fatal(err)
		}
		return
	}
	n := *cases
	if testing.Short() {
		n /= 10
	}
	var next, ran, turns, failed atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(*spend)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for failed.Load() < 5 && time.Now().Before(end) {
				seed := int(next.Add(1)) - 1
				if seed >= n {
					return
				}
				w := newSim(seed, nil)
				if err := w.run(); err != nil {
					failed.Add(1)
					t.Errorf("-world %d: %v", seed, err)
				}
				ran.Add(1)
				turns.Add(int64(w.turns))
			}
		})
	}
	all.Wait()
	t.Logf("%d worlds, %d turns", ran.Load(), turns.Load())
	if ran.Load() > 1000 && turns.Load() < ran.Load()*5/4 {
		t.Error("hardly anything happens")
	}
}

func simulate(seed int, log func(string, ...any)) error { return newSim(seed, log).run() }

// sim is a world. All times are its own; a node's clock is a linear function of them.
type sim struct {
	seed    int
	log     func(string, ...any)
	rng     *rand.Rand
	now     time.Duration
	events  queue
	order   int
	witness bool
	nodes   [2]*node
	third   struct {
		epoch uint64
		until time.Duration
		known bool
	}
	cut   [ways][2]bool // what lets nothing through, by the node that speaks
	slow  bool
	turns int

	redis   set
	entries [dues]entry
	err     error
}

// The ways.
const (
	stream = iota
	vrrp
	quorum
	ways
)

type way struct{ kind, from int }

type node struct {
	id      int
	m       *Machine
	rate    float64
	asleep  time.Duration // the process stands still until then
	frozen  time.Duration // and the machine
	down    bool          // the link
	off     bool          // the process
	life    int           // counts the processes
	master  bool          // VRRP
	yields  bool          // VRRP does not give it the address
	copied  bool          // it has a copy of what the other one carries
	heardV  time.Duration // VRRP's last message of the other one
	saved   uint64
	savedTo time.Duration // by the node's own clock
	books
}

func newSim(seed int, log func(string, ...any)) *sim {
	s := &sim{seed: seed, log: log, rng: rand.New(rand.NewPCG(uint64(seed), 17)), witness: seed%2 == 0}
	for i := range s.nodes {
		s.nodes[i] = &node{id: i, rate: 0.95 + 0.1*s.rng.Float64(), off: true}
	}
	for _, n := range s.nodes { // one of them may be slow to start
		s.after(s.upTo(2000*ms)*time.Duration(s.rng.IntN(2)), func() { s.start(n) })
	}
	s.vrrp()
	for range 2 + s.rng.IntN(6) {
		at := time.Duration(s.rng.Int64N(int64(faulty)))
		s.after(at, s.fault)
	}
	return s
}

func (s *sim) tell(format string, args ...any) {
	if s.log != nil {
		s.log("%8.3f "+format, append([]any{s.now.Seconds()}, args...)...)
	}
}

type event struct {
	at    time.Duration
	order int
	f     func()
}

type queue []event

func (e event) before(o event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (q *queue) push(e event) {
	*q = append(*q, e)
	l := *q
	for i := len(l) - 1; i > 0 && l[i].before(l[(i-1)/2]); i = (i - 1) / 2 {
		l[i], l[(i-1)/2] = l[(i-1)/2], l[i]
	}
}

func (q *queue) pop() event {
	l := *q
	first := l[0]
	l[0] = l[len(l)-1]
	l = l[:len(l)-1]
	for i := 0; ; {
		least := i
		for _, c := range []int{2*i + 1, 2*i + 2} {
			if c < len(l) && l[c].before(l[least]) {
				least = c
			}
		}
		if least == i {
			break
		}
		l[i], l[least] = l[least], l[i]
		i = least
	}
	*q = l
	return first
}

func (s *sim) after(d time.Duration, f func()) {
	s.order++
	s.events.push(event{s.now + d, s.order, f})
}

func (s *sim) run() error {
	for len(s.events) > 0 && s.err == nil {
		e := s.events.pop()
		if e.at > faulty+quietly {
			break
		}
		s.now = e.at
		e.f()
		s.look()
	}
	if s.err == nil {
		s.err = s.alive()
	}
	if s.err == nil {
		s.err = s.told()
	}
	return s.err
}

// look looks for two that act. One that stands still does nothing; when it goes on is an event.
func (s *sim) look() {
	if s.acts(s.nodes[0]) && s.acts(s.nodes[1]) {
		s.err = fmt.Errorf("at %v both act, in turns %d and %d", s.now, s.nodes[0].m.Epoch(), s.nodes[1].m.Epoch())
	}
}

func (s *sim) acts(n *node) bool { return !n.off && s.now >= n.asleep && n.m.Acting(s.clock(n)) }

func (s *sim) alive() error {
	a, b := s.nodes[0], s.nodes[1]
	switch {
	case s.acts(a) && a.master, s.acts(b) && b.master:
		return nil
	}
	return fmt.Errorf("after the faults nobody acts that has the address: masters %v %v, acting %v %v", a.master,
		b.master, s.acts(a), s.acts(b))
}

func (s *sim) clock(n *node) time.Duration {
	return time.Duration(float64(s.now)*n.rate) + time.Duration(n.id)*time.Hour
}

// start begins a node's process.
func (s *sim) start(n *node) {
	n.life++
	n.off = false
	cfg := Config{Lease: DefaultLease, Witness: s.witness, First: n.id == 0}
	if n.saved != 0 {
		n.m = Resume(cfg, s.clock(n), n.saved, n.savedTo)
	} else {
		n.m = New(cfg, s.clock(n))
		n.yields = true
	}
	n.copied = false
	s.tick(n, n.life)
}

func (s *sim) tick(n *node, life int) {
	s.awake(n, life, func() {
		o := s.nodes[1-n.id]
		flows := s.passes(stream, n, o) && s.passes(stream, o, n) && !o.off && s.now >= o.asleep
		if n.m.Epoch() != 0 || !flows {
			n.copied = false
		} else if o.m.Epoch() != 0 && s.rng.IntN(4) == 0 {
			n.copied = true
			s.whole(o, n)
		}
		if n.m.Epoch() == 0 && (n.copied || n.m.Alone(s.clock(n))) {
			n.yields = false
		}
		s.do(n, n.m.Addressed(s.clock(n), n.master, flows && o.copied)) // it looks at its interfaces
		s.work(n)
		s.after(tickWait/2+s.upTo(tickWait), func() { s.tick(n, life) })
	})
}

// awake runs f when the node's process runs, if it is still the same.
func (s *sim) awake(n *node, life int, f func()) {
	switch {
	case n.off || n.life != life:
	case s.now < n.asleep:
		s.after(n.asleep-s.now+s.upTo(2*ms), func() { s.awake(n, life, f) })
	default:
		f()
	}
}

func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

func (s *sim) delay() time.Duration {
	if s.slow {
		return s.upTo(400 * ms)
	}
	return s.upTo(3 * ms)
}

func (s *sim) do(n *node, list []Effect) {
	if n.m.Epoch() != 0 {
		n.saved, n.savedTo = n.m.Epoch(), n.m.Until()
	} else {
		n.saved = 0
	}
	life := n.life
	for _, e := range list {
		switch {
		case e.Begin:
			s.turns++
			n.box.join(n.theirs)
			s.tell("%d begins turn %d: %s", n.id, n.m.Epoch(), e.Why)
		case e.Cease:
			s.tell("%d ceases: %s", n.id, e.Why)
			n.yields = n.yields || !e.Orderly
			long := s.upTo(200 * ms)
			if s.rng.IntN(8) == 0 { // a hand-over, or the process that comes next, is slow
				long = s.upTo(2500 * ms)
			}
			s.after(long, func() {
				s.awake(n, life, func() {
					n.yields, n.copied = true, false
					o := s.nodes[1-n.id]
					all := s.rng.IntN(2) == 0 && s.passes(stream, n, o) && !o.off && o.m.Epoch() == 0
					if all {
						s.whole(n, o)
					}
					s.do(n, n.m.Ceased(s.clock(n), all))
				})
			})
		case e.Say != nil:
			s.say(n, *e.Say)
		case e.Consult != nil:
			s.consult(n, *e.Consult)
		}
	}
}

func (s *sim) say(n *node, w Word) {
	to := s.nodes[1-n.id]
	life := to.life
	s.after(s.delay(), func() {
		if s.passes(stream, n, to) {
			s.awake(to, life, func() { s.do(to, to.m.Heard(s.clock(to), w)) })
		}
	})
}

func (s *sim) passes(kind int, a, b *node) bool { return !s.cut[kind][a.id] && !a.down && !b.down }

// consult asks the witness, who keeps what it has said.
func (s *sim) consult(n *node, w Word) {
	life := n.life
	s.after(s.delay(), func() {
		if s.cut[quorum][n.id] || n.down {
			return
		}
		answer := s.decide(w)
		s.after(s.delay(), func() {
			if !s.cut[quorum][n.id] && !n.down {
				s.awake(n, life, func() { s.do(n, n.m.Witnessed(s.clock(n), answer)) })
			}
		})
	})
}

func (s *sim) decide(w Word) Word {
	q, term := &s.third, DefaultLease+DefaultLease/8
	yes, no := Word{Kind: Yes, Epoch: w.Epoch, Number: w.Number}, Word{Kind: No, Epoch: q.epoch, Number: w.Number}
	switch {
	case !q.known:
		q.known, q.until = true, s.now+term
		return no
	case w.Epoch < q.epoch, w.Epoch > q.epoch && s.now < q.until:
		return no
	}
	q.epoch, q.until = w.Epoch, s.now+term
	return yes
}

// vrrp is both keepaliveds: priorities 150 and 100, and nobody takes the address from one who has it.
func (s *sim) vrrp() {
	for _, n := range s.nodes {
		if s.now < n.frozen {
			continue
		}
		if n.down || n.yields {
			if n.master && !n.down {
				s.resigns(n)
			}
			n.master, n.heardV = false, s.now
			continue
		}
		if !n.master && s.now-n.heardV > 3*advert+advert/2+time.Duration(n.id)*advert/5 {
			n.master = true
			s.tell("%d has the address", n.id)
		}
		if n.master {
			s.advertise(n)
		}
	}
	s.after(advert/2, s.vrrp)
}

// resigns tells the other keepalived to take the address at once: RFC 5798 §6.4.3, an advertisement of priority 0.
func (s *sim) resigns(n *node) {
	to := s.nodes[1-n.id]
	s.after(s.upTo(ms), func() {
		if s.passes(vrrp, n, to) {
			to.heardV = min(to.heardV, s.now-3*advert)
		}
	})
}

func (s *sim) advertise(n *node) {
	to := s.nodes[1-n.id]
	s.after(s.upTo(ms), func() {
		if !s.passes(vrrp, n, to) || s.now < to.frozen {
			return
		}
		to.heardV = s.now
		if to.master && n.id == 0 { // the higher priority
			to.master = false
			s.tell("%d gives the address up", to.id)
		}
	})
}

// fault is one of them, and its end.
func (s *sim) fault() {
	n := s.nodes[s.rng.IntN(2)]
	long := s.upTo(2500 * ms)
	if s.now+long > faulty {
		long = faulty - s.now
	}
	switch s.rng.IntN(9) {
	case 0: // one way of the stream
		s.sever(long, way{stream, n.id})
	case 1:
		s.sever(long, way{stream, 0}, way{stream, 1})
	case 2: // a partition: with a witness also of VRRP
		if s.witness {
			s.sever(long, way{stream, 0}, way{stream, 1}, way{vrrp, 0}, way{vrrp, 1})
		}
	case 3:
		if s.witness {
			s.sever(long, way{vrrp, n.id}, way{quorum, s.rng.IntN(2)})
		} else if s.cut[stream] == [2]bool{} {
			s.slow = true
			s.after(long, func() { s.slow = false })
		}
	case 4: // the process stands still
		s.tell("%d stands still for %v", n.id, long)
		n.asleep = max(n.asleep, s.now+long)
	case 5: // and the whole machine
		s.tell("%d and its machine stand still for %v", n.id, long)
		n.asleep, n.frozen = max(n.asleep, s.now+long), max(n.frozen, s.now+long)
		s.after(long, func() { n.heardV = s.now })
	case 6:
		s.tell("%d has no link for %v", n.id, long)
		n.down = true
		s.after(long, func() { n.down, n.heardV = false, s.now })
	case 7: // Redis is away
		s.sever(long, way{quorum, 0}, way{quorum, 1})
	case 8:
		if n.life == 0 {
			return
		}
		s.tell("the process of %d ends for %v", n.id, long)
		n.off = true
		s.ends(n)
		life := n.life
		if s.rng.IntN(3) == 0 { // and the machine
			s.dies(n)
			n.saved, n.down, n.master = 0, true, false
		}
		s.after(long, func() {
			if n.off && n.life == life {
				if n.down {
					n.down, n.heardV = false, s.now
				}
				s.start(n)
			}
		})
	}
}

func (s *sim) sever(long time.Duration, list ...way) {
	s.tell("cut for %v: %v", long, list)
	for _, w := range list {
		s.cut[w.kind][w.from] = true
	}
	s.after(long, func() {
		for _, w := range list {
			s.cut[w.kind][w.from] = false
		}
	})
}
