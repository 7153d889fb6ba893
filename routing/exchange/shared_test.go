package exchange

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/sip/event"
)

// claims are those of another switch, which answers when the test says so.
type claims struct {
	mine, other map[string]bool
	asked       []func()
}

func newClaims(other ...string) *claims {
	c := &claims{mine: map[string]bool{}, other: map[string]bool{}}
	for _, seat := range other {
		c.other[seat] = true
	}
	return c
}

func (c *claims) Taken(seat string)                 { c.mine[seat] = true }
func (c *claims) Given(seat string)                 { delete(c.mine, seat) }
func (c *claims) HeldBy(seat string) (string, bool) { return "other", c.other[seat] }

func (c *claims) Ask(seats []string, done func(denied []string)) {
	c.asked = append(c.asked, func() {
		done(slices.DeleteFunc(slices.Clone(seats), func(s string) bool { return !c.other[s] }))
	})
}

// answer answers all that was asked until now.
func (c *claims) answer() {
	asked := c.asked
	c.asked = nil
	for _, f := range asked {
		f()
	}
}

// listener notes what a call is told of seats; one that is over takes nothing.
type listener struct {
	all  []call.SeatsFound
	over bool
}

func (t *listener) take(f call.SeatsFound) bool {
	if !t.over {
		t.all = append(t.all, f)
	}
	return !t.over
}

// A call rings a seat when no other switch has it: it waits for their word, and is given another seat, or its place in
// the queue, for one that was theirs.
func TestSharedSeats(t *testing.T) {
	for _, tt := range []struct {
		name         string
		ring         desk.Ring
		known, other []string // what another switch has, as was known, and as it says
		want         []string
		asks         int
	}{
		{"nobody has any", desk.All, nil, nil, []string{"1101", "1102"}, 1},
		{"one is known to be another's", desk.All, []string{"1101"}, []string{"1101"}, []string{"1102"}, 1},
		{"one turns out to be", desk.All, nil, []string{"1101"}, []string{"1102"}, 1},
		{"the first in order turns out to be", desk.InOrder, nil, []string{"1101"}, []string{"1102"}, 2},
		{"both turn out to be", desk.All, nil, []string{"1101", "1102"}, nil, 1},
		{"both, in order", desk.InOrder, nil, []string{"1101", "1102"}, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shared, s, line, heard := newClaims(tt.known...), seatsOf(), lineOf(tt.ring, "1101", "1102"), &listener{}
			s.shared = shared
			c := Claim{Call: "a", Line: line}
			if tt.ring != desk.All {
				c.Max = 1
			}
			c.Tell = func(f call.SeatsFound) bool { // as a call does
				if f.Denied {
					again, ok := s.Find(c, c.Tell)
					return !ok || heard.take(again)
				}
				return heard.take(f)
			}
			if _, ok := s.Find(c, c.Tell); ok {
				t.Fatal("other switches have no say")
			}
			shared.other = newClaims(tt.other...).other
			asks := 0
			for ; len(shared.asked) > 0; asks++ {
				shared.answer()
			}
			if len(heard.all) != 1 || !slices.Equal(heard.all[0].Seats, tt.want) || asks != tt.asks {
				t.Fatalf("after %d asks: %+v", asks, heard.all)
			}
			for _, seat := range tt.want {
				if by, _ := s.Claimed(seat); by != "a" || !shared.mine[seat] {
					t.Errorf("%s is %q's", seat, by)
				}
			}
			if len(shared.mine) != len(tt.want) || s.Busy() != len(tt.want) {
				t.Errorf("claimed here: %d, there: %v", s.Busy(), shared.mine)
			}
			if len(tt.want) > 0 {
				return
			}
			if s.LongestWaiting("110") != "a" || heard.all[0].Online != 1 {
				t.Errorf("it does not wait: %+v", heard.all)
			}
			delete(shared.other, "1102") // the other switch gives it back
			s.Online("1101")
			s.Online("1102")
			shared.answer()
			if last := heard.all[len(heard.all)-1]; len(heard.all) != 2 || !slices.Equal(last.Seats, []string{"1102"}) {
				t.Errorf("when one is free: %+v", heard.all)
			}
		})
	}
}

