package exchange

import (
	"slices"
	"sync"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
)

// Seats knows which desk of a hotline is free, and which calls wait for one.
// A seat is claimed by one call at a time, while it rings and while it talks.
// It and Lamps are all that calls share. Guarded by mu; nothing under the lock
// blocks or calls out.
type Seats struct {
	mu      sync.Mutex
	online  func(user string) bool // has the seat's phone registered
	busy    map[string]string      // seat → call
	talks   map[string]bool        // of those: it has answered
	apart   map[string]bool        // of those: as a supervisor, whose call is nobody's business
	last    map[string]string      // seat → the call that held it before
	idle    map[string]time.Time   // since when a seat has been free
	waiting map[string][]Claim     // hotline → calls in line, first come first
	free    map[string]*freeSeats  // hotline → those that no call has
	shared  Shared                 // of other switches; never nil
	changed func(seat string)      // is told of each whose state may be another; under the lock: must not block

	agents   map[string]Agent                // seat → how whoever sits there stands; none: ready
	lineOf   func(seat string) *desk.Hotline // whose rules hold for it; nil: no line's
	keep     func(seat string, a Agent)      // stores that; under the lock: must not block
	vain     map[string]int                  // how often in a row a seat has rung in vain
	restless map[string]bool                 // seats whose state has changed and has not been reported
	stirred  chan struct{}                   // holds a token while restless or changedHands is not empty

	changedHands []string // seats that another switch has now, or has no more, which has not been shown
	unsure       []string // seats that another switch had when the process before ended
}

// Claim asks for seats of a line on behalf of a call.
type Claim struct {
	Call  string    // the call's reference
	Since time.Time // when it came: its place in the queue
	Line  *desk.Hotline
	Tried []string                   // seats that had their turn
	Max   int                        // at most so many; 0: all
	Only  string                     // this seat and no other; "": any
	First string                     // this seat and no other, ready or not; "": any
	asked bool                       // other switches are asked about a seat for it
	Tell  func(call.SeatsFound) bool // nil: does not queue. Must not block, the lock may be held; false: not taken
}

// NewSeats makes an empty register. online tells whether a user's phone can
// be reached; it is asked under no lock of its own making.
func NewSeats(online func(user string) bool) *Seats {
	return &Seats{online: online, busy: map[string]string{}, talks: map[string]bool{}, apart: map[string]bool{},
		last: map[string]string{}, idle: map[string]time.Time{}, waiting: map[string][]Claim{},
		free: map[string]*freeSeats{}, shared: none{},
		changed: func(string) {}, agents: map[string]Agent{}, vain: map[string]int{}, keep: func(string, Agent) {},
		lineOf: func(string) *desk.Hotline { return nil }, stirred: make(chan struct{}, 1),
		restless: map[string]bool{}}
}

// Take claims a seat for a call that its phone wants to come into. It must be free,
// or be rung by that very call; whose phone talks already has a call.
func (s *Seats) Take(ref, seat string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by, taken := s.busy[seat]; taken && by != ref || s.talks[seat] {
		return false
	}
	s.taken(seat, ref, Waiter{})
	s.changed(seat)
	return true
}

// Watch claims the seat of a supervisor's phone, which is in a call without having it.
func (s *Seats) Watch(ref, seat string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by, taken := s.busy[seat]; taken && (by != ref || s.talks[seat] && !s.apart[seat]) {
		return false
	}
	s.taken(seat, ref, Waiter{})
	s.talks[seat], s.apart[seat] = true, true
	s.changed(seat)
	return true
}

// Sit lets a supervisor's phone have the call.
func (s *Seats) Sit(seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.apart, seat)
	s.changed(seat)
}

// LongestWaiting is the call that has waited longest for a seat of a hotline, "" none.
func (s *Seats) LongestWaiting(hotline string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line := s.waiting[hotline]; len(line) > 0 {
		return line[0].Call
	}
	return ""
}

