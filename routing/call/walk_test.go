package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// TestWalk lets the machine take long random walks: whatever comes in whatever
// order, the state makes sense, somebody is on the way to a caller who has
// nobody, time never stands still, nothing claimed or begun is left behind.
func TestWalk(t *testing.T) {
	for seed := range uint64(3000) {
		w := &walk{rng: rand.New(rand.NewPCG(seed, 1)), dir: walkDirectory(seed), now: time.Unix(1712109600, 0)}
		if err := w.run(); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.log, "\n"))
		}
	}
}

// TestWalkBack is the same of calls that a desk has the switch make to a citizen: what became of it is told once.
func TestWalkBack(t *testing.T) {
	for seed := range uint64(1500) {
		w := &walk{rng: rand.New(rand.NewPCG(seed, 2)), dir: walkDirectory(seed), now: time.Unix(1712109600, 0),
			back: true}
		err := w.run()
		if told := strings.Join(w.stubs["BACK"], " "); err == nil && told != "called_back" {
			err = fmt.Errorf("the callback is told as %q", told)
		}
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.log, "\n"))
		}
	}
}

// walkDirectory has a line behind a trunk, lines that ring one after the other
// and overflow in a circle, and a seat that serves two lines.
func walkDirectory(recording uint64) *desk.Directory {
	d := testDirectory()
	d.Hotlines["110"].Queue.Overflow = desk.Overflow{Hotline: "96110"}
	d.Hotlines["12345"].Seats = append(d.Hotlines["12345"].Seats, "1102")
	d.Hotlines["12345"].Queue = desk.Queue{MaxWait: 15 * time.Second,
		Overflow: desk.Overflow{Trunk: "pstn", Number: "999"}}
	d.Hotlines["119"].Queue.Overflow = desk.Overflow{Hotline: "12345"}
	d.Hotlines["12345"].Partner = "119"
	d.Timers.MaxCall = 10 * time.Minute
	for i, id := range []string{"110", "12345", "119", "96110"} {
		mode := desk.RecordMode(recording >> (2 * i) % 3)
		d.Hotlines[id].Recording = desk.RecordingPolicy{Mode: mode, Announce: "recorded"}
	}
	return d
}

// tape is the recording as the effects make it.
type tape struct {
	begun, on, stopped bool
	legs               map[LegID]Channel
}

type walk struct {
	rng     *rand.Rand
	dir     *desk.Directory
	now     time.Time
	call    Call
	todo    []Event
	log     []string
	err     error
	live    map[LegID]bool // legs begun and not ended
	seats   map[LegID]string
	held    map[string]bool // seats claimed
	lines   map[string]bool // queues joined
	stubs   map[string][]string
	seconds LegID
	refers  uint32
	late    LegID
	told    map[uint32][]int // what the sender of each REFER was told
	sought  time.Time        // since when the caller's search has begun nothing
	over    bool
	tape    tape
	back    bool             // a desk calls a citizen back
	after   func(Call) error // looks at the call after each step; nil: nobody does
}

func (w *walk) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *walk) run() error {
	w.live, w.seats, w.held, w.lines, w.stubs = map[LegID]bool{}, map[LegID]string{}, map[string]bool{},
		map[string]bool{}, map[string][]string{}
	w.told = map[uint32][]int{}
	w.dir.OneLine = w.rng.IntN(4) == 0
	line := []string{"110", "12345", "119", "96110"}[w.rng.IntN(4)]
	if w.back {
		w.held["1101"] = true
		w.take(CallbackAsked{Ref: "CALL", Caller: number.Number{E164: "+8613812345678", Status: number.OK}, Hotline: "110",
			Record: "REC", Callback: Callback{Stub: "BACK", Seat: "1101", Trunk: "pstn", Number: "13812345678", Shown: "110"}})
	} else {
		w.live[CallerLeg] = true
		w.take(Arrived{Ref: "CALL", Caller: number.Number{E164: "+8613812345678", Status: number.OK, Source: "pai"},
			Dialed: line, Hotline: line, Record: "REC"})
	}
	for range 300 {
		if w.err != nil || w.over {
			break
		}
		w.take(w.draw())
		w.settled()
		if w.after != nil && w.err == nil {
			w.err = w.after(w.call)
		}
	}
	w.gone(CallerLeg, func() bool { return true })
	w.take(LegEnded{Leg: CallerLeg})
	for id := range w.live { // a desk that calls back is there without a citizen
		w.gone(id, func() bool { return w.back && !w.call.Over() })
		w.take(LegEnded{Leg: id})
	}
	if w.tape.on || w.tape.begun != w.tape.stopped {
		w.fail("the recording is left as %+v", w.tape)
	}
	if len(w.live) > 0 || len(w.held) > 0 || len(w.lines) > 0 || !w.call.Over() {
		w.fail("left behind: legs %v seats %v queues %v", w.live, w.held, w.lines)
	}
	for id, told := range w.told {
		if len(told) == 0 || told[len(told)-1] < 200 {
			w.fail("REFER %d was told %v, and no end", id, told)
		}
	}
	for stub, told := range w.stubs {
		switch strings.Join(told, " ") {
		case "missed", "called_back", "opened answered", "opened failed", "opened abandoned", "opened joined decided", "opened urgent":
		default:
			w.fail("stub %s was told as %v", stub, told)
		}
	}
	return w.err
}

