package admission

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// server is a core in virtual time, which serves as the switch does: what belongs to calls that are on goes first, then
// comes the next call of the queue.
type server struct {
	queue Queue[arrival]
	now   time.Time
	rnd   *rand.Rand

	stalls bool
	late   []job // of calls that are on, by time

	begun, refused      map[string]int
	setUp, told, waited []time.Duration // from arrival until set up, or refused; of inputs of calls
}

type arrival struct {
	source string
	at     time.Time
}

// job is one input of a call that is on.
type job struct {
	at   time.Time
	call *arrival
	n    int // of its inputs
}

// A call is begun, has so many inputs that follow one another while it is set up, is on for a while, and has some more.
// A refusal costs little.
const (
	inputs   = 4
	settings = 2 // of them
	part     = 500 * time.Microsecond
	refusal  = 12 * time.Microsecond
	holds    = 2 * time.Second
	away     = 40 * time.Millisecond // until the other side has answered, on average
	capacity = float64(time.Second) / float64((1+inputs)*part)
)

// flow is what a source sends: calls a second, from a time until another.
type flow struct {
	source   string
	class    Class
	rate     float64
	from, to time.Duration
}

func play(flows []flow, d time.Duration, each func(s *server, after time.Duration)) *server {
	s := &server{now: time.Unix(1, 0), begun: map[string]int{}, refused: map[string]int{},
		rnd: rand.New(rand.NewPCG(1, 2))}
	begun := s.now
	next := make([]time.Time, len(flows))
	for i, f := range flows {
		next[i] = begun.Add(f.from)
	}
	for s.now.Sub(begun) < d {
		for i, f := range flows {
			for ; !next[i].After(s.now) && next[i].Before(begun.Add(f.to)); next[i] =
				next[i].Add(time.Duration(s.rnd.ExpFloat64() / f.rate * float64(time.Second))) {
				if a, full := s.queue.Put(next[i], 0, f.class, f.source, arrival{f.source, next[i]}); full {
					s.refuse(a)
				}
			}
		}
		for _, a := range s.queue.Late(s.now) {
			s.refuse(a)
		}
		s.work()
		if s.stalls && s.now.Sub(begun)%(100*time.Millisecond) < part { // another process has the core for a while
			s.now = s.now.Add(20 * time.Millisecond)
		}
		if each != nil {
			each(s, s.now.Sub(begun))
		}
	}
	return s
}

func (s *server) refuse(a arrival) {
	s.refused[a.source]++
	s.told = append(s.told, s.now.Sub(a.at))
	s.now = s.now.Add(refusal)
}

// work does one thing, or waits a little.
func (s *server) work() {
	if len(s.late) > 0 && !s.late[0].at.After(s.now) {
		j := s.late[0]
		s.late = s.late[1:]
		s.waited = append(s.waited, s.now.Sub(j.at))
		s.now = s.now.Add(part)
		s.then(j)
		return
	}
	if a, ok := s.queue.Next(s.now); ok {
		s.begun[a.source]++
		s.now = s.now.Add(part)
		s.then(job{call: &a})
		return
	}
	s.now = s.now.Add(50 * time.Microsecond)
}

// then is what follows an input.
func (s *server) then(j job) {
	wait := time.Duration(s.rnd.ExpFloat64() * float64(away))
	switch j.n {
	case settings:
		s.setUp = append(s.setUp, s.now.Sub(j.call.at))
		wait = time.Duration(s.rnd.ExpFloat64() * float64(holds))
	case inputs:
		return
	}
	s.later(job{at: s.now.Add(wait), call: j.call, n: j.n + 1})
}

func (s *server) later(j job) {
	i, _ := slices.BinarySearchFunc(s.late, j.at, func(o job, t time.Time) int { return o.at.Compare(t) })
	s.late = slices.Insert(s.late, i, j)
}

func p99(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)*99/100]
}