// enqueue puts a call in line, by the time it came; false when there is no room. One that is in line keeps its place,
// and what it wants now counts.
func (s *Seats) enqueue(c Claim) bool {
	line := s.waiting[c.Line.ID]
	if i := slices.IndexFunc(line, func(o Claim) bool { return o.Call == c.Call }); i >= 0 {
		same := slices.Equal(line[i].Tried, c.Tried)
		c.asked = line[i].asked
		if line[i] = c; !same {
			s.shared.Queued(c.waiter())
		}
		return true
	}
	if most := c.Line.Queue.MaxCalls; most > 0 && len(line)+s.shared.Waiting(c.Line) >= most {
		return false
	}
	i, _ := slices.BinarySearchFunc(line, c.Since, func(o Claim, t time.Time) int { return o.Since.Compare(t) })
	s.waiting[c.Line.ID] = slices.Insert(line, i, c)
	s.shared.Queued(c.waiter())
	return true
}

// Release gives a seat back and offers it to whoever has waited longest for
// its line. A call that does not hold the seat releases nothing.
func (s *Seats) Release(ref, seat string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[seat] != ref {
		return
	}
	if s.talks[seat] && !s.apart[seat] { // before it is free: other switches are not to ring who has after-call work
		s.callOver(seat, now)
	}
	s.idleSince(seat, now)
	s.shared.Idle(seat, now)
	s.given(seat)
	delete(s.talks, seat)
	delete(s.apart, seat)
	s.last[seat] = ref
	s.changed(seat)
	s.offer(seat)
}

// Online offers a seat whose phone has just registered.
func (s *Seats) Online(seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.busy[seat]; !taken {
		s.offer(seat)
	}
}

func (s *Seats) offer(seat string) {
	if !s.online(seat) || s.shared.Bars(seat) {
		return
	}
	for id, line := range s.waiting {
		for _, w := range line {
			if w.asked || !slices.Contains(w.Line.Seats, seat) || s.agent(seat).State != Ready && !w.Line.LastResort {
				continue
			}
			s.taken(seat, w.Call, w.waiter())
			found := call.SeatsFound{Hotline: id, Seats: []string{seat}, Online: 1}
			if !s.alone() {
				s.changed(seat)
				s.asking(w, true)
				s.shared.Ask(found.Seats, func(denied []string) { s.allowed(w, found, denied, w.Tell) })
				return
			}
			if w.Tell(found) {
				s.changed(seat)
				s.leave(w.Call, id)
				return
			}
			s.given(seat)
		}
	}
}

// Leave takes a call out of a line.
func (s *Seats) Leave(ref, hotline string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(ref, hotline)
}

func (s *Seats) leave(ref, hotline string) {
	s.waiting[hotline] = slices.DeleteFunc(s.waiting[hotline], func(c Claim) bool {
		if c.Call == ref {
			s.shared.Unqueued(c.waiter())
		}
		return c.Call == ref
	})
	if len(s.waiting[hotline]) == 0 {
		delete(s.waiting, hotline)
	}
}

// Pass gives a claimed seat from one call to another. Of a call that does not hold
// it, it stays with whoever does.
func (s *Seats) Pass(from, to, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seat != "" && s.busy[seat] == from {
		s.busy[seat] = to
		s.changed(seat)
	}
}

// Answered notes that a claimed seat has picked up.
func (s *Seats) Answered(ref, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[seat] == ref {
		s.talks[seat] = true
		delete(s.vain, seat)
		s.changed(seat)
	}
}

// Talks is the call in which a seat talks.
func (s *Seats) Talks(seat string) (ref string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy[seat], s.talks[seat]
}

// Claimed is the call that has a seat.
func (s *Seats) Claimed(seat string) (ref string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref, ok = s.busy[seat]
	return ref, ok
}

// Holder is the call that has claimed a seat, or that had it last: its farewell
// may still be on the way to the phone.
func (s *Seats) Holder(seat string) (ref string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ref, ok = s.busy[seat]; !ok {
		ref, ok = s.last[seat]
	}
	return ref, ok
}

// Busy counts the claimed seats, Waiting the calls in line.
func (s *Seats) Busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.busy)
}

// Waiting counts the calls that wait for a seat of a hotline.
func (s *Seats) Waiting(hotline string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting[hotline])
}

// Seat is the call that has claimed a user's seat, "" none, and whether the seat has answered it. Of a supervisor it is
// said that he talks, and not where.
func (x *Exchange) Seat(user string) (ref string, talks bool) {
	x.seats.mu.Lock()
	defer x.seats.mu.Unlock()
	if x.seats.apart[user] {
		return "", true
	}
	return x.seats.busy[user], x.seats.talks[user]
}
