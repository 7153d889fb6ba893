package exchange

import (
	"maps"
	"slices"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/sip/event"
)

// Shared is what several switches know together of desks and of who waits for one. Its methods do not wait, and call
// nothing of ours before they return.
type Shared interface {
	Claims
	Queue
	Standing
}

// Claims keep switches from ringing one desk at once.
type Claims interface {
	Taken(seat string, by Waiter) // a call of this switch has the seat; it wants it in its turn, but for a zero by
	Given(seat string)            // none has it any more

	// Ask is about seats just taken: which of them another switch has, or are kept for who waits there. done is called
	// soon.
	Ask(seats []string, done func(denied []string))
	Bars(seat string) bool                       // another switch has it, or it is kept for who waits there
	HeldBy(seat string) (node string, held bool) // the other switch that has it
}

// Queue has those who wait at different switches offered seats in the order in which they came.
type Queue interface {
	Queued(w Waiter)
	Unqueued(w Waiter)
	Waiting(line *desk.Hotline) int // at other switches
}

// Standing tells other switches how whoever sits at a seat stands, and since when it is idle.
type Standing interface {
	Stands(seat string, a Agent)
	Idle(seat string, since time.Time)
}

// Waiter is a call that waits for a seat of a line, or wants one at once. Immutable.
type Waiter struct {
	Call  string
	Line  *desk.Hotline
	Since time.Time // when it came: its place
	Last  bool      // it does not wait: all that do go first
	Tried []string  // seats that are not for it
}

func (c Claim) waiter() Waiter { return Waiter{c.Call, c.Line, c.Since, c.Tell == nil, c.Tried} }

// none is for a switch that shares its seats with no other.
type none struct{}

func (none) Taken(string, Waiter)         {}
func (none) Given(string)                 {}
func (none) Ask([]string, func([]string)) {}
func (none) Bars(string) bool             { return false }
func (none) HeldBy(string) (string, bool) { return "", false }
func (none) Queued(Waiter)                {}
func (none) Unqueued(Waiter)              {}
func (none) Waiting(*desk.Hotline) int    { return 0 }
func (none) Stands(string, Agent)         {}
func (none) Idle(string, time.Time)       {}

// Share has other switches have a say from now on.
func (s *Seats) Share(with Shared) { s.shared = with }

// alone says that nobody has to be asked.
func (s *Seats) alone() bool { return s.shared == none{} }

// Find claims seats as [Seats.Claim] does. Where other switches have a say tell is told later what came of it, and ok
// is false.
func (s *Seats) Find(c Claim, tell func(call.SeatsFound) bool) (_ call.SeatsFound, ok bool) {
	found := s.Claim(c)
	if s.alone() || len(found.Seats) == 0 {
		return found, true
	}
	s.shared.Ask(found.Seats, func(denied []string) { s.allowed(c, found, denied, tell) })
	return call.SeatsFound{}, false
}

// HeldElsewhere says that another switch has a seat.
func (s *Seats) HeldElsewhere(seat string) bool {
	_, held := s.shared.HeldBy(seat)
	return held
}

// asking notes whether other switches are asked about a seat for a call. It keeps its place in the line until it has
// one: meanwhile somebody else could have come into a line that was full. Caller holds mu.
func (s *Seats) asking(c Claim, is bool) {
	for i, w := range s.waiting[c.Line.ID] {
		if w.Call == c.Call {
			s.waiting[c.Line.ID][i].asked = is
		}
	}
}

// allowed is what other switches say to a claim: a seat that one of them has is not this call's, which seeks again if
// none is left.
func (s *Seats) allowed(c Claim, found call.SeatsFound, denied []string, tell func(call.SeatsFound) bool) {
	s.mu.Lock()
	for _, seat := range denied {
		if s.busy[seat] == c.Call {
			s.given(seat)
			s.changed(seat)
		}
	}
	found.Seats = slices.DeleteFunc(slices.Clone(found.Seats), func(seat string) bool { return s.busy[seat] != c.Call })
	if found.Online = len(found.Seats); found.Online > 0 {
		s.leave(c.Call, c.Line.ID)
	} else {
		s.asking(c, false)
		found = call.SeatsFound{Hotline: c.Line.ID, Denied: true}
	}
	s.mu.Unlock()
	if !tell(found) { // the call has ended
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, seat := range found.Seats {
			if s.busy[seat] == c.Call {
				s.given(seat)
				s.changed(seat)
				s.offer(seat)
			}
		}
	}
}

