package exchange

import (
	"runtime"
	"testing"
	"time"

	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// replay is all that a call of the simulation has taken, so that the same call can be had again by itself: without the
// phones, and without those who look whether it is right.
type replay struct {
	inputs  []func(*Core)
	numbers []uint64 // that its legs have drawn
}

// draws notes what is drawn.
func (r *replay) draws(rand func() uint64) func() uint64 {
	return func() uint64 {
		n := rand()
		r.numbers = append(r.numbers, n)
		return n
	}
}

func (r *replay) note(now time.Time, f func(*Core, time.Time)) {
	r.inputs = append(r.inputs, func(c *Core) { f(c, now) })
}

// again is the call once more, with all that is told and stored of it, and how many messages it has sent.
func (r *replay) again(s *simulation) (core *Core, sent int) {
	world, numbers := s.simCall().world(), r.numbers
	world.Wire, world.Media, world.Tickets = counts{&sent}, fakeMedia{}, fakeTickets{}
	world.Tell, world.Trace = func(news.Item) {}, func(news.Item) {}
	world.Keep = func(...journal.Entry) {}
	world.Leg.Rand = func() (n uint64) {
		n, numbers = numbers[0], numbers[1:]
		return n
	}
	core = NewCore(world, s.dir, ua.Origin{Network: "lab", Trunk: "pstn"}, "00000000-0000-4000-8000-000000000001")
	for _, take := range r.inputs {
		take(core)
	}
	core.Close()
	return core, sent
}

// counts is a wire that only counts.
type counts struct{ sent *int }

func (w counts) Send(leg.Packet) { *w.sent++ }
func (counts) Bind(string)       {}
func (counts) Unbind(string)     {}

// taped is a call that was answered and ended by the caller.
func taped(tb testing.TB) (*simulation, *replay) {
	tb.Helper()
	s, r := newSimulation(4, false), &replay{}
	s.tape = r
	s.addPhone("1101", "127.0.1.1:5060").does = func(l *line) { l.answer(time.Second) }
	l := s.addPhone("13812345678", "127.0.0.10:5060").dial("110")
	s.after(3*time.Second, l.hangUp)
	s.run(time.Hour)
	if s.err != nil {
		tb.Fatal(s.err)
	}
	s.tape = nil
	return s, r
}

// The call that is had again is the same to its end.
func TestReplay(t *testing.T) {
	s, r := taped(t)
	_, first := r.again(s)
	core, sent := r.again(s)
	if !core.state.Over() || !core.Done() || sent != first || sent < 6 {
		t.Errorf("%s, %d parties are left, %d messages, then %d", core.state.Phase, len(core.parties), first, sent)
	}
}

// BenchmarkCallAllocates is what a call that is answered takes of the heap here: its signalling, what is decided, told,
// traced and stored of it, without the transport, the sound and those who are told.
func BenchmarkCallAllocates(b *testing.B) {
	s, r := taped(b)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		r.again(s)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "allocs/call")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/1024, "KB/call")
}
