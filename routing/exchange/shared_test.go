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
	waits       map[string]Waiter
	elsewhere   int // how many wait at the other switch
	stands      map[string]Agent
	idle        map[string]time.Time
}

func newClaims(other ...string) *claims {
	c := &claims{mine: map[string]bool{}, other: map[string]bool{}, waits: map[string]Waiter{},
		stands: map[string]Agent{}, idle: map[string]time.Time{}}
	for _, seat := range other {
		c.other[seat] = true
	}
	return c
}

func (c *claims) Taken(seat string, _ Waiter) { c.mine[seat] = true }
func (c *claims) Given(seat string)           { delete(c.mine, seat) }
func (c *claims) Bars(seat string) bool       { return c.other[seat] }
func (c *claims) Queued(w Waiter)             { c.waits[w.Call] = w }
func (c *claims) Unqueued(w Waiter)           { delete(c.waits, w.Call) }
func (c *claims) Waiting(*desk.Hotline) int   { return c.elsewhere }
func (c *claims) Stands(seat string, a Agent) { c.stands[seat] = a }

func (c *claims) Idle(seat string, since time.Time) { c.idle[seat] = since }
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
		l.shared, l.x.seats.shared = shared, shared
		lit := func() bool { lamp, ok := l.x.lamps.Best(seatLamp("1102")); return ok && lamp.State == event.Confirmed }
		l.x.SeatsElsewhere([]string{"1102"})
		synctest.Wait()
		if node, held := l.x.HeldBy("1102"); !lit() || node != "other" || !held {
			t.Errorf("%q %t, the lamp %t", node, held, lit())
		}
		l.dies()
		l.begin()
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

// A process that shares nothing any more shows what other switches had as free, and tells itself of how seats stand.
func TestSharingIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.dies()
		l.shared = newClaims("1102")
		l.begin()
		l.x.SeatsElsewhere([]string{"1102"})
		l.x.Stands("1101", Agent{State: AfterCall, Since: l.x.now(), Until: l.x.now().Add(time.Minute)})
		l.x.Stands("new", Agent{State: NotReady, Since: l.x.now()})
		synctest.Wait()
		l.dies()
		l.shared = nil
		l.begin()
		if lamp, ok := l.x.lamps.Best(seatLamp("1102")); ok || len(l.x.cfg.Journal.All(journal.Held)) > 0 {
			t.Errorf("what another switch had: %+v", lamp)
		}
		if a := l.x.Agent("1101"); a.State != AfterCall || a.Learnt {
			t.Errorf("%+v", a)
		}
		if a := l.x.Agent("new"); a.State != NotReady {
			t.Errorf("a desk that was not known when it was told of: %+v", a)
		}
		l.x.Stop()
	})
}

// What moves to where other switches do not know it is told again: whose seats are, how they stand, and who waits.
func TestSharedAgain(t *testing.T) {
	shared, s, line := newClaims(), seatsOf(), lineOf(desk.All, "1101", "1102")
	s.Share(shared)
	s.Take("a", "1101")
	s.SetAgent("1102", NotReady, "break", noon)
	s.idleSince("1102", noon)
	tell := func(call.SeatsFound) bool { return true }
	s.Find(Claim{Call: "w", Since: noon, Line: line, Tell: tell}, tell)
	elsewhere := newClaims()
	s.Share(elsewhere)
	s.shareAgain([]string{"1103"})
	if len(elsewhere.mine)+len(elsewhere.stands)+len(elsewhere.waits)+len(elsewhere.idle) > 0 {
		t.Errorf("of another seat: %+v", elsewhere)
	}
	s.shareAgain(line.Seats)
	if !elsewhere.mine["1101"] || len(elsewhere.mine) > 1 || elsewhere.stands["1102"].Reason != "break" ||
		!elsewhere.idle["1102"].Equal(noon) || elsewhere.waits["w"].Line != line {
		t.Errorf("told %+v", elsewhere)
	}
}

// Who waits is known to other switches for as long as he does, and a line that is full of those who wait there is full.
func TestSharedQueue(t *testing.T) {
	shared, s, line := newClaims(), seatsOf(), lineOf(desk.All, "1101")
	s.Share(shared)
	shared.other["1101"] = true
	tell := func(call.SeatsFound) bool { return true }
	s.Find(Claim{Call: "a", Since: noon, Line: line, Tried: []string{"1102"}, Tell: tell}, tell)
	if w := shared.waits["a"]; w.Line != line || !w.Since.Equal(noon) || w.Last || !slices.Equal(w.Tried, []string{"1102"}) {
		t.Errorf("%+v", w)
	}
	s.Find(Claim{Call: "a", Since: noon, Line: line, Tell: tell}, tell) // the next round, in which all have their turn
	if w := shared.waits["a"]; len(w.Tried) > 0 || s.Waiting("110") != 1 {
		t.Errorf("in the next round %+v, and %d wait", w, s.Waiting("110"))
	}
	shared.elsewhere = 1
	found, _ := s.Find(Claim{Call: "b", Since: noon, Line: line, Tell: tell}, tell)
	if !found.Full || len(shared.waits) != 1 {
		t.Errorf("one waits here and one there, and two have room: %+v", found)
	}
	s.Leave("a", "110")
	if len(shared.waits) > 0 {
		t.Errorf("%v waits", shared.waits)
	}
}

