package record

import (
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// MaxChannels is how many parties one recording has room for.
const MaxChannels = 8

var errTooLong = errors.New("record: the file can hold no more")

// Call says what is recorded.
type Call struct {
	Ref      string   // ULID of the recording
	CallRef  string   // of the call it belongs to
	Channels []string // who is heard on each; 1 to MaxChannels roles, no numbers and no names
	Lines    []string // whose recording it is: who may hear it
}

// Recording is one call's. Put belongs to the thread that carries the call's sound; the other
// methods may be called by anyone.
type Recording struct {
	call  Call
	began time.Time
	wake  func() // of the writer

	ring    ring
	dropped atomic.Uint64 // packets for which there was no room, or that came too late, or that are none
	silent  atomic.Pointer[[]silent]
	ended   atomic.Int64 // 0: it goes on; else when it ended, in nanoseconds since began
	closes  atomic.Int64 // with ended: what was said before may come until then, in nanoseconds since began
	closed  atomic.Bool  // nothing is taken any more

	mu     sync.Mutex
	pauses []Pause // guarded by mu
	// guarded by mu: supervisors in the call, by when they came
	attended []Attendance
	lines    []string // guarded by mu: those that came later
	gaps     []Gap    // guarded by mu

	grows bool // its file may be synced; guarded by the recorder's mu

	// owned by the writer, and by the keeper once the writer has let go of it
	resumed  time.Time // zero: it was begun here
	shift    int64     // samples by which the file is off its times
	line     *timeline
	sink     sink
	file     file
	key      Key
	scratch  [maxPayload]byte
	voices   []voice // by channel
	counted  int64   // bytes of it in the recorder's total
	failure  string  // why it ended before its time
	finished bool
}

// sink is a sound file that grows by blocks.
type sink interface {
	write(b []byte) error
	end() error     // nothing more is written
	abandon() error // after a write that failed: keep what was before
	size() int64    // bytes of the file
}

// Ref is the recording's id.
func (r *Recording) Ref() string { return r.call.Ref }

// silent is a stretch of which nothing is kept, in nanoseconds since began.
type silent struct{ from, to int64 }

// goesOn is where one ends that has not ended yet.
const goesOn = math.MaxInt64

// silentAt says that what was said at a time, in nanoseconds since began, is not to be kept.
func (r *Recording) silentAt(at int64) bool {
	list := r.silent.Load()
	if list == nil {
		return false
	}
	for _, s := range slices.Backward(*list) {
		if at >= s.from {
			return at < s.to
		}
	}
	return false
}

// Paused says that nothing is kept of what is said now.
func (r *Recording) Paused() bool {
	list := r.silent.Load()
	return list != nil && (*list)[len(*list)-1].to == goesOn
}

// Put takes a packet that a party sent, as it came at now. ts is its RTP timestamp, of the
// codec's clock. The payload is copied; without one the packet was lost on its way here. It never waits and never
// allocates: when the writer is behind, the packet is dropped and counted. What came before Pause or Stop may be put a
// moment after it.
func (r *Recording) Put(channel int, id codec.ID, ts uint32, payload []byte, now time.Time) {
	p := packet{channel: channel, codec: id, ts: ts, at: now.Sub(r.began), payload: payload}
	if end := r.ended.Load(); end != 0 && int64(p.at) >= end || r.silentAt(int64(p.at)) {
		return
	}
	fits := channel >= 0 && channel < len(r.call.Channels) && len(payload) > 0 && len(payload) <= maxPayload
	if r.closed.Load() || !fits || !r.ring.put(p) {
		r.dropped.Add(1)
	}
}

// Concern makes it a line's recording as well, whose desk is heard in it.
func (r *Recording) Concern(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.call.Lines, line) && !slices.Contains(r.lines, line) {
		r.lines = append(r.lines, line)
	}
}

// whose are the lines that may hear it.
func (r *Recording) whose() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.call.Lines, r.lines)
}

// Attended notes who is in the call as a supervisor from now on, and how: those of the list, and nobody else.
func (r *Recording) Attended(list []Attendance, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.attended {
		if a := &r.attended[i]; a.To.IsZero() && !slices.ContainsFunc(list, a.same) {
			a.To = now.Round(0)
		}
	}
	for _, a := range list {
		open := func(b Attendance) bool { return b.To.IsZero() && b.same(a) }
		if !slices.ContainsFunc(r.attended, open) && len(r.attended) < mostAttended {
			a.From, a.To = now.Round(0), time.Time{}
			r.attended = append(r.attended, a)
		}
	}
}