// OfferAgain offers the seats that are free to who waits: the process before may have asked other switches, and the
// answer came to nobody.
func (s *Seats) OfferAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	seats := map[string]bool{}
	for _, line := range s.waiting {
		for _, seat := range line[0].Line.Seats {
			seats[seat] = true
		}
	}
	for _, seat := range slices.Sorted(maps.Keys(seats)) {
		if _, taken := s.busy[seat]; !taken {
			s.offer(seat)
		}
	}
}

// ShareAgain tells other switches all about some seats, of which those that hear it now know nothing yet.
func (x *Exchange) ShareAgain(seats []string) { x.seats.shareAgain(seats) }

func (s *Seats) shareAgain(seats []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seat := range seats {
		if _, taken := s.busy[seat]; taken {
			s.shared.Taken(seat, Waiter{})
		}
		if a, ok := s.agents[seat]; ok {
			s.shared.Stands(seat, a)
		}
		if since, ok := s.idle[seat]; ok {
			s.shared.Idle(seat, since)
		}
	}
	for _, line := range s.waiting {
		for _, w := range line {
			if len(w.Line.Seats) > 0 && slices.Contains(seats, w.Line.Seats[0]) {
				s.shared.Queued(w.waiter())
			}
		}
	}
}

// SeatsElsewhere is told of seats that other switches have now, or have no more, and when that begins to be known.
// Those that are free again are offered to calls that wait.
func (x *Exchange) SeatsElsewhere(seats []string) {
	for _, seat := range x.seats.changeHands(seats) {
		x.seats.Online(seat)
	}
}

// changeHands has it shown whose seats are.
func (s *Seats) changeHands(seats []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seats, s.unsure = slices.Concat(seats, s.unsure), nil
	s.changedHands = append(s.changedHands, seats...)
	for _, seat := range seats {
		s.changed(seat)
	}
	s.stir()
	return seats
}

// HeldBy is the other switch that has a user's seat.
func (x *Exchange) HeldBy(user string) (node string, held bool) { return x.seats.shared.HeldBy(user) }

// showHeld shows phones that watch a seat whether another switch has it.
func (x *Exchange) showHeld(seat string) {
	held := x.seats.HeldElsewhere(seat)
	x.lamps.Show(heldRef(seat), heldLamps(seat, held))
	switch {
	case x.cfg.Journal == nil:
	case held:
		x.cfg.Journal.Put(journal.Held, seat, nil)
	default:
		x.cfg.Journal.Delete(journal.Held, seat)
	}
}

// Stands takes how a seat stands by another switch, also one that a reload is yet to bring: it is told once.
func (x *Exchange) Stands(seat string, a Agent) { x.seats.learn(seat, a, x.now()) }

// Idle takes since when a seat has nothing to do, by another switch.
func (x *Exchange) Idle(seat string, since time.Time) { x.seats.learnIdle(seat, since) }

func (s *Seats) learn(seat string, a Agent, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is := s.agents[seat]; !is.Learnt && is.Over.IsZero() && is.Since.After(a.Since) {
		return // a person has said so here since this was read
	}
	if a.State == AfterCall { // it has talked there
		delete(s.vain, seat)
	}
	if a.Learnt = true; a.State == AfterCall && !now.Before(a.Until) {
		a = a.over()
	}
	s.note(seat, a)
}

func (s *Seats) learnIdle(seat string, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since.After(s.idle[seat]) {
		s.idleSince(seat, since)
	}
}

// restoreHeld: phones were told so by the process before.
func (x *Exchange) restoreHeld() {
	if x.cfg.Journal == nil {
		return
	}
	for _, e := range x.cfg.Journal.All(journal.Held) {
		x.seats.unsure = append(x.seats.unsure, e.Key)
		x.lamps.show(heldRef(e.Key), heldLamps(e.Key, true))
	}
}

// heldRef is in the register of lamps what a call's reference is there.
func heldRef(seat string) string { return "held/" + seat }

// heldLamps: a seat that rings or talks by another switch is busy.
func heldLamps(seat string, held bool) []LampState {
	if !held {
		return nil
	}
	return []LampState{{Lamp: seatLamp(seat), State: event.Confirmed}}
}