// A call that ends while other switches are asked keeps no seat; who waits gets it.
func TestSharedSeatOfACallThatIsOver(t *testing.T) {
	shared, s, line := newClaims(), seatsOf(), lineOf(desk.All, "1101")
	s.shared = shared
	over, waits := &listener{over: true}, &listener{}
	s.Find(Claim{Call: "a", Line: line, Tell: over.take}, over.take)
	if found, ok := s.Find(Claim{Call: "b", Since: time.Unix(1, 0), Line: line, Tell: waits.take}, waits.take); !ok ||
		len(found.Seats) > 0 {
		t.Fatalf("%+v", found)
	}
	shared.answer()
	if by, _ := s.Claimed("1101"); by != "b" {
		t.Fatalf("the seat is %q's", by)
	}
	shared.answer()
	if len(waits.all) != 1 || len(waits.all[0].Seats) != 1 {
		t.Errorf("%+v", waits.all)
	}
	s.Release("b", "1101", time.Unix(2, 0))
	if len(shared.mine) > 0 {
		t.Errorf("still claimed: %v", shared.mine)
	}
}

// Who waits keeps his place in a full line while other switches are asked about a seat for him, and is out of it when
// he has gone meanwhile.
func TestSharedSeatOfWhoWaits(t *testing.T) {
	shared, s, line, heard := newClaims("1101"), seatsOf(), lineOf(desk.All, "1101"), &listener{}
	s.shared, line.Queue.MaxCalls = shared, 1
	c := Claim{Call: "a", Line: line, Tell: heard.take}
	late := Claim{Call: "b", Since: time.Unix(1, 0), Line: line, Tell: (&listener{}).take}
	if found, ok := s.Find(c, c.Tell); !ok || found.Full {
		t.Fatalf("%+v", found)
	}
	delete(shared.other, "1101")
	s.Online("1101") // free again, as it seems
	shared.other["1101"] = true
	if found, _ := s.Find(late, late.Tell); !found.Full {
		t.Errorf("another has taken the place: %+v", found)
	}
	shared.answer()
	if len(heard.all) != 1 || !heard.all[0].Denied || s.LongestWaiting("110") != "a" {
		t.Errorf("%+v, first in line %q", heard.all, s.LongestWaiting("110"))
	}
	delete(shared.other, "1101")
	s.OfferAgain()
	shared.other["1101"] = true
	s.Leave("a", "110") // he hangs up
	shared.answer()
	if s.Waiting("110") > 0 || s.Busy() > 0 {
		t.Errorf("%q waits, %d seats are busy", s.LongestWaiting("110"), s.Busy())
	}
}

// A seat that another switch has shows as busy to who watches it, in the next process, too, until that switch gives it
// back, whenever that is.
func TestHeldElsewhereIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		shared := newClaims("1102")
		l.x.seats.shared = shared
		lit := func() bool { lamp, ok := l.x.lamps.Best(seatLamp("1102")); return ok && lamp.State == event.Confirmed }
		l.x.SeatsElsewhere([]string{"1102"})
		synctest.Wait()
		if node, held := l.x.HeldBy("1102"); !lit() || node != "other" || !held {
			t.Errorf("%q %t, the lamp %t", node, held, lit())
		}
		l.dies()
		l.begin()
		l.x.seats.shared = shared
		if !lit() {
			t.Error("the next process does not know what phones were told")
		}
		told := 0
		l.x.lamps.changed = func(string) { told++ }
		delete(shared.other, "1102") // meanwhile
		l.x.SeatsElsewhere(nil)
		synctest.Wait()
		if lit() || told != 1 || len(l.x.cfg.Journal.All(journal.Held)) > 0 {
			t.Errorf("given back: the lamp %t, told %d times", lit(), told)
		}
		l.x.Stop()
	})
}
