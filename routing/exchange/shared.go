package exchange

import (
	"slices"

	"liandong/routing/call"
)

// Claims is what several switches have of the seats, so that no two ring one desk at once. Its methods do not wait, and
// call nothing of ours before they return.
type Claims interface {
	Taken(seat string)                              // a call of this switch has the seat
	Given(seat string)                              // none has it any more
	Ask(seats []string, done func(denied []string)) // which of those just taken another switch has; done is called soon
	Elsewhere(seat string) bool                     // another switch has it
}

// none is the one switch that there is.
type none struct{}

func (none) Taken(string)                 {}
func (none) Given(string)                 {}
func (none) Ask([]string, func([]string)) {}
func (none) Elsewhere(string) bool        { return false }

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

// allowed is what other switches say to a claim: a seat that one of them has is not this call's, which is then given
// another or waits.
func (s *Seats) allowed(c Claim, found call.SeatsFound, denied []string, tell func(call.SeatsFound) bool) {
	s.mu.Lock()
	for _, seat := range denied {
		if s.busy[seat] == c.Call {
			s.given(seat)
			s.changed(seat)
		}
	}
	found.Seats = slices.DeleteFunc(slices.Clone(found.Seats), func(seat string) bool { return s.busy[seat] != c.Call })
	found.Online = len(found.Seats)
	s.mu.Unlock()
	if found.Online == 0 {
		again, ok := s.Find(c, tell)
		if !ok {
			return
		}
		found = again
	}
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

// Elsewhere is told of seats that other switches have now, or have no more: these may be somebody's who waits.
func (x *Exchange) Elsewhere(seats []string) {
	for _, seat := range seats {
		if !x.cfg.Claims.Elsewhere(seat) {
			x.seats.Online(seat)
		}
	}
}
