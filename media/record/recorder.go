package record

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed says that the recorder has stopped.
var ErrClosed = errors.New("record: closed")

const (
	writeEvery = 100 * time.Millisecond // the writer looks into the rings
	syncEvery  = 5 * time.Second        // files that grow reach the disk: what a power cut can take
	sweepEvery = time.Minute            // retention
)

// Recorder keeps recordings. Start, Open, Meta and Stats may be called by anyone.
type Recorder struct {
	cfg   Config
	log   *slog.Logger
	count counters
	lock  *os.File
	disk  disk

	toWriter, toKeeper, quit chan struct{}
	allResumed               chan struct{} // closed: what is left open besides is to be mended
	resume                   sync.Once     // closes it
	leaving                  atomic.Bool
	written                  chan struct{} // the writer has ended
	wg                       sync.WaitGroup

	mu     sync.Mutex
	closed bool                  // guarded by mu, like all that follows
	live   map[string]*Recording // by ref, until its metadata is closed
	fresh  []*Recording          // for the writer
	ended  []*Recording          // for the keeper
}

// disk is the part of the operating system that tests replace.
type disk struct {
	create func(path string) (file, error)
	size   func(dir string) (int64, error) // of the file system
	now    func() time.Time                // for retention
}

// New starts a recorder that runs until Stop. Recordings that a crash left open are mended in
// the background.
func New(cfg Config, log *slog.Logger) (*Recorder, error) {
	return start(cfg, log, disk{create: create, size: fileSystem, now: time.Now})
}

func start(cfg Config, log *slog.Logger, d disk) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	held, err := lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		cfg: cfg, log: log, lock: held, disk: d, live: map[string]*Recording{},
		toWriter: make(chan struct{}, 1), toKeeper: make(chan struct{}, 1),
		quit: make(chan struct{}), written: make(chan struct{}), allResumed: make(chan struct{}),
	}
	r.wg.Go(r.write)
	k := &keeper{Recorder: r, began: time.Now()}
	list, _ := days(cfg.Dir) // a fault is told at the first sweep
	for _, day := range list {
		at, _ := time.Parse(dayForm, day) // as days has done
		k.aging.Found = append(k.aging.Found, at)
	}
	r.wg.Go(k.run)
	return r, nil
}

// Stop ends all recordings and waits until their files are closed.
func (r *Recorder) Stop() { r.shut() }

func (r *Recorder) shut() {
	r.mu.Lock()
	already := r.closed
	r.closed = true
	for _, one := range r.live {
		if !r.leaving.Load() {
			one.Stop(time.Now())
		}
	}
	r.mu.Unlock()
	if !already {
		close(r.quit)
	}
	r.wg.Wait()
	if !already {
		_ = r.lock.Close()
	}
}

// Start begins a recording at now. The file is made in the background, so that a slow disk
// delays nobody; when that fails it is logged and counted, and stands in the metadata if there
// can be any.
func (r *Recorder) Start(c Call, now time.Time) (*Recording, error) {
	one, err := r.newRecording(c, now)
	if err != nil {
		return nil, err
	}
	if len(r.cfg.Keys) > 0 {
		one.key = r.cfg.Keys[0]
	}
	return one, r.admit(one)
}

func (r *Recorder) newRecording(c Call, began time.Time) (*Recording, error) {
	e, err := entryOf(r.cfg.Dir, c.Ref)
	if err != nil {
		return nil, err
	}
	if n := len(c.Channels); n < 1 || n > MaxChannels {
		return nil, fmt.Errorf("record: %d channels are not allowed, 1 to %d", n, MaxChannels)
	}
	c.Ref = e.ref
	return &Recording{
		call: c, began: began, wake: func() { nudge(r.toWriter) },
		line: newTimeline(len(c.Channels)), voices: make([]voice, len(c.Channels)),
	}, nil
}

// admit has the writer make the file.
func (r *Recorder) admit(one *Recording) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return ErrClosed
	case r.live[one.call.Ref] != nil:
		return fmt.Errorf("record: %s is being recorded already", one.call.Ref)
	}
	r.live[one.call.Ref] = one
	r.fresh = append(r.fresh, one)
	nudge(r.toWriter)
	return nil
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write is the writer: one thread for all recordings.
func (r *Recorder) write() {
	defer close(r.written)
	ticker := time.NewTicker(writeEvery)
	defer ticker.Stop()
	var growing []*Recording
	for stopping := false; !stopping || len(growing) > 0; {
		var tick <-chan time.Time
		if len(growing) > 0 {
			tick = ticker.C
		}
		select {
		case <-r.toWriter:
		case <-tick:
		case <-r.quit:
			stopping = true
		}
		now := time.Now()
		growing = r.round(append(growing, r.begun()...), now, stopping)
		if stopping && r.leaving.Load() {
			r.leave(growing, now)
			return
		}
	}
}

// begun makes the files of the recordings that are new.
func (r *Recorder) begun() []*Recording {
	r.mu.Lock()
	fresh := r.fresh
	r.fresh = nil
	r.mu.Unlock()
	for _, one := range fresh {
		make := r.begin
		if !one.resumed.IsZero() {
			make = r.reopen
		}
		if err := make(one); err != nil {
			one.sink = nowhere{}
			one.fail(err)
			continue
		}
		r.mu.Lock()
		one.grows = true
		r.mu.Unlock()
	}
	return fresh
}

// begin makes the metadata first: a file without it would not tell whose it is.
func (r *Recorder) begin(one *Recording) error {
	e, err := entryOf(r.cfg.Dir, one.call.Ref)
	if err != nil {
		return err
	}
	ext := extPlain
	if !one.key.isZero() {
		ext = extSealed
	}
	if one.file, err = r.disk.create(e.path + ext); err != nil {
		return err
	}
	if err := writeMeta(e.path+extOpen, one.meta(), false); err != nil {
		return err
	}
	if ext == extPlain {
		one.sink, err = newPlain(one.file, len(one.call.Channels))
	} else {
		one.sink, err = newSealed(one.file, one.key, one.call.Ref, len(one.call.Channels))
	}
	return err
}

// round lets every recording write what it has, and hands those that are done to the keeper.
func (r *Recorder) round(growing []*Recording, now time.Time, stopping bool) []*Recording {
	left := growing[:0]
	for _, one := range growing {
		done := one.drain(now, stopping)
		grown := one.sink.size() - one.counted
		one.counted += grown
		r.count.taken.Add(grown)
		r.count.bytes.Add(uint64(max(grown, 0)))
		if !done {
			left = append(left, one)
			continue
		}
		r.mu.Lock()
		r.ended = append(r.ended, one)
		r.mu.Unlock()
		nudge(r.toKeeper)
	}
	clear(growing[len(left):])
	return left
}

// nowhere is the sink of a recording whose file could not be made.
type nowhere struct{}

func (nowhere) write([]byte) error { return nil }
func (nowhere) end() error         { return nil }
func (nowhere) abandon() error     { return nil }
func (nowhere) size() int64        { return 0 }
