package tenure

import (
	"fmt"
	"time"
)

// Of what the calls have to tell something falls due each [every]: whoever acts then writes an entry of it to the
// outbox on its disk, and notes with its calls that it has. A machine takes the calls over with what it knows of those
// notes, and the other one's outbox. All must be in Redis at the end, and none may be written by both machines, unless
// the note was lost on its way by a fault.
const (
	every  = 100 * ms
	dues   = int((faulty + quietly - 2*time.Second) / every)
	gather = 5 * ms   // until the copy of a change is sent
	late   = 500 * ms // a note has come by then, however slow the network is
)

// set of what is due, by number.
type set [(dues + 63) / 64]uint64

func (a set) has(i int) bool { return a[i/64]>>(i%64)&1 != 0 }

func (a *set) add(i int) { a[i/64] |= 1 << (i % 64) }

func (a *set) join(b set) {
	for i := range a {
		a[i] |= b[i]
	}
}

// books of a machine.
type books struct {
	noted  set  // with its calls: in memory, which outlives the process
	box    set  // on its disk: Redis has not confirmed them
	theirs set  // the copy of the other one's outbox
	below  int  // all before this one are noted
	blank  bool // its memory was lost, and it has had no copy since of one that has not lost it
}

// entry is what became of something that was due.
type entry struct {
	by      *node
	at      time.Duration
	excused bool // a fault has kept the note of it from the other machine
}

// work is what a process does with its books while it acts, and with its outbox always.
func (s *sim) work(n *node) {
	if s.acts(n) {
		for i := n.below; i < dues && time.Duration(i)*every <= s.now; i++ {
			if !n.noted.has(i) {
				s.write(n, i)
			}
			if i == n.below {
				n.below++
			}
		}
	}
	if !n.down && !s.cut[quorum][n.id] { // Redis is where the witness is
		s.redis.join(n.box)
		if s.rng.IntN(4) != 0 { // its answer comes
			n.box = set{}
		}
	}
}

// write writes an entry, and sends the other machine the outbox before the note.
func (s *sim) write(n *node, i int) {
	e := &s.entries[i]
	onItsWay := s.now-e.at < late
	if e.by != nil && e.by != n && !e.excused && !n.blank && (s.acts(e.by) || !onItsWay) {
		s.err = fmt.Errorf("at %v %d writes what %d has written at %v, and copied", s.now, n.id, e.by.id, e.at)
	}
	*e = entry{by: n, at: s.now}
	n.box.add(i)
	n.noted.add(i)
	o, life := s.nodes[1-n.id], n.life
	copied := func(what func()) {
		if n.off || n.life != life || o.off || !s.passes(stream, n, o) {
			e.excused = true
			return
		}
		theirs := o.life
		s.awake(o, theirs, func() {
			switch {
			case o.m.Epoch() == 0:
				what()
			case !s.acts(o), !s.acts(n): // o stood still and ends its own turn first, or the note came late
				e.excused = true
			}
		})
	}
	s.after(s.upTo(gather)+s.delay(), func() {
		copied(func() {
			o.theirs.add(i)
			s.after(s.upTo(ms), func() { copied(func() { o.noted.add(i) }) })
		})
	})
}

// whole is a copy of all that a machine has.
func (s *sim) whole(from, to *node) {
	to.noted.join(from.noted)
	to.theirs, to.blank = from.box, from.blank
}

// dies is the end of a machine, now and then of its disk, too: when the other one has a copy.
func (s *sim) dies(n *node) {
	if o := s.nodes[1-n.id]; o.copied && !o.off && s.passes(stream, n, o) && s.rng.IntN(2) == 0 {
		n.box = set{}
	}
	n.noted, n.theirs, n.below, n.blank = set{}, set{}, 0, true
}

// ends is the end of a process: what is on its way to it is lost.
func (s *sim) ends(n *node) {
	for i := range s.entries {
		if e := &s.entries[i]; e.by != n && s.now-e.at < 3*time.Second {
			e.excused = true
		}
	}
}

// told fails when something that was due is not in Redis.
func (s *sim) told() error {
	for i := range dues {
		if !s.redis.has(i) {
			due, e := time.Duration(i)*every, s.entries[i]
			return fmt.Errorf("what was due at %v is in no Redis, written at %v", due, e.at)
		}
	}
	return nil
}