// mostAttended bounds how often supervisors change how they are in one call and it is noted.
const mostAttended = 256

// Pause keeps silence in the file until Resume. The time in it goes on.
func (r *Recording) Pause(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.Paused() {
		r.hush(silent{int64(time.Since(r.began)), goesOn})
		r.pauses = append(r.pauses, Pause{From: now})
	}
}

// hush adds a stretch to those of which nothing is kept. It needs mu.
func (r *Recording) hush(s ...silent) {
	if list := r.silent.Load(); list != nil {
		s = slices.Concat(*list, s)
	}
	r.silent.Store(&s)
}

// Resume ends a Pause.
func (r *Recording) Resume(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Paused() {
		list := slices.Clone(*r.silent.Load())
		list[len(list)-1].to = int64(time.Since(r.began))
		r.silent.Store(&list)
		r.pauses[len(r.pauses)-1].To = now
	}
}

// Stop ends the recording: the file is closed soon after. Further calls do nothing.
func (r *Recording) Stop(now time.Time) {
	r.closes.CompareAndSwap(0, int64(time.Since(r.began)+lateness))
	if r.ended.CompareAndSwap(0, max(1, int64(now.Sub(r.began)))) {
		r.wake()
	}
}

// lateness is how long after its end what was said before it may come: the kernel's relay is looked at so often, and
// the thread of the sound may be behind.
const lateness = 300 * time.Millisecond

// drain writes what has come by now. It is true when the recording is done with. stopping: nothing comes any more.
func (r *Recording) drain(now time.Time, stopping bool) bool {
	last := r.ended.Load() != 0 && (stopping || int64(now.Sub(r.began)) >= r.closes.Load())
	if last {
		r.closed.Store(true) // whatever was put before is in the ring
	}
	for !r.finished {
		p, ok := r.ring.take(&r.scratch)
		if !ok {
			break
		}
		r.keep(p)
	}
	switch {
	case r.finished:
	case last:
		r.finish(r.place(time.Duration(r.ended.Load())))
	case r.ended.Load() != 0 || now.Sub(r.resumed) < recalled: // what was said before may still come
	default:
		r.check(r.line.advance(r.place(now.Sub(r.began)), r.sink.write))
	}
	return r.finished
}

// recalled so long after it was resumed a recording can get what was said before: the kernel has kept it.
const recalled = 2 * time.Second

// keep puts a packet into the timeline.
func (r *Recording) keep(p packet) {
	at := r.place(p.at)
	if !r.check(r.line.advance(at, r.sink.write)) {
		return
	}
	sound := r.voices[p.channel].alaw(p.codec, p.payload)
	if len(sound) == 0 {
		r.dropped.Add(1)
		return
	}
	if !r.resumed.IsZero() && at+int64(len(sound)) <= r.line.from {
		return // the process before has written it
	}
	r.line.place(p.channel, clocked{p.ts, int64(p.codec.ClockRate() / pcm.Rate)}, sound, at)
}

// place is the sample of the file for a time since the recording began.
func (r *Recording) place(at time.Duration) int64 { return samples(at) + r.shift }

// finish closes the file behind a whole number of 16-bit words, as RIFF wants it.
func (r *Recording) finish(end int64) {
	r.finished = true
	err := r.line.finish(end+end&1, r.sink.write)
	if err == nil {
		err = r.sink.end()
	}
	r.check(err)
}

// check gives up at the first error: what was written before it is kept. The party at the
// phone must not suffer, so nothing is tried twice.
func (r *Recording) check(err error) bool {
	if err == nil {
		return true
	}
	r.fail(err)
	if err := r.sink.abandon(); err != nil {
		r.failure += "; " + err.Error()
	}
	return false
}

func (r *Recording) fail(err error) {
	r.failure, r.finished = err.Error(), true
	r.ended.CompareAndSwap(0, max(1, r.line.from*int64(time.Second)/pcm.Rate))
	r.closed.Store(true)
}
