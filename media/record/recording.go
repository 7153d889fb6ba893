package record

import (
	"errors"
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
}

// Recording is one call's. Put belongs to the thread that carries the call's sound; the other
// methods may be called by anyone.
type Recording struct {
	call  Call
	began time.Time
	wake  func() // of the writer

	ring    ring
	dropped atomic.Uint64 // packets for which the ring had no room, or that are none
	paused  atomic.Bool
	stopped atomic.Bool
	ended   atomic.Int64 // with stopped: when, in nanoseconds since began

	mu     sync.Mutex
	pauses []Pause // guarded by mu

	grows bool // its file may be synced; guarded by the recorder's mu

	// owned by the writer, and by the keeper once the writer has let go of it
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

// Put takes a packet that a party sent, as it came at now. ts is its RTP timestamp, of the
// codec's clock. The payload is copied. It never waits and never allocates: when the writer is
// behind, the packet is dropped and counted.
func (r *Recording) Put(channel int, id codec.ID, ts uint32, payload []byte, now time.Time) {
	if r.paused.Load() || r.stopped.Load() {
		return
	}
	p := packet{channel: channel, codec: id, ts: ts, at: now.Sub(r.began), payload: payload}
	fits := channel >= 0 && channel < len(r.call.Channels) && len(payload) > 0 && len(payload) <= maxPayload
	if !fits || !r.ring.put(p) {
		r.dropped.Add(1)
	}
}

// Pause keeps silence in the file until Resume. The time in it goes on.
func (r *Recording) Pause(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.paused.Swap(true) {
		r.pauses = append(r.pauses, Pause{From: now})
	}
}

// Resume ends a Pause.
func (r *Recording) Resume(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paused.Swap(false) {
		r.pauses[len(r.pauses)-1].To = now
	}
}

// Stop ends the recording: the file is closed soon after. Further calls do nothing.
func (r *Recording) Stop(now time.Time) {
	if r.ended.CompareAndSwap(0, max(1, int64(now.Sub(r.began)))) {
		r.stopped.Store(true)
		r.wake()
	}
}

// drain writes what has come by now. It is true when the recording is done with.
func (r *Recording) drain(now time.Time) bool {
	last := r.stopped.Load() // whatever was put before is in the ring
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
		r.finish(samples(time.Duration(r.ended.Load())))
	default:
		r.check(r.line.advance(samples(now.Sub(r.began)), r.sink.write))
	}
	return r.finished
}

// keep puts a packet into the timeline.
func (r *Recording) keep(p packet) {
	at := samples(p.at)
	if !r.check(r.line.advance(at, r.sink.write)) {
		return
	}
	sound := r.voices[p.channel].alaw(p.codec, p.payload)
	if len(sound) == 0 {
		r.dropped.Add(1)
		return
	}
	r.line.place(p.channel, clocked{p.ts, int64(p.codec.ClockRate() / pcm.Rate)}, sound, at)
}

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
	r.stopped.Store(true)
}