// draw is what happens next: mostly something that can happen.
func (w *walk) draw() Event {
	leg := LegID(1 + w.rng.IntN(int(w.call.NextLeg)))
	if n := len(w.call.Legs); n > 0 && w.rng.IntN(10) > 0 {
		leg = w.call.Legs[w.rng.IntN(n)].ID
	}
	switch n := w.rng.IntN(50); {
	case n < 8:
		return LegAnswered{leg}
	case n < 12:
		w.gone(leg, func() bool { l, ok := w.call.Party(leg); return ok && !l.Up && leg != CallerLeg })
		return LegFailed{leg, []int{486, 480, 408, 500, 603}[w.rng.IntN(5)]}
	case n < 16 && (leg != CallerLeg || w.rng.IntN(8) == 0):
		w.gone(leg, func() bool { return true })
		return LegEnded{leg, w.rng.IntN(2) == 0}
	case n < 18:
		return LegHeld{leg, w.rng.IntN(2) == 0}
	case n < 20:
		if w.rng.IntN(3) == 0 {
			return LegAlive{leg}
		}
		if w.rng.IntN(4) == 0 {
			return LegUnanswered{leg}
		}
		return LegSilent{leg, w.rng.IntN(2) == 0}
	case n < 21:
		return PlayDone{leg, uint32(w.rng.IntN(int(w.call.NextPlay) + 1))}
	case n < 22:
		return w.offer([]string{"110", "12345", "96110"}[w.rng.IntN(3)])
	case n < 32:
		text := []string{"handover", "consult", "conference", "take_back", "accept", "other_accepts", "urgent",
			"category 07", "handover", "conference", "record"}[w.rng.IntN(11)]
		v, err := verb.Parse(text)
		if err != nil {
			w.fail("%v", err)
		}
		return w.pressed(leg, v)
	case n < 33:
		if w.rng.IntN(2) == 0 {
			return KeyCutShort{leg}
		}
		return DigitsPressed{leg, "5"}
	case n < 34:
		return LegRinging{leg}
	case n < 36:
		return w.second(leg)
	case n < 38:
		return RecordAsked{leg, w.rng.IntN(2) == 0}
	case n < 41:
		return w.join(leg)
	case n < 48:
		return w.supervises()
	}
	if at, ok := w.call.Deadline(); ok && w.rng.IntN(4) > 0 {
		w.now = at
	} else {
		w.now = w.now.Add(time.Duration(w.rng.Int64N(int64(20 * time.Second))))
	}
	return Ticked{}
}

