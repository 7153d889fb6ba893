package missed

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"liandong/routing/ticket"
)

var noon = time.Date(2024, 4, 3, 12, 0, 0, 0, time.UTC)

// rig is a book whose writings outlive it.
type rig struct {
	*Book
	kept map[string]Call
	now  time.Time // by the clock that nobody sets
}

func newRig() *rig {
	r := &rig{kept: map[string]Call{}, now: noon}
	r.reborn()
	return r
}

// reborn is the book of the next process.
func (r *rig) reborn() {
	var before []Call
	for _, c := range r.kept {
		before = append(before, c)
	}
	r.Book = NewBook(func(id string, c *Call) {
		if delete(r.kept, id); c != nil {
			r.kept[id] = *c
		}
	}, before, func() time.Time { return r.now })
}

func (r *rig) listAt(now time.Time) []Call {
	r.now = now
	return r.List()
}

var n int

func entry(caller string, at time.Duration) ticket.Entry {
	n++
	id := ticket.NewID(noon.Add(at), strings.NewReader(fmt.Sprintf("%010d", n)))
	e := ticket.Entry{EventID: ticket.DerivedID(id, "missed"), StubID: ticket.DerivedID(id, "stub"),
		Event: ticket.Missed, At: noon.Add(at), From: "110", To: "110", Mode: ticket.TicketOnly,
		CallRef:    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		CallerE164: caller, CallerRaw: caller, CallerStatus: "ok", Dialed: "110", CallAt: noon.Add(at), Result: "abandoned",
		Waited: "20"}
	if caller == "" {
		e.CallerStatus = "unavailable"
	}
	return e
}

const wang, li = "+8613812345678", "+8613912345678"

