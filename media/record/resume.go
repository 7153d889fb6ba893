package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"liandong/media/pcm"
)

// longestGap is more than a call is without the process that carries it: beyond it the clock was set.
const longestGap = 10 * time.Minute

// Position is what another process has to know to go on with a recording.
type Position struct {
	Call   Call
	Began  time.Time
	Pauses []Pause
	Paused bool
	// supervisors in the call, by when they came
	Attended []Attendance `cbor:",omitempty"`
}

// Gap is a stretch that was not recorded because the process that did ended.
type Gap struct {
	From time.Time `json:"from"` // of what was said a moment before some is lost as well
	To   time.Time `json:"to"`
}

// Position is where the recording is.
func (r *Recording) Position() Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.call
	c.Lines = slices.Concat(r.call.Lines, r.lines)
	return Position{
		Call: c, Began: r.began.Round(0), Pauses: append([]Pause(nil), r.pauses...), Paused: r.Paused(),
		Attended: slices.Clone(r.attended),
	}
}

// Resume goes on with a recording that another process has begun, under the same ref: the time between is silence in
// the file, and a gap in the metadata. What cannot be gone on with is a recording that fails, as in Start.
func (r *Recorder) Resume(p Position, now time.Time) (*Recording, error) {
	one, err := r.newRecording(p.Call, now.Add(-now.Sub(p.Began))) // whose clock is monotonic
	if err != nil {
		return nil, err
	}
	one.resumed, one.pauses, one.attended = now, p.Pauses, p.Attended
	for _, pause := range p.Pauses {
		to := int64(goesOn)
		if !pause.To.IsZero() {
			to = int64(pause.To.Sub(p.Began))
		}
		one.hush(silent{int64(pause.From.Sub(p.Began)), to})
	}
	if p.Paused { // nor is anything kept that was said a moment before
		one.silent.Store(&[]silent{{math.MinInt64, goesOn}})
	}
	return one, r.admit(one)
}

// Resumed says that all recordings that go on have been resumed: whatever else was left open is mended. Needed with
// Config.Resumes.
func (r *Recorder) Resumed() { r.resume.Do(func() { close(r.allResumed) }) }

// Leave lets go of all recordings as they are, for another process to go on with. It waits until that is done.
func (r *Recorder) Leave() {
	r.leaving.Store(true)
	r.shut()
}

// leave closes the files of recordings that go on elsewhere.
func (r *Recorder) leave(growing []*Recording, now time.Time) {
	for _, one := range growing {
		one.flush(now)
		_ = one.file.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range growing {
		one.grows = false
		delete(r.live, one.call.Ref)
	}
}

// flush writes what was said until now, though a packet that comes late would still find its place there. Of a sealed
// file the last block is in the gap: its chunks are whole.
func (r *Recording) flush(now time.Time) {
	if r.finished {
		return
	}
	end := r.place(now.Sub(r.began))
	if !r.check(r.line.advance(end+window, r.sink.write)) {
		return
	}
	if _, ok := r.sink.(*plain); ok && end > r.line.from {
		r.check(r.line.shift(int(end-r.line.from), r.sink.write))
	}
}

// reopen takes up the file of a recording that goes on. One that was never made is begun.
func (r *Recorder) reopen(one *Recording) error {
	e, err := entryOf(r.cfg.Dir, one.call.Ref)
	if err != nil {
		return err
	}
	path := e.sound()
	if path == "" {
		return r.begin(one)
	}
	before, err := readMeta(e.path + extOpen)
	if err != nil {
		return fmt.Errorf("record: it was closed meanwhile: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	one.file = f
	if err := one.goOn(path, f, r.cfg.Keys, len(before.Gaps)); err != nil {
		return err
	}
	one.counted = one.sink.size()
	r.count.taken.Add(one.counted)
	one.note(append(before.Gaps, one.gap()))
	return writeMeta(e.path+extOpen, one.meta(), false)
}

// goOn opens the sink behind the last sound that is whole.
func (one *Recording) goOn(path string, f *os.File, keys []Key, gaps int) (err error) {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	channels := int64(len(one.call.Channels))
	if strings.HasSuffix(path, extPlain) {
		var p *plain
		if p, err = resumePlain(f, info.Size(), int(channels)); err == nil {
			one.sink, one.line.from = p, p.sound/channels
		}
	} else {
		var s *sealed
		if s, err = resumeSealed(f, info.Size(), keys, gaps); err == nil {
			one.sink, one.line.from, one.key = s, s.number*block, keyOf(keys, s.keyID())
		}
	}
	one.realign()
	return err
}

// realign finds out by the file that the clock on the wall was set meanwhile.
func (one *Recording) realign() {
	now, written := samples(one.resumed.Sub(one.began)), one.line.from
	if now < written || now > written+samples(longestGap) {
		one.shift = written + window + block - now
	}
}

// gap is the one that has just ended.
func (one *Recording) gap() Gap {
	from := time.Duration(one.line.from-one.shift) * time.Second / pcm.Rate
	return Gap{From: one.began.Add(from).Round(0), To: one.resumed.Round(0)}
}

func (one *Recording) note(gaps []Gap) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.gaps = gaps
}

func resumePlain(f *os.File, size int64, channels int) (*plain, error) {
	h := make([]byte, wavHeader)
	if _, err := f.ReadAt(h, 0); err != nil {
		return nil, fmt.Errorf("%w: it has no whole header", ErrDamaged)
	}
	if n, ok := channelsOf(h); !ok || n != channels {
		return nil, fmt.Errorf("%w: the header is none of ours", ErrDamaged)
	}
	p := &plain{file: f, channels: channels}
	promised := int64(binary.LittleEndian.Uint32(h[wavHeader-4:])) // what lies behind it may be torn
	p.sound = min(size-wavHeader, promised) / int64(channels) * int64(channels)
	return p, errors.Join(p.abandon(), p.promise())
}

// resumeSealed seals on behind the last whole chunk. Where there is a torn one, its nonce may have been used: the one
// in its place has another.
func resumeSealed(f *os.File, size int64, keys []Key, gaps int) (*sealed, error) {
	u, err := newUnsealed(f, size, keys)
	if err != nil {
		return nil, err
	}
	if u.ended {
		return nil, fmt.Errorf("%w: it has an end", ErrDamaged)
	}
	s := &sealed{envelope: u.envelope, file: f, number: u.chunks, done: u.at(u.chunks), torn: -1}
	if size > s.done {
		s.torn, s.anew = s.number, chunkAnew+byte(gaps%maxAnew)
	}
	return s, f.Truncate(s.done)
}