// supervises is what supervisors do, of one line, the other or both.
func (w *walk) supervises() Event {
	lines := [][]string{{"110"}, {"12345"}, {"110", "12345"}, {"119", "96110"}}[w.rng.IntN(4)]
	user := []string{"9001", "9002"}[w.rng.IntN(2)]
	act, stub := Acts[w.rng.IntN(len(Acts))], fmt.Sprintf("STUB%d", len(w.log))
	if act == Cut && w.rng.IntN(4) > 0 {
		act = Whisper
	}
	n := len(w.call.Supervisors)
	if n == 0 || w.rng.IntN(4) == 0 {
		if w.rng.IntN(2) == 0 {
			return SupervisorAsked{User: user, Lines: lines, Act: act, Stub: stub}
		}
		w.seconds++
		id := SecondLeg + w.seconds
		w.live[id] = true
		return SupervisorDialled{Leg: id, User: user, Lines: lines, Of: []string{"", "110"}[w.rng.IntN(2)]}
	}
	s := w.call.Supervisors[w.rng.IntN(n)]
	switch w.rng.IntN(10) {
	case 0:
		w.gone(s.ID, func() bool { return true })
		return LegEnded{Leg: s.ID, Lost: w.rng.IntN(2) == 0}
	case 1:
		w.gone(s.ID, func() bool { return !s.Up })
		return LegFailed{s.ID, 486}
	case 2:
		return LegHeld{s.ID, w.rng.IntN(2) == 0}
	case 3:
		return LegSilent{s.ID, w.rng.IntN(2) == 0}
	case 4:
		return PlayDone{s.ID, w.call.NextPlay}
	case 5, 6:
		return LegAnswered{s.ID}
	}
	return SupervisorPressed{s.ID, act, stub}
}

// second is what a desk's phone does on a second line.
func (w *walk) second(leg LegID) Event {
	if s := w.call.Second; s.ID != 0 && w.rng.IntN(4) > 0 {
		switch w.rng.IntN(4) {
		case 0:
			w.gone(s.ID, func() bool { return true })
			return LegEnded{Leg: s.ID}
		case 1:
			return LegHeld{s.ID, w.rng.IntN(2) == 0}
		case 2:
			return LegHeld{w.call.Desk, w.rng.IntN(2) == 0}
		}
		v, _ := verb.Parse("handover")
		return w.pressed(s.ID, v)
	}
	if w.rng.IntN(3) == 0 {
		return w.focus(leg)
	}
	v, _ := verb.Parse([]string{"consult", "consult", "conference", "handover", "urgent", "take_back"}[w.rng.IntN(6)])
	w.seconds++
	id := SecondLeg + w.seconds
	w.live[id] = true
	switch w.rng.IntN(6) {
	case 0:
		return PickedUp{Leg: id, Of: leg, Seat: "1101"}
	case 1:
		return TakenOver{Leg: id, Of: leg}
	case 2:
		return ColleagueJoined{Leg: id, Of: leg, Seat: "1102"}
	}
	return DeskCalled{Desk: leg, Leg: id, Verb: v, Stub: fmt.Sprintf("STUB%d", len(w.log)),
		To: []Target{{}, {Hotline: "119"}, outside}[w.rng.IntN(3)]}
}

// focus is what a phone does with the conference URI.
func (w *walk) focus(leg LegID) Event {
	f := w.call.Focus.ID
	if f == 0 && w.call.Second.ID != 0 && w.rng.IntN(3) > 0 {
		w.seconds++
		id := SecondLeg + w.seconds
		w.live[id] = true
		v, _ := verb.Parse("conference")
		return DeskCalled{Desk: w.call.Desk, Leg: id, Verb: v}
	}
	w.refers++
	w.told[w.refers] = nil
	lines := []LegID{f, w.call.Desk, w.call.Second.ID, leg}
	from, to := lines[w.rng.IntN(4)], lines[w.rng.IntN(4)]
	switch w.rng.IntN(5) {
	case 0:
		return DropAsked{Leg: from, Party: []LegID{leg, w.call.Partner, w.call.Desk}[w.rng.IntN(3)], Refer: w.refers}
	case 1:
		delete(w.told, w.refers)
		if f != 0 {
			w.gone(f, func() bool { return true })
			return LegEnded{Leg: f}
		}
		return LegHeld{f, w.rng.IntN(2) == 0}
	}
	return BroughtIn{Leg: from, Focus: to, On: leg, Refer: w.refers}
}

// join is what two calls of one phone do to each other.
func (w *walk) join(leg LegID) Event {
	w.refers++
	switch w.rng.IntN(8) {
	case 0:
		w.told[w.refers] = nil
		return JoinOffered{Leg: leg, Refer: w.refers}
	case 1:
		return JoinFailed{Code: 488}
	case 2:
		w.late++
		id := SecondLeg + 1<<10 + w.late // nobody waits for it any more
		w.live[id] = true
		return JoinFound{Leg: id, Hotline: "12345", Seat: "2101", Stub: fmt.Sprintf("STUB%d", len(w.log))}
	case 3:
		if w.rng.IntN(8) == 0 && w.call.Phase == Talking {
			w.gone(w.call.Desk, func() bool { return true })
			return LegTaken{w.call.Desk}
		}
	}
	v, _ := verb.Parse([]string{"handover", "conference"}[w.rng.IntN(2)])
	e := JoinAsked{Leg: leg, Verb: v}
	if w.rng.IntN(3) > 0 {
		e.Refer = w.refers
		w.told[e.Refer] = nil
	}
	return e
}