// A citizen is missed once an hour at a line, however often; each time has its count, and the same entry again, after
// the process has died, comes out as it did.
func TestMissedOnceAnHour(t *testing.T) {
	r := newRig()
	first := r.Take(entry(wang, 0))
	if first.Event != ticket.Missed || first.MissedCount != "1" {
		t.Errorf("%+v", first.Fields())
	}
	if other := r.Take(entry(li, time.Minute)); other.Event != ticket.Missed || other.StubID == first.StubID {
		t.Errorf("%+v", other.Fields())
	}
	second := entry(wang, 30*time.Minute)
	again := r.Take(second)
	if again.Event != ticket.MissedAgain || again.StubID != first.StubID || again.MissedCount != "2" ||
		!again.MissedFirst.Equal(noon) || again.EventID == first.EventID {
		t.Errorf("%+v", again.Fields())
	}
	third := r.Take(entry(wang, 40*time.Minute))
	r.reborn()
	if twice := r.Take(second); twice.Event != again.Event || twice.MissedCount != "2" || twice.StubID != first.StubID {
		t.Errorf("%+v", twice.Fields())
	}
	if c, _ := r.Find(first.StubID); c.Count != 3 || c.Waited != 20*time.Second || third.MissedCount != "3" {
		t.Errorf("%+v", c)
	}
	if next := r.Take(entry(wang, 61*time.Minute)); next.Event != ticket.Missed || next.StubID == first.StubID {
		t.Errorf("after an hour: %+v", next.Fields())
	}
	for _, e := range []ticket.Entry{first, again, third} {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// Those without a number cannot be told apart: they are one, with their count.
func TestAnonymous(t *testing.T) {
	r := newRig()
	a, b := r.Take(entry("", 0)), r.Take(entry("", time.Minute))
	if b.Event != ticket.MissedAgain || b.StubID != a.StubID {
		t.Errorf("%+v", b.Fields())
	}
	if list := r.Answered("110", "", "1101", "ref", noon); len(list) != 0 {
		t.Errorf("somebody without a number was reached: %v", list)
	}
}

// One desk at a time calls back. Who was not reached may be called again; who was is settled.
func TestCallBack(t *testing.T) {
	r := newRig()
	id := r.Take(entry(wang, 0)).StubID
	if _, err := r.Begin("nobody", "1101", noon); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if c, err := r.Begin(id, "1101", noon); err != nil || c.Citizen.E164 != wang {
		t.Errorf("%+v %v", c, err)
	}
	if c, err := r.Begin(id, "1102", noon); !errors.Is(err, ErrCalling) || c.By != "1101" {
		t.Errorf("%+v %v", c, err)
	}
	r.Called(id, "1101", "ref")
	back := ticket.Entry{EventID: "one", StubID: id, Event: ticket.CalledBack, At: noon, FromAgent: "1101", CallRef: "ref",
		Result: "no_answer"}
	r.Take(back)
	r.Take(back)
	if c, _ := r.Find(id); c.State != Open || c.Tries != 1 || c.Result != "no_answer" {
		t.Errorf("%+v", c)
	}
	if _, err := r.Begin(id, "1102", noon); err != nil {
		t.Error(err)
	}
	r.Called(id, "1102", "")
	if _, err := r.Begin(id, "1102", noon); err != nil {
		t.Errorf("nobody was called: %v", err)
	}
	r.reborn()
	r.Resume(nil)
	if _, err := r.Begin(id, "1102", noon); err != nil {
		t.Errorf("the call died with the process: %v", err)
	}
	r.Called(id, "1102", "ref2")
	r.reborn()
	r.Resume(map[string]string{id: "ref2"})
	back.EventID, back.FromAgent, back.Result = "two", "1102", "answered"
	r.Take(back)
	if c, err := r.Begin(id, "1101", noon); !errors.Is(err, ErrSettled) || c.By != "1102" || c.State != CalledBack {
		t.Errorf("%+v %v", c, err)
	}
	if e := r.Take(entry(wang, time.Minute)); e.Event != ticket.Missed || e.StubID == id {
		t.Errorf("missed again after it: %+v", e.Fields())
	}
}

// tried is the entry of a callback that has come to its end.
func tried(event, id, agent, ref, result string) ticket.Entry {
	return ticket.Entry{EventID: event, StubID: id, Event: ticket.CalledBack, At: noon, FromAgent: agent, CallRef: ref,
		Result: result}
}

// The process dies when the call has begun and its reference is not written down yet: the call goes on, and nobody else
// calls meanwhile.
func TestDiesBeforeCalled(t *testing.T) {
	r := newRig()
	id, other := r.Take(entry(wang, 0)).StubID, r.Take(entry(li, 0)).StubID
	for _, id := range []string{id, other} {
		if _, err := r.Begin(id, "1101", noon); err != nil {
			t.Fatal(err)
		}
	}
	r.reborn()
	r.Resume(map[string]string{id: "ref"})
	if c, err := r.Begin(id, "1102", noon); !errors.Is(err, ErrCalling) || c.Ref != "ref" || r.kept[id].Ref != "ref" {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := r.Begin(other, "1102", noon); err != nil {
		t.Errorf("the other's call has not begun: %v", err)
	}
}

// A citizen calls again and is answered while a desk calls back: told at once, and off the list when the desk has not
// reached him, whatever ends its call; missed once more before that, he is one to be called.
func TestReachedWhileCalled(t *testing.T) {
	for what, c := range map[string]struct {
		ends  func(r *rig, id string)
		state State
		by    string
	}{
		"busy":      {func(r *rig, id string) { r.Take(tried("end", id, "1101", "ref", "busy")) }, Reached, "1102"},
		"answered":  {func(r *rig, id string) { r.Take(tried("end", id, "1101", "ref", "answered")) }, CalledBack, "1101"},
		"not begun": {func(r *rig, id string) { r.Called(id, "1101", "") }, Reached, "1102"},
		"lost":      {func(r *rig, id string) { r.reborn(); r.Resume(nil) }, Reached, "1102"},
		"died": {func(r *rig, id string) {
			r.reborn()
			r.Take(tried("end", id, "1101", "ref", "busy"))
		}, Reached, "1102"},
	} {
		r := newRig()
		id := r.Take(entry(wang, 0)).StubID
		if _, err := r.Begin(id, "1101", noon); err != nil {
			t.Fatal(err)
		}
		list := r.Answered("110", wang, "1102", "again", noon.Add(time.Minute))
		if len(list) != 1 || list[0].StubID != id || list[0].ToAgent != "1102" || list[0].CallRef != "again" {
			t.Fatalf("%s: %v", what, list)
		}
		if list := r.Answered("110", wang, "1102", "again", noon.Add(time.Minute)); len(list) != 0 {
			t.Errorf("%s: told twice: %v", what, list)
		}
		if _, err := r.Begin(id, "1103", noon); !errors.Is(err, ErrCalling) {
			t.Errorf("%s: %v", what, err)
		}
		later := r.Take(entry(wang, 2*time.Minute))
		if later.Event != ticket.Missed || later.StubID == id {
			t.Errorf("%s: missed after it: %+v", what, later.Fields())
		}
		c.ends(r, id)
		if is, _ := r.Find(id); is.State != c.state || is.By != c.by || is.Answer != nil {
			t.Errorf("%s: %+v", what, is)
		}
		if is, _ := r.Find(later.StubID); is.State != Open {
			t.Errorf("%s: missed after it: %+v", what, is)
		}
	}
}

// What was not reached by a callback of which it comes to be told late stays off the list.
func TestToldLateOfCallback(t *testing.T) {
	r := newRig()
	id := r.Take(entry(wang, 0)).StubID
	r.Answered("110", wang, "1102", "again", noon)
	r.Take(tried("late", id, "1101", "ref", "busy"))
	if c, _ := r.Find(id); c.State != Reached || c.By != "1102" || c.Ref != "again" || c.Tries != 1 {
		t.Errorf("%+v", c)
	}
}

// A desk's call ends at once and another desk begins: what the first is then told of its own call is not the other's.
func TestCalledLate(t *testing.T) {
	for _, ref := range []string{"", "ref"} {
		r := newRig()
		id := r.Take(entry(wang, 0)).StubID
		if _, err := r.Begin(id, "1101", noon); err != nil {
			t.Fatal(err)
		}
		r.Take(tried("end", id, "1101", "ref", "abandoned"))
		if _, err := r.Begin(id, "1102", noon); err != nil {
			t.Fatal(err)
		}
		r.Called(id, "1101", ref)
		if c, _ := r.Find(id); c.State != Calling || c.By != "1102" || c.Ref != "" {
			t.Errorf("%q: %+v", ref, c)
		}
		r.Called(id, "1102", "other")
		r.Called(id, "1102", "")
		if c, _ := r.Find(id); c.State != Calling || c.Ref != "other" {
			t.Errorf("%q: %+v", ref, c)
		}
	}
}

// Who calls again and is answered is off the list; told once.
func TestReached(t *testing.T) {
	r := newRig()
	id := r.Take(entry(wang, 0)).StubID
	other := r.Take(entry(li, 0)).StubID
	list := r.Answered("110", wang, "1101", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", noon.Add(time.Minute))
	if len(list) != 1 || list[0].Event != ticket.Reached || list[0].StubID != id || list[0].ToAgent != "1101" {
		t.Fatalf("%v", list)
	}
	if err := list[0].Validate(); err != nil {
		t.Error(err)
	}
	if list := r.Answered("110", wang, "1101", "ref", noon); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if list := r.Answered("12345", li, "2101", "ref", noon); len(list) != 0 {
		t.Errorf("another line has answered: %v", list)
	}
	if c, _ := r.Find(other); c.State != Open {
		t.Errorf("%+v", c)
	}
}

// The list has an end: what is settled goes after a day, the rest after a week, and the oldest when there are too many.
func TestBound(t *testing.T) {
	r := newRig()
	id := r.Take(entry(wang, 0)).StubID
	r.Answered("110", wang, "1101", "ref", noon)
	r.Take(entry(li, 0))
	if list := r.listAt(noon.Add(25 * time.Hour)); len(list) != 1 || list[0].ID == id {
		t.Errorf("%d", len(list))
	}
	if list := r.listAt(noon.Add(8 * 24 * time.Hour)); len(list) != 0 || len(r.kept) != 0 ||
		len(r.entry)+len(r.of) != 0 {
		t.Errorf("%d, %d kept", len(list), len(r.kept))
	}
	for i := range most + 10 {
		r.Take(entry(fmt.Sprintf("+86138%08d", i), time.Duration(i)*time.Millisecond))
	}
	if list := r.List(); len(list) != most || list[0].Citizen.E164 != fmt.Sprintf("+86138%08d", most+9) {
		t.Errorf("%d", len(list))
	}
	for range 100 {
		r.Take(entry(wang, time.Minute))
	}
	if n := len(r.kept[r.List()[0].ID].Taken); n != mostTaken {
		t.Errorf("%d entries are known", n)
	}
}

// The wall clock is set: nobody is lost from the list by it, the hour in which calls are one is counted either way, and
// what is old is told by the clock that nobody sets, through a restart too.
func TestWallClockIsSet(t *testing.T) {
	for _, step := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
		365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		r := newRig()
		r.Take(entry(wang, 0))
		again := r.Take(entry(wang, step+time.Minute))
		if one := again.Event == ticket.MissedAgain; one != (step.Abs() < time.Hour) {
			t.Errorf("%v: %s", step, again.Event)
		}
		calls := len(r.List())
		r.reborn()
		r.now = r.now.Add(6 * 24 * time.Hour)
		if len(r.List()) != calls {
			t.Errorf("%v: after six days %d calls, not %d", step, len(r.List()), calls)
		}
		if r.now = r.now.Add(25 * time.Hour); len(r.List()) != 0 {
			t.Errorf("%v: after a week %d calls", step, len(r.List()))
		}
	}
}

// A machine that was off begins with a wrong year just before midnight: no citizen is lost from the list by it, neither
// on that day nor by the processes after it. A clock that has run for a day is believed.
func TestWrongYear(t *testing.T) {
	r := newRig()
	for day := range 5 {
		r.now = noon.AddDate(0, 0, day)
		r.Take(entry(fmt.Sprint("+861381234567", day), time.Duration(day)*24*time.Hour))
	}
	wrong := time.Date(noon.Year()+12, 5, 1, 23, 50, 0, 0, time.UTC)
	for process := range 3 {
		r.now = wrong.Add(time.Duration(process) * 20 * time.Minute)
		r.reborn()
		for range 3 {
			if n := len(r.List()); n != 5 {
				t.Fatalf("process %d at %v: %d calls", process, r.now, n)
			}
			r.now = r.now.Add(5 * time.Minute)
		}
	}
	if r.now = r.now.Add(25 * time.Hour); len(r.List()) != 0 {
		t.Errorf("%d calls after a day", len(r.List()))
	}
}
