package exchange

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/sip/ua"
)

// A seat that is not ready is not rung while a ready one is free. Of a line that leaves no citizen alone it rings at
// last, and first who only writes up a call; of any other it does not.
func TestNotReadySeats(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.All, "1101", "1102", "1103")
	s.SetAgent("1102", NotReady, "break", noon)
	s.agents["1103"] = Agent{State: AfterCall, Until: noon.Add(time.Minute)}
	for _, c := range []struct {
		last  bool
		tried []string
		want  []string
	}{
		{false, nil, []string{"1101"}}, {true, nil, []string{"1101"}},
		{false, []string{"1101"}, nil},
		{true, []string{"1101"}, []string{"1103"}}, {true, []string{"1101", "1103"}, []string{"1102"}},
	} {
		line.LastResort = c.last
		f := s.Claim(Claim{Call: "a", Line: line, Tried: c.tried})
		if !slices.Equal(f.Seats, c.want) || f.Online == 0 {
			t.Errorf("last resort %t, tried %v: %+v", c.last, c.tried, f)
		}
		for _, seat := range f.Seats {
			s.Release("a", seat, noon)
		}
	}
	if s.SetAgent("1102", NotReady, "break", noon) || !s.SetAgent("1102", NotReady, "meal", noon) {
		t.Error("the same again is a change, or another reason is none")
	}
}

// A seat that is to be rung first is rung ready or not, and no other one in its place.
func TestFirstSeat(t *testing.T) {
	away := map[string]bool{}
	s, line := NewSeats(func(user string) bool { return !away[user] }), lineOf(desk.All, "1101", "1102")
	claim := Claim{Call: "a", Line: line, First: "1101"}
	for _, state := range []AgentState{Ready, NotReady, AfterCall} {
		s.stand("1101", Agent{State: state, Since: noon})
		if f := s.Claim(claim); !slices.Equal(f.Seats, []string{"1101"}) {
			t.Errorf("%s: %+v", state, f)
		}
		if f := s.Claim(Claim{Call: "b", Line: line, First: "1101"}); len(f.Seats) != 0 || f.Online != 1 {
			t.Errorf("%s, in a call: %+v", state, f)
		}
		s.Release("a", "1101", noon)
	}
	away["1101"] = true
	if f := s.Claim(claim); len(f.Seats) != 0 || f.Online != 0 {
		t.Errorf("with no phone: %+v", f)
	}
}

// Who waits gets the seat that becomes ready, at once. What is not ready is offered to who waits at a line that leaves
// no citizen alone.
func TestReadySeatIsOffered(t *testing.T) {
	for _, last := range []bool{false, true} {
		s, line := seatsOf(), lineOf(desk.All, "1101")
		line.LastResort = last
		s.Claim(Claim{Call: "talking", Line: line})
		told := 0
		s.Claim(Claim{Call: "waits", Line: line, Tell: func(call.SeatsFound) bool { told++; return true }})
		s.SetAgent("1101", NotReady, "", noon)
		s.Release("talking", "1101", noon)
		if (told == 1) != last {
			t.Errorf("last resort %t: told %d times of a seat that is not ready", last, told)
		}
		if s.SetAgent("1101", Ready, "", noon); told != 1 {
			t.Errorf("last resort %t: told %d times", last, told)
		}
	}
}

// After a call that it had answered a seat has its time, and is rung when that is over, or when it says that it is
// ready. The one that has been ready for longest is the one that is free for longest.
func TestAfterCallWork(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.LongestIdle, "1101", "1102")
	line.AfterCall = 20 * time.Second
	s.lineOf = func(string) *desk.Hotline { return line }
	has := func(at time.Time, want ...string) {
		t.Helper()
		s.Tick(at)
		f := s.Claim(Claim{Call: "b", Line: line})
		if !slices.Equal(f.Seats, want) {
			t.Errorf("at %s: %v, want %v", at.Sub(noon), f.Seats, want)
		}
		for _, seat := range f.Seats {
			s.Release("b", seat, at) // not answered: nothing to write up
		}
	}
	for _, seat := range line.Seats {
		s.Take("a", seat)
		s.Answered("a", seat)
		s.Release("a", seat, noon)
	}
	has(noon.Add(time.Second))
	s.SetAgent("1102", Ready, "", noon.Add(2*time.Second))
	has(noon.Add(3*time.Second), "1102")
	if at, ok := s.Deadline(); !ok || !at.Equal(noon.Add(20*time.Second)) {
		t.Errorf("due at %s", at)
	}
	has(noon.Add(20*time.Second), "1102", "1101")
	if at, ok := s.Deadline(); ok {
		t.Errorf("due at %s again", at)
	}
	s.SetAgent("1101", NotReady, "", noon)
	s.Take("a", "1101")
	s.Answered("a", "1101")
	s.Release("a", "1101", noon)
	if a := s.Agent("1101"); a.State != NotReady {
		t.Errorf("a call makes it %s", a.State)
	}
}