// asked is the answer of the other call, if it gives one in time.
func (w *walk) asked(leg LegID) {
	if leg == 0 {
		return
	}
	w.begins(leg, "")
	found := JoinFound{Leg: leg, Hotline: []string{"12345", "110", "119"}[w.rng.IntN(3)],
		Stub: fmt.Sprintf("JOIN%d", len(w.log))}
	switch w.rng.IntN(4) {
	case 0:
		w.gone(leg, func() bool { return true })
		w.todo = append(w.todo, LegFailed{Leg: leg, Code: 491})
	case 1:
		w.gone(leg, func() bool { return true })
		found.Rings = true
		w.todo = append(w.todo, found)
	case 2:
		w.todo = append(w.todo, found)
	}
}

var outside = Target{Hotline: "110", Trunk: "pstn", Number: "031187654321"}

// pressed is a key, or a REFER to somebody.
func (w *walk) pressed(leg LegID, v verb.Verb) Event {
	e := KeyPressed{Leg: leg, Verb: v, Stub: fmt.Sprintf("STUB%d", len(w.log))}
	if w.rng.IntN(3) == 0 {
		w.refers++
		e.Refer = w.refers
		e.To = []Target{{}, {Hotline: "12345"}, {Hotline: "119"}, {Hotline: "110"}, {Hotline: "12345", Seat: "2102"},
			{Hotline: "110", Seat: "1102"}, outside}[w.rng.IntN(7)]
		w.told[e.Refer] = nil
	}
	return e
}

// reported: a REFER is answered once, its sender hears of it in order, and of the
// end once.
func (w *walk) reported(x Report) {
	told, asked := w.told[x.Refer]
	switch {
	case !asked:
		w.fail("REFER %d was never sent", x.Refer)
	case len(told) > 0 && (told[len(told)-1] >= 200 || told[len(told)-1] >= x.Code):
		w.fail("REFER %d is told %d after %v", x.Refer, x.Code, told)
	}
	w.told[x.Refer] = append(told, x.Code)
}

// gone: the leg ends by itself; the exchange gives its seat back.
func (w *walk) gone(leg LegID, is func() bool) {
	if w.live[leg] && is() {
		delete(w.live, leg)
		delete(w.held, w.seats[leg])
	}
}

// offer is the register's word of seats, which are claimed with it.
func (w *walk) offer(line string) SeatsFound {
	e := SeatsFound{Hotline: line, Online: 2}
	for _, s := range w.dir.Hotlines[line].Seats {
		if !w.held[s] && w.rng.IntN(2) == 0 {
			w.held[s] = true
			e.Seats = append(e.Seats, s)
		}
	}
	if len(e.Seats) > 0 {
		delete(w.lines, line)
	}
	return e
}

func (w *walk) take(e Event) {
	w.log = append(w.log, fmt.Sprintf("%s %T%+v", w.now.Format("04:05"), e, e))
	w.step(e)
	for len(w.todo) > 0 && w.err == nil {
		next := w.todo[0]
		w.todo = w.todo[1:]
		w.log = append(w.log, fmt.Sprintf("    %T%+v", next, next))
		w.step(next)
	}
	w.log = append(w.log, fmt.Sprintf("  = %s desk=%d partner=%d legs=%v hunt=%+v", w.call.Phase, w.call.Desk,
		w.call.Partner, w.call.Legs, w.call.Hunt))
}

