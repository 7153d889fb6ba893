package exchange

import (
	"strings"
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/news"
)

// A seat whose phone looks after a call has no other one meanwhile, and nobody learns which it is. It is not the seat
// of that call: there is no work after it.
func TestSeatOfASupervisor(t *testing.T) {
	s, line := seatsOf(), lineOf(desk.All, "1101", "1102")
	line.AfterCall = time.Minute
	s.lineOf = func(string) *desk.Hotline { return line }
	x := &Exchange{seats: s}
	if !s.Watch("a", "1101") || s.Watch("b", "1101") || s.Take("b", "1101") {
		t.Fatal("two calls have the phone of a supervisor")
	}
	if ref, talks := x.Seat("1101"); ref != "" || !talks {
		t.Errorf("everybody learns that the supervisor is in call %q, talks %v", ref, talks)
	}
	if f := s.Claim(Claim{Call: "b", Line: line}); len(f.Seats) != 1 || f.Seats[0] != "1102" {
		t.Errorf("the phone of a supervisor is rung: %+v", f)
	}
	if s.Watch("a", "1102") {
		t.Error("a phone that rings for a call looks after another one")
	}
	s.Release("a", "1101", noon)
	if a := s.Agent("1101"); a.State != Ready {
		t.Errorf("after it the seat is %+v", a)
	}
	s.Watch("a", "1101")
	s.Sit("1101")
	if ref, talks := x.Seat("1101"); ref != "a" || !talks {
		t.Errorf("who has the call is not shown: %q, %v", ref, talks)
	}
	s.Release("a", "1101", noon)
	if a := s.Agent("1101"); a.State != AfterCall {
		t.Errorf("after his own call the seat is %+v", a)
	}
}

// What a supervisor's phone may dial: the number of the service with that of a desk or a line behind it.
func TestMonitored(t *testing.T) {
	d := simDirectory()
	d.Services["*77"] = "monitor"
	for dialled, want := range map[string]watching{
		"monitor1101": {"1101", "110"}, "*772101": {"2101", "12345"}, "monitor119": {"", "119"}, "*77110": {"", "110"},
		"monitor": {}, "*77": {}, "monitor4711": {}, "pickup1101": {}, "": {},
	} {
		if got, ok := monitored(d, dialled); got != want || ok != (want != watching{}) {
			t.Errorf("%q: %+v %v, want %+v", dialled, got, ok, want)
		}
	}
}

// A supervisor is refused at once when there is no phone of his to ring, or it is in a call; to end a call he needs
// none.
func TestSuperviseNeedsAPhone(t *testing.T) {
	for name, want := range map[string]error{"away": ErrNoPhone, "busy": ErrPhoneBusy} {
		s := newSimulation(4, false)
		s.addPhone("1101", "127.0.1.1:5060").registered = true
		chief := s.addPhone("9001", "127.0.2.1:5060")
		chief.registered = name == "busy"
		s.addPhone("13812345670", "127.0.0.10:5060").dial("110")
		s.run(2 * time.Second)
		if len(s.cores) != 1 {
			t.Fatal("there is no call")
		}
		s.seats.Watch("another", "9001")
		core := s.cores[0].core
		ask := call.SupervisorAsked{User: "9001", Lines: []string{"110"}, Act: call.Listen}
		if err := core.Supervise(s.now, ask); err != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		ask.Act = call.Cut
		if err := core.Supervise(s.now, ask); err != nil || core.State().Phase != call.Ended {
			t.Errorf("%s: the call is not ended: %v", name, err)
		}
	}
}

// What is told of a supervisor's dialogs and of what he hears is marked, and his line's; who hears him is told apart
// from the voices that all may know of. When he has taken a desk's place he is told of as a desk.
func TestSupervisorIsTracedApart(t *testing.T) {
	s := newSimulation(4, false)
	desk := s.addPhone("1101", "127.0.1.1:5060")
	desk.does = func(l *line) { l.answer(time.Second) }
	chief := s.addPhone("9001", "127.0.2.1:5060")
	chief.does = func(l *line) { l.answer(time.Second) }
	s.stale = 1 // another phone of his, where nobody is
	s.addPhone("13812345670", "127.0.0.10:5060").dial("110")
	var notes []map[string]string
	pass := func() {
		s.run(4 * time.Second)
		s.err = nil // that it is not over yet
	}
	pass()
	core := s.cores[0].core
	core.world.Trace = func(it news.Item) { notes = append(notes, it.Map()) }
	asks := func(act call.Act) {
		ask := call.SupervisorAsked{User: "9001", Lines: []string{"110"}, Act: act}
		if err := core.Supervise(s.now, ask); err != nil {
			t.Fatalf("%s: %v", act, err)
		}
		pass()
	}
	asks(call.Listen)
	asks(call.Join)
	told := map[string]int{}
	for _, n := range notes {
		own := n["party"] == "9001" || n["party"] == ""
		if own != (n["supervisor"] == "1") || own && n["lines"] != "110" {
			t.Errorf("told as of everybody, or of other lines: %v", n)
		}
		if strings.Contains(n["from"], "9001") {
			t.Errorf("a supervisor is among the voices: %v", n)
		}
		told[n["event"]+" "+n["party"]+" "+n["supervisors"]]++
	}
	for _, want := range []string{"dialog 9001 ", "dialog  ", "hears 9001 ", "hears 1101 9001 110"} {
		if told[want] == 0 {
			t.Errorf("%q is not told: %v", want, told)
		}
	}
	gone := &party{ID: 99, Watches: true, traced: traced{line: "12345"}} // his last figures come when he is let go
	if f := core.leaving(gone); f.Get("party") != "supervisor" || f.Get("lines") != "12345" {
		t.Errorf("how a supervisor's phone sounded is told to lines %s", f.Get("lines"))
	}
	notes = nil
	desk.legs[0].hangUp()
	pass()
	told = map[string]int{}
	for _, n := range notes {
		told[n["event"]+" "+n["party"]+" "+n["supervisor"]+n["from"]]++
	}
	if told["dialog 9001 "] != 1 || told["hears caller 9001"] == 0 {
		t.Errorf("who has a desk's place is told of as %v", told)
	}
}