// How a seat stands outlives the process, and after-call work ends there in its time. Its lamps are told once.
func TestAgentGoesOnInTheNextProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := live(t)
		l.x.directory().Hotlines["110"].AfterCall = 20 * time.Second
		l.answer(200)
		if _, err := l.x.SetAgent("2101", NotReady, "break"); err != nil {
			t.Fatal(err)
		}
		l.x.seats.Release("00000000-0000-4000-8000-000000000001", "1101", l.x.now())
		l.dies()
		l.begin()
		if a := l.x.Agent("2101"); a.State != NotReady || a.Reason != "break" {
			t.Errorf("%+v", a)
		}
		if a := l.x.Agent("1101"); a.State != AfterCall || a.Until.Sub(a.Since) != 20*time.Second {
			t.Errorf("%+v", a)
		}
		if lamp, ok := l.x.lamps.Best(verbLamp("not_ready", "2101")); !ok || lamp.State != "confirmed" {
			t.Errorf("the lamp of the key: %+v", lamp)
		}
		time.Sleep(21 * time.Second)
		synctest.Wait()
		if a := l.x.Agent("1101"); a.State != Ready {
			t.Errorf("%+v", a)
		}
		if _, err := l.x.SetAgent("nobody", Ready, ""); err == nil {
			t.Error("a seat that there is not")
		}
		l.x.Stop()
		if n := len(l.x.cfg.Journal.All(journal.Seat)); n != 2 {
			t.Errorf("%d seats in the journal", n)
		}
	})
}

// A phone that dials the number of not_ready is answered, is let go, and is not rung any more; it may do so while it
// talks. Its lamp shows it to colleagues.
func TestDialledNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := []string{}
		r := &rung{t: t, wire: &fakeWire{sinks: map[string]ua.Sink{}}}
		r.x = exchangeOf(r.wire, func(c *Config) {
			c.Directory.Services["*82"], c.Directory.Services["*81"] = "not_ready break", "ready"
			n := 0
			c.NewRef = func() string { n++; return "call-" + string(rune('0'+n)) }
			c.Tell = func(it news.Item) {
				event, fields := it.Event, it.Map()
				if event == "agent_state" {
					told = append(told, fields["agent"]+" "+fields["detail"]+" "+fields["reason"])
				}
			}
		})
		defer r.x.Stop()
		p := invite(t, "110")
		r.wire.Bind(p.CallID(), r.x.Incoming(pstn, p))
		synctest.Wait()
		r.rings()
		r.answer(200)
		r.wantCode(r.enter("1101", "*82"), 200)
		if _, talks := r.x.Seat("1101"); !talks {
			t.Error("its call is over")
		}
		if a := r.x.Agent("1101"); a.State != NotReady || a.Reason != "break" {
			t.Errorf("%+v", a)
		}
		if lamp, _ := r.x.lamps.Best(seatLamp("1101")); lamp.CallID == "" {
			t.Errorf("the lamp of the seat is not that of its call: %+v", lamp)
		}
		r.wantCode(r.enter("1101", "*81"), 200)
		if a := r.x.Agent("1101"); a.State != Ready {
			t.Errorf("%+v", a)
		}
		r.wantCode(r.enter("9999", "*82"), 403)
		if !slices.Equal(told, []string{"1101 not_ready break", "1101 ready "}) {
			t.Errorf("told %q", told)
		}
		if calls := r.x.Calls(); len(calls) != 1 || strings.HasPrefix(calls[0].Dialed, "*") {
			t.Errorf("the calls are %+v", calls)
		}
	})
}

// A seat that rings in vain too often in a row is not ready; an answer in between begins anew, and being called off,
// since somebody else was faster, is no fault of its own.
func TestSeatThatRingsInVain(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.All, "1101")
	line.Unanswered = 2
	s.lineOf = func(string) *desk.Hotline { return line }
	ring := func(what string) {
		s.Take("a", "1101")
		switch what {
		case "answers":
			s.Answered("a", "1101")
		case "in vain":
			s.RangInVain("a", "1101", false, noon)
		}
		s.Release("a", "1101", noon)
	}
	for _, what := range []string{"in vain", "answers", "in vain", "called off"} {
		if ring(what); s.Agent("1101").State != Ready {
			t.Fatalf("%s: %+v", what, s.Agent("1101"))
		}
	}
	s.shared = newClaims() // it may talk by another switch
	for range 3 {
		s.Take("a", "1101")
		s.RangInVain("a", "1101", true, noon)
		s.Release("a", "1101", noon)
	}
	if s.Agent("1101").State != Ready {
		t.Errorf("busy: %+v", s.Agent("1101"))
	}
	s.learn("1101", Agent{State: AfterCall, Since: noon, Over: unsaid, Until: noon}, noon)
	if ring("in vain"); s.Agent("1101").State != Ready {
		t.Errorf("it has talked by another switch: %+v", s.Agent("1101"))
	}
	s.shared = none{}
	if ring("in vain"); s.Agent("1101") != (Agent{State: NotReady, Reason: Unanswered, Since: noon, Over: unsaid}) {
		t.Errorf("%+v", s.Agent("1101"))
	}
	s.SetAgent("1101", Ready, "", noon)
	if ring("in vain"); s.Agent("1101").State != Ready {
		t.Error("it counts from before")
	}
}

// The phone of a desk refuses: that counts, and citizens wait for others.
func TestSeatThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t, func(c *Config) { c.Directory.Hotlines["110"].Unanswered = 1 })
		defer r.x.Stop()
		r.answer(486)
		if a := r.x.Agent("1101"); a.State != NotReady || a.Reason != Unanswered {
			t.Errorf("%+v", a)
		}
	})
}

// Nobody picks up within the time of the line.
func TestSeatThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t, func(c *Config) { c.Directory.Hotlines["110"].Unanswered = 1 })
		defer r.x.Stop()
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if a := r.x.Agent("1101"); a.State != NotReady || a.Reason != Unanswered {
			t.Errorf("%+v", a)
		}
	})
}