func (w *walk) step(e Event) {
	before := w.call.Phase
	next, effects := Step(w.call, w.dir, w.now, e)
	w.call = next
	missed := slices.ContainsFunc(effects, func(x Effect) bool {
		written, ok := x.(Write)
		return ok && written.Entry.Event == ticket.Missed
	})
	ends := next.Phase == Ended && (before == Ringing || before == Leaving)
	alone := next.Phase == Ended && before == HandingOver // nobody is found any more in the same moment
	if !w.back && missed != ends && !(missed && alone) {
		w.fail("from %s to %s: missed: %t", before, next.Phase, missed)
	}
	for _, x := range effects {
		w.carryOut(x)
	}
	if f, ok := e.(SeatsFound); ok {
		for _, s := range f.Seats {
			if w.held[s] && !slices.ContainsFunc(w.call.Legs, func(l Leg) bool { return l.Seat == s }) {
				w.fail("seat %s is neither rung nor released", s)
			}
		}
	}
}

func (w *walk) begins(leg LegID, seat string) {
	if w.live[leg] {
		w.fail("leg %d begins twice", leg)
	}
	w.live[leg], w.sought = true, time.Time{}
	if seat != "" {
		w.seats[leg] = seat
	}
}

func (w *walk) carryOut(x Effect) {
	switch x := x.(type) {
	case RingSeat:
		if !w.held[x.Seat] {
			w.fail("seat %s is rung but not claimed", x.Seat)
		}
		w.begins(x.Leg, x.Seat)
	case RingTrunk:
		w.begins(x.Leg, "")
	case RingSupervisor:
		w.begins(x.Leg, "")
	case TakeDesk:
		if l, ok := w.call.Leg(x.Leg); !w.live[x.Leg] || !ok || !l.Up {
			w.fail("leg %d is to be a desk's, and is not there", x.Leg)
		}
	case EndLeg:
		if !w.live[x.Leg] {
			w.fail("leg %d ended twice", x.Leg)
		}
		delete(w.live, x.Leg)
		delete(w.held, w.seats[x.Leg])
	case RefuseCaller:
		delete(w.live, CallerLeg)
	case Refuse:
		if !w.live[x.Leg] {
			w.fail("leg %d refused twice", x.Leg)
		}
		delete(w.live, x.Leg)
	case Answer:
		_, enters := w.call.Party(x.Leg)
		if !w.live[x.Leg] || !enters && w.call.Partner == 0 && w.call.Phase != Consulting && x.Leg != w.call.Focus.ID {
			w.fail("leg %d answered for nobody", x.Leg)
		}
	case Succeed:
		if !w.live[x.Leg] || !w.live[x.By] {
			w.fail("leg %d goes on in leg %d, and one of them is not there", x.Leg, x.By)
		}
		w.seats[x.By] = w.seats[x.Leg]
		delete(w.seats, x.Leg)
	case AskJoin:
		w.asked(x.Leg)
	case TakeLeg:
		if !w.live[x.Leg] {
			w.fail("leg %d is to agree to its session and is not here", x.Leg)
		}
	case ReleaseSeats:
		for _, s := range x.Seats {
			delete(w.held, s)
		}
	case FindSeats:
		if w.dir.Hotlines[x.Hotline].Trunk != "" {
			w.fail("seats are sought of %s, which lives behind a trunk", x.Hotline)
		}
		f := SeatsFound{Hotline: x.Hotline}
		if w.rng.IntN(2) == 0 {
			f = w.offer(x.Hotline)
			if x.Max > 0 && len(f.Seats) > x.Max {
				for _, s := range f.Seats[x.Max:] {
					delete(w.held, s)
				}
				f.Seats = f.Seats[:x.Max]
			}
		} else {
			f.Online, f.Full = w.rng.IntN(3), w.rng.IntN(5) == 0
		}
		if len(f.Seats) == 0 && x.Queue && !f.Full {
			w.lines[x.Hotline] = true
		}
		w.todo = append(w.todo, f)
	case Report:
		w.reported(x)
	case LeaveQueue:
		delete(w.lines, x.Hotline)
	case Write:
		word := string(x.Entry.Event)
		if x.Entry.Event == ticket.Answered && x.Entry.Mode == ticket.ThreeWay {
			word = "joined"
			if w.call.Phase != ThreeWay {
				w.fail("the stub says three_way, and there never was one: %s", w.call.Phase)
			}
		}
		if x.Entry.Event != ticket.Enriched && x.Entry.Reason != corrected {
			w.stubs[x.Entry.StubID] = append(w.stubs[x.Entry.StubID], word)
		}
		if want := map[bool]string{true: "REC"}[w.tape.begun]; x.Entry.RecordingRef != want {
			w.fail("an entry names the recording %q, want %q", x.Entry.RecordingRef, want)
		}
	case StartRecording, PauseRecording, ResumeRecording, StopRecording, RecordLeg:
		w.record(x)
	case Hear:
		if x.Silent() {
			w.fail("leg %d hears nothing", x.Leg)
		}
	case Astray:
		w.fail("%v", x.Err)
	case Finish:
		w.over = true
	}
}

