package exchange

import (
	"slices"
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
)

var noon = time.Date(2024, 4, 3, 12, 0, 0, 0, time.UTC)

func seatsOf(away ...string) *Seats {
	return NewSeats(func(user string) bool { return !slices.Contains(away, user) })
}

func lineOf(ring desk.Ring, seats ...string) *desk.Hotline {
	return &desk.Hotline{ID: "110", Seats: seats, Ring: ring, Queue: desk.Queue{MaxCalls: 2}}
}

// A seat is claimed by one call at a time.
func TestSeatsAreExclusive(t *testing.T) {
	s, line := seatsOf("1103"), lineOf(desk.All, "1101", "1102", "1103")
	if f := s.Claim(Claim{Call: "a", Line: line}); !slices.Equal(f.Seats, []string{"1101", "1102"}) || f.Online != 2 {
		t.Errorf("first call: %+v", f)
	}
	if f := s.Claim(Claim{Call: "b", Line: line}); len(f.Seats) != 0 || f.Online == 0 || f.Full {
		t.Errorf("second call: %+v", f)
	}
	s.Release("b", "1101", noon) // not its own
	if s.Busy() != 2 {
		t.Errorf("a call released a seat of another")
	}
}

func TestSeatsInTurn(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.LongestIdle, "1101", "1102", "1103")
	for i, seat := range []string{"1102", "1101", "1103"} {
		s.idle[seat] = noon.Add(time.Duration(i) * time.Minute)
	}
	var order []string
	for range 3 {
		f := s.Claim(Claim{Call: "a", Line: line, Max: 1, Tried: order})
		order = append(order, f.Seats...)
	}
	if !slices.Equal(order, []string{"1102", "1101", "1103"}) {
		t.Errorf("longest idle: %v", order)
	}
	if f := seatsOf().Claim(Claim{Call: "a", Line: lineOf(desk.InOrder, "1103", "1101"),
		Max: 1}); !slices.Equal(f.Seats, []string{"1103"}) {
		t.Errorf("in order: %v", f.Seats)
	}
}

// A free seat goes to whoever came first, not to whoever asked first; one that
// does not take it is passed over.
func TestQueue(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.All, "1101")
	var told []string
	join := func(ref string, since int, takes bool) call.SeatsFound {
		return s.Claim(Claim{Call: ref, Since: noon.Add(time.Duration(since) * time.Second), Line: line,
			Tell: func(f call.SeatsFound) bool {
				told = append(told, ref)
				return takes
			}})
	}
	s.Claim(Claim{Call: "talking", Line: line})
	join("late", 2, true)
	join("early", 1, false)
	if f := join("third", 3, true); !f.Full {
		t.Errorf("the queue has no end: %+v", f)
	}
	if s.Waiting("110") != 2 {
		t.Fatalf("%d wait", s.Waiting("110"))
	}
	s.Release("talking", "1101", noon)
	if !slices.Equal(told, []string{"early", "late"}) {
		t.Errorf("told %v", told)
	}
	if s.Waiting("110") != 1 || s.busy["1101"] != "late" {
		t.Errorf("%d wait, the seat is %q's", s.Waiting("110"), s.busy["1101"])
	}
	s.Leave("early", "110")
	if s.Waiting("110") != 0 {
		t.Errorf("%d wait after leaving", s.Waiting("110"))
	}
}

// A phone that registers is a free seat too.
func TestQueueHearsOfRegistration(t *testing.T) {
	online := false
	s, line := NewSeats(func(string) bool { return online }), lineOf(desk.All, "1101")
	told := 0
	s.Claim(Claim{Call: "a", Line: line, Tell: func(call.SeatsFound) bool { told++; return true }})
	s.Online("1101")
	online = true
	s.Online("1101")
	s.Online("1101")
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}