// However much more comes, the core serves nearly as many calls as it can, and those soon; also when it stands still
// time and again, for a sixth of the time.
func TestGoodputUnderOverload(t *testing.T) {
	for _, load := range []float64{1.2, 2, 5, 10} {
		for _, stalls := range []bool{false, true} {
			t.Run(fmt.Sprint(load, stalls), func(t *testing.T) {
				const d = 60 * time.Second
				s := play([]flow{{source: "pstn", class: Usual, rate: load * capacity, to: d}}, d,
					func(s *server, _ time.Duration) { s.stalls = stalls })
				goodput := float64(len(s.setUp)) / d.Seconds() / capacity
				t.Logf("%.1f %% of capacity, set-up %s, refused %s at most %s, in a call %s", 100*goodput, p99(s.setUp),
					p99(s.told), slices.Max(s.told), p99(s.waited))
				if stalls {
					goodput /= 0.84 // it stands still for 20 of 120 ms
				}
				if goodput < 0.95-0.004*load {
					t.Errorf("serves %.1f %% of what it can", 100*goodput)
				}
				if got := p99(s.setUp); got > 500*time.Millisecond {
					t.Errorf("of those served 1 in 100 waits for more than %s", got)
				}
				if got := p99(s.waited); got > 50*time.Millisecond {
					t.Errorf("of what belongs to calls that are on 1 in 100 waits for more than %s", got)
				}
				if got := p99(s.told); got > 50*time.Millisecond {
					t.Errorf("of those refused 1 in 100 is told so after more than %s", got)
				}
			})
		}
	}
}

// Below its capacity it refuses nobody, and neither at a burst that it can get over.
func TestNoRefusalWithoutOverload(t *testing.T) {
	const d = 30 * time.Second
	s := play([]flow{
		{source: "pstn", class: Usual, rate: 0.8 * capacity, to: d},
		{source: "burst", class: Usual, rate: 20000, from: 9 * time.Second, to: 9*time.Second + time.Millisecond},
	}, d, nil)
	if len(s.told) > 0 {
		t.Errorf("%d refused: %v", len(s.told), s.refused)
	}
	if s.begun["burst"] < 10 {
		t.Errorf("a burst of %d calls is none", s.begun["burst"])
	}
}

// Near its capacity it refuses next to nobody: chance alone makes a line stand now and then.
func TestFewRefusalsNearSaturation(t *testing.T) {
	for load, most := range map[float64]float64{0.9: 0.001, 0.95: 0.01, 1: 0.04} {
		const d = 60 * time.Second
		s := play([]flow{{source: "pstn", class: Usual, rate: load * capacity, to: d}}, d, nil)
		if got := float64(s.refused["pstn"]) / (load * capacity * d.Seconds()); got > most {
			t.Errorf("at %.2f of what there is time for %.2f %% are refused, want %.1f", load, 100*got, 100*most)
		}
	}
}

// RFC 7339 §1: one that floods is not to take what is the others'.
func TestFairShare(t *testing.T) {
	const d = 20 * time.Second
	s := play([]flow{
		{source: "flood", class: Usual, rate: 8 * capacity, to: d},
		{source: "small", class: Usual, rate: 0.2 * capacity, to: d},
	}, d, nil)
	if s.refused["small"] > 0 || s.begun["small"] < int(0.19*capacity*d.Seconds()) {
		t.Errorf("a trunk with little to do has %d begun and %d refused", s.begun["small"], s.refused["small"])
	}
	if s.begun["flood"] < int(0.6*capacity*d.Seconds()) {
		t.Errorf("what is left goes to nobody: %d begun", s.begun["flood"])
	}
}

func TestEmergencyFirst(t *testing.T) {
	const d = 20 * time.Second
	s := play([]flow{
		{source: "pstn", class: Usual, rate: 5 * capacity, to: d},
		{source: "danger", class: Emergency, rate: 0.6 * capacity, to: d},
	}, d, nil)
	if s.refused["danger"] > 0 || s.begun["pstn"] == 0 {
		t.Errorf("begun %v, refused %v", s.begun, s.refused)
	}
}

// A flood of strangers who all dial the emergency line takes nothing of what known sources bring, says no overload, and
// has what is left.
func TestStrangersLast(t *testing.T) {
	const d = 20 * time.Second
	overloaded := false
	s := play([]flow{
		{source: "", class: StrangeEmergency, rate: 8 * capacity, to: d},
		{source: "other", class: Strange, rate: capacity, to: d},
		{source: "pstn", class: Usual, rate: 0.4 * capacity, to: d},
		{source: "danger", class: Emergency, rate: 0.2 * capacity, to: d},
	}, d, func(s *server, _ time.Duration) { overloaded = overloaded || s.queue.Overloaded(s.now) })
	if s.refused["pstn"]+s.refused["danger"] > 0 || overloaded {
		t.Errorf("refused %v, overloaded: %v", s.refused, overloaded)
	}
	if s.begun[""] < int(0.3*capacity*d.Seconds()) {
		t.Errorf("what is left goes to nobody: %v", s.begun)
	}
}