// record carries out what is ordered of the recording.
func (w *walk) record(x Effect) {
	t := &w.tape
	ok := t.begun && !t.stopped
	switch x := x.(type) {
	case StartRecording:
		ok = !t.begun && x.Ref == "REC"
		*t = tape{begun: true, on: true, legs: map[LegID]Channel{}}
	case PauseRecording:
		ok = ok && t.on
		t.on = false
	case ResumeRecording:
		ok = ok && !t.on
		t.on = true
	case StopRecording:
		t.on, t.stopped = false, true
	case RecordLeg:
		if _, was := t.legs[x.Leg]; x.Channel == 0 {
			ok = ok && was
			delete(t.legs, x.Leg)
			break
		}
		for leg, channel := range t.legs {
			if w.live[leg] && (leg == x.Leg || channel == x.Channel) {
				w.fail("leg %d has channel %d as well as leg %d", x.Leg, x.Channel, leg)
			}
		}
		ok = ok && w.live[x.Leg]
		t.legs[x.Leg] = x.Channel
	}
	if !ok {
		w.fail("%T%+v of a recording that is %+v", x, x, *t)
	}
}

// recorded checks that what is on is what the lines want.
func (w *walk) recorded() {
	c := &w.call
	must, may := false, false
	for _, id := range []LegID{c.Desk, c.Partner} {
		if l, ok := c.Leg(id); ok {
			mode := w.dir.Hotlines[l.Hotline].Recording.Mode
			must = must || mode == desk.RecordAlways
			may = may || mode != desk.RecordOff
		}
	}
	if must && !w.tape.on && c.Answered || w.tape.on && !may && c.Desk != 0 {
		w.fail("recorded: %v; must be: %v, may be: %v", w.tape.on, must, may)
	}
	for _, l := range c.Legs {
		speaks := l.ID
		if l.ID == c.Desk && c.Second.Taped {
			speaks = c.Second.ID
		}
		if w.tape.begun && l.Up && w.tape.legs[speaks] == 0 {
			w.fail("leg %d is not recorded", l.ID)
		}
	}
}

// overheard: nobody but who is meant to hears a supervisor, and he hears nothing of a call in which his line has no
// part. The citizen never hears a whisper.
func (w *walk) overheard() {
	c := &w.call
	for _, s := range c.Supervisors {
		_, waits, ok := c.lineOf(s.Lines)
		for _, e := range c.Ears {
			hears := slices.Contains(e.From, s.ID)
			l, desk := c.Leg(e.Leg)
			if e.Leg == c.Second.ID {
				l, desk = c.Leg(c.Desk)
			}
			switch {
			case e.Leg == s.ID && (hears || (!ok || waits) && len(e.From) > 0):
				w.fail("supervisor %d of %v hears %+v", s.ID, s.Lines, e)
			case hears && s.Act == Whisper && s.Up && (!desk || l.Hotline != s.Hotline || c.mixesLines()):
				w.fail("leg %d hears a whisper of %d", e.Leg, s.ID)
			case hears && (s.Act == Listen || !s.Up || s.going()):
				w.fail("leg %d hears supervisor %d, who only listens", e.Leg, s.ID)
			}
		}
	}
}

// mixesLines says that the taker's phone may pass on what it hears.
func (c *Call) mixesLines() bool { return (&machine{Call: *c}).bothActive() }

// settled checks the state between two events.
func (w *walk) settled() {
	c := &w.call
	if c.Over() {
		return
	}
	w.recorded()
	w.overheard()
	for _, id := range []LegID{c.Focus.ID, c.Second.ID} {
		if id != 0 && !w.live[id] {
			w.fail("the call has a line %d of the taker's, which is not there", id)
		}
	}
	for range 4 {
		if at, ok := c.Deadline(); !ok || at.After(w.now) {
			break
		}
		w.take(Ticked{})
	}
	if at, ok := c.Deadline(); ok && !at.After(w.now) && !c.Over() {
		w.fail("time stands still")
	}
}