// A seat that stands otherwise by itself says so as what yields to a person's word that its switch has not heard; the
// end of after-call work it does not say at all, since every switch sees it.
func TestSharedStandingByItself(t *testing.T) {
	shared, s, line := newClaims(), seatsOf(), lineOf(desk.All, "1101")
	line.AfterCall, line.Unanswered = 20*time.Second, 1
	s.lineOf = func(string) *desk.Hotline { return line }
	s.Share(shared)
	said := func(what string, want Agent) {
		t.Helper()
		if a, ok := shared.stands["1101"]; ok != (want.State != "") || a != want {
			t.Errorf("%s: said %+v, want %+v", what, a, want)
		}
		clear(shared.stands)
	}
	talks := func(until time.Time) {
		s.Take("a", "1101")
		s.Answered("a", "1101")
		s.Release("a", "1101", until)
	}
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	talks(at(0))
	said("nobody has said anything before", Agent{State: AfterCall, Since: at(0), Until: at(20), Over: unsaid})
	s.Tick(at(21))
	said("it ends", Agent{})
	if a := s.Agent("1101"); a != (Agent{State: Ready, Since: at(20), Over: unsaid}) {
		t.Errorf("it ends: %+v", a)
	}
	s.SetAgent("1101", NotReady, "break", at(30))
	s.SetAgent("1101", Ready, "", at(40))
	said("a person", Agent{State: Ready, Since: at(40)})
	talks(at(50))
	s.Tick(at(71))
	said("the first call", Agent{State: AfterCall, Since: at(50), Until: at(70), Over: at(40)})
	talks(at(80))
	said("the second", Agent{State: AfterCall, Since: at(80), Until: at(100), Over: at(40)})
	s.learn("1101", Agent{State: AfterCall, Since: at(85), Until: at(90), Over: at(30)}, at(95))
	if a := s.Agent("1101"); a != (Agent{State: Ready, Since: at(90), Over: at(30), Learnt: true}) {
		t.Errorf("learnt when it is over: %+v", a)
	}
	s.Take("b", "1101")
	s.RangInVain("b", "1101", false, at(99))
	said("rung in vain", Agent{State: NotReady, Reason: Unanswered, Since: at(99), Over: at(30)})
}

// onRelease notes how a seat stands by what other switches were told, when they are told that it is free.
type onRelease struct {
	*claims
	as []AgentState
}

func (c *onRelease) Idle(seat string, _ time.Time) { c.as = append(c.as, c.stands[seat].State) }
func (c *onRelease) Given(seat string)             { c.as = append(c.as, c.stands[seat].State) }

// Other switches learn that a desk has after-call work no later than that it is free.
func TestSharedSeatIsNotFreeBeforeItsAfterCallWork(t *testing.T) {
	shared, s, line := &onRelease{claims: newClaims()}, seatsOf(), lineOf(desk.All, "1101")
	line.AfterCall = time.Minute
	s.lineOf = func(string) *desk.Hotline { return line }
	s.Share(shared)
	s.Take("a", "1101")
	s.Answered("a", "1101")
	s.Release("a", "1101", noon)
	if !slices.Equal(shared.as, []AgentState{AfterCall, AfterCall}) {
		t.Errorf("when it is free it is %q", shared.as)
	}
}

// How a desk stands it says to the switch that it calls, and all know: what another switch says holds here, is not said
// back, and after-call work ends at both.
func TestSharedStanding(t *testing.T) {
	shared, s, line := newClaims(), seatsOf(), lineOf(desk.LongestIdle, "1101", "1102")
	line.AfterCall = 20 * time.Second
	s.lineOf = func(string) *desk.Hotline { return line }
	s.Share(shared)
	s.SetAgent("1101", NotReady, "break", noon)
	if a := shared.stands["1101"]; a.State != NotReady || a.Reason != "break" || !a.Since.Equal(noon) {
		t.Errorf("said: %+v", a)
	}
	clear(shared.stands)
	s.learn("1101", Agent{State: Ready, Since: noon.Add(time.Second)}, noon.Add(time.Second))
	s.learn("1102", Agent{State: AfterCall, Since: noon, Until: noon.Add(20 * time.Second)}, noon.Add(time.Second))
	if len(shared.stands) > 0 || s.Agent("1101").State != Ready || s.Agent("1102").State != AfterCall {
		t.Errorf("learnt: %+v %+v, said %+v", s.Agent("1101"), s.Agent("1102"), shared.stands)
	}
	s.Tick(noon.Add(21 * time.Second))
	if a := s.Agent("1102"); a.State != Ready || !a.Since.Equal(noon.Add(20*time.Second)) || len(shared.stands) > 0 {
		t.Errorf("when its time is over: %+v, said %+v", a, shared.stands)
	}
	s.learn("1102", Agent{State: AfterCall, Since: noon, Until: noon.Add(30 * time.Second)}, noon.Add(40*time.Second))
	if a := s.Agent("1102"); a.State != Ready {
		t.Errorf("what is over when it is learnt: %+v", a)
	}
	s.learnIdle("1101", noon.Add(time.Minute))
	s.learnIdle("1101", noon) // late
	if f := s.Claim(Claim{Call: "a", Line: line, Max: 1}); !slices.Equal(f.Seats, []string{"1102"}) {
		t.Errorf("the longest idle is %v", f.Seats)
	}
	s.Release("a", "1102", noon.Add(time.Hour))
	if at := shared.idle["1102"]; !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("idle since %v", at)
	}
}