// A second after the flood all is as before.
func TestOverIsOver(t *testing.T) {
	const stops = 10 * time.Second
	overloaded, during := false, false
	s := play([]flow{
		{source: "pstn", class: Usual, rate: 0.7 * capacity, to: 20 * time.Second},
		{source: "flood", class: Usual, rate: 9 * capacity, to: stops},
	}, 20*time.Second, func(s *server, after time.Duration) {
		during = during || after < stops && s.queue.Overloaded(s.now)
		if after > stops+time.Second {
			overloaded = overloaded || s.queue.Overloaded(s.now) || s.queue.Len() > 60
		}
	})
	if overloaded || !during {
		t.Errorf("overloaded during the flood: %v, a second after: %v; refused %v", during, overloaded, s.refused)
	}
}

func TestFullLine(t *testing.T) {
	var q Queue[int]
	now := time.Unix(0, 0)
	for i := range maxLine {
		if _, full := q.Put(now, 0, Usual, "flood", i); full {
			t.Fatal("full at", i)
		}
	}
	if got, full := q.Put(now, 0, Usual, "flood", -1); !full || got != -1 {
		t.Errorf("the flood's own newest goes: %d, %v", got, full)
	}
	if got, full := q.Put(now, 0, Usual, "small", -2); !full || got != 0 {
		t.Errorf("another's takes the place of the flood's oldest: %d, %v", got, full)
	}
	if _, full := q.Put(now, 0, Emergency, "flood", -3); full {
		t.Error("no room for an emergency")
	}
	for _, want := range []int{-3, 1, -2, 2} {
		if got, ok := q.Next(now); !ok || got != want {
			t.Errorf("%d comes in the place of %d", got, want)
		}
	}
}

// Who would wait for too long is told so when he comes; a source that has had nobody refused may have a burst, and an
// emergency call waits in any case.
func TestRefusedWhenItComes(t *testing.T) {
	var q Queue[int]
	now := time.Unix(0, 0)
	q.Put(now, 0, Usual, "flood", 0)
	for i := range 20 { // 20 ms each
		q.Put(now, 0, Usual, "flood", i)
		now = now.Add(20 * time.Millisecond)
		q.Next(now)
	}
	put := func(of Class, source string) (in int) {
		for range 100 {
			if _, full := q.Put(now, 0, of, source, 0); full {
				return in
			}
			in++
		}
		return in
	}
	if got := put(Usual, "flood"); got != 14 { // with the one that is there already
		t.Errorf("%d of a burst wait, want 14: 300 ms", got)
	}
	for range 12 {
		q.Next(now.Add(20 * time.Millisecond))
		now = now.Add(20 * time.Millisecond)
	}
	if got := put(Usual, "flood"); got != 1 {
		t.Errorf("%d more wait, want 1: four are 80 ms", got)
	}
	if _, full := q.Put(now, 299*time.Millisecond, Usual, "small", 0); !full {
		t.Error("one that has waited for 299 ms in the socket waits on")
	}
	q.classes[Usual].refused["small"] = time.Time{}
	if got := put(Usual, "small"); got < 3 {
		t.Errorf("%d of another source wait", got)
	}
	if got := put(Emergency, "flood"); got != 100 {
		t.Errorf("%d emergency calls wait", got)
	}
}

func TestDeadline(t *testing.T) {
	var q Queue[int]
	begun := time.Unix(0, 0)
	if _, ok := q.Deadline(begun); ok {
		t.Error("of nothing")
	}
	for i, ms := range []time.Duration{0, 250, 290, 900} {
		q.Put(begun.Add(ms*time.Millisecond), 0, Usual, "a", i)
	}
	for _, step := range []struct {
		at   time.Duration
		late []int
	}{{300, []int{0}}, {550, []int{1}}, {590, []int{2}}, {1200, []int{3}}} {
		now := begun.Add(step.at * time.Millisecond)
		if late := q.Late(now.Add(-1)); len(late) > 0 {
			t.Errorf("%v are late before %s", late, now.Sub(begun))
		}
		if late := q.Late(now); !slices.Equal(late, step.late) {
			t.Errorf("%v are late at %s", late, now.Sub(begun))
		}
		if at, ok := q.Deadline(now); ok && !at.After(now) {
			t.Errorf("due at %s, and it is %s", at.Sub(begun), now.Sub(begun))
		}
	}
	if q.Len() > 0 {
		t.Error("some are left")
	}
}
