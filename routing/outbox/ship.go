package outbox

import (
	"context"
	"hash/maphash"
	"math"
	"time"

	"liandong/routing/link"
)

// Bounds of one round trip: scripts stop the whole Redis while they run, so a round stays in the milliseconds.
const (
	roundEntries = 512
	roundBytes   = 512 << 10
	sweep        = 8192 // entries looked at in one read of the disk
	keptEntries  = 50_000
	idleProbe    = 5 * time.Second
)

// shipper brings entries from the disk to Redis, in passes: a pass goes once through everything that waits, in order,
// and ends at the newest entry, where it goes on as entries come in. A new pass begins at the oldest entry whenever
// something has to be sent again. Owned by its goroutine.
type shipper struct {
	o     *Outbox
	lanes map[string]*lane // by stream

	pos  uint64              // this pass has looked at everything below
	held map[uint64]struct{} // hashes of stubs that this pass has left behind; bounded by what fits on disk
	seed maphash.Seed

	kept   map[uint64]kept // in Redis but still on disk, by number
	forget time.Time       // when to look for kept entries that may go
	pause  time.Time       // Redis is away: no attempt before
	probe  time.Time       // when to ask an idle Redis whether it is there
	wait   backoff
	room   int // entries that the next round may carry: fewer when Redis is too slow to answer in time
}

// lane is the way to one stream.
type lane struct {
	chain   string // the last event id that Redis has confirmed, see deliver.lua
	whole   bool   // send the script's text: this Redis does not know its sum
	blocked bool   // the stream refuses entries: until the next pass that begins after retry
	retry   time.Time
	wait    backoff
}

// kept is an entry that Redis has confirmed.
type kept struct {
	stream  string
	at      time.Time
	size    int
	leaving bool // its deletion is with the writer
}

func newShipper(o *Outbox) *shipper {
	return &shipper{
		o: o, lanes: map[string]*lane{}, held: map[uint64]struct{}{}, kept: map[uint64]kept{},
		seed: maphash.MakeSeed(), wait: o.backoff(), room: roundEntries,
	}
}

// backoff for everything that has to do with Redis.
func (o *Outbox) backoff() backoff {
	return backoff{min: min(20*time.Millisecond, o.cfg.Backoff), max: o.cfg.Backoff}
}

// run ships until ctx ends.
func (s *shipper) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.farewell()
			return
		case <-s.o.fresh:
		case <-timer.C:
		}
		wait := s.round(ctx, time.Now())
		for wait == 0 && ctx.Err() == nil {
			wait = s.round(ctx, time.Now())
		}
		timer.Reset(wait)
	}
}

// round does one round trip and says how long nothing will be to do, unless something comes in.
func (s *shipper) round(ctx context.Context, now time.Time) time.Duration {
	if d := s.pause.Sub(now); d > 0 {
		return d
	}
	if at, ok := s.blockedUntil(); ok && !at.After(now) {
		s.rewind(now)
	}
	if !s.forget.After(now) {
		s.clean(ctx, now, s.o.cfg.Keep)
		if d := s.pause.Sub(now); d > 0 {
			return d
		}
	}
	load, more, err := s.load()
	switch {
	case err != nil:
		s.o.log.Error("outbox: cannot read the file", "err", err)
		return s.wait.next()
	case len(load.parcels) > 0:
		s.send(ctx, now, load)
		return 0
	case more:
		return 0
	}
	return s.idle(ctx, now)
}

// load reads on in this pass. more says that it stopped before the end.
func (s *shipper) load() (l *load, more bool, err error) {
	l = newLoad(s.room)
	newest, looked := s.o.queue.newest(), 0
	err = s.o.disk.scan(s.pos, func(seq uint64, value []byte) bool {
		looked++
		if more = looked > sweep || !s.look(l, seq, value); !more {
			s.pos = seq + 1
		}
		return !more
	})
	if err != nil || more {
		return l, more, err
	}
	s.pos = max(s.pos, newest+1)
	for _, it := range s.o.queue.bypass(s.pos) {
		r, err := decode(it.body)
		if err != nil {
			return l, false, err
		}
		if !s.take(l, cargo{record: r, item: it}) {
			return l, true, nil
		}
	}
	return l, false, nil
}

// look considers one entry of the disk and says false when it is for the next round.
func (s *shipper) look(l *load, seq uint64, value []byte) bool {
	if _, ok := s.kept[seq]; ok {
		return true
	}
	r, err := decode(value)
	if err != nil { // it was sound when the file was opened
		s.o.log.Error("outbox: entry on disk is damaged, passed over", "number", seq, "err", err)
		return true
	}
	return s.take(l, cargo{record: r, seq: seq, size: len(value)})
}

// take loads an entry, or leaves it behind with all that follows of its stub.
func (s *shipper) take(l *load, c cargo) bool {
	stub := s.hash(c.stub)
	if _, ok := s.held[stub]; ok || s.lane(c.stream).blocked {
		s.held[stub] = struct{}{}
		return true
	}
	return l.add(c, stub)
}

func (s *shipper) hash(stub string) uint64 { return maphash.String(s.seed, stub) }

func (s *shipper) lane(stream string) *lane {
	l, ok := s.lanes[stream]
	if !ok {
		l = &lane{wait: s.o.backoff()}
		s.lanes[stream] = l
	}
	return l
}

// rewind begins a new pass.
func (s *shipper) rewind(now time.Time) {
	s.pos = 0
	clear(s.held)
	for _, l := range s.lanes {
		l.blocked = l.blocked && l.retry.After(now)
	}
}

// blockedUntil is the time at which the first stream that refuses entries is to be tried again.
func (s *shipper) blockedUntil() (first time.Time, any bool) {
	for _, l := range s.lanes {
		if l.blocked && (!any || l.retry.Before(first)) {
			first, any = l.retry, true
		}
	}
	return first, any
}

// idle asks after Redis now and then, so that its absence is known before it matters, and says how long to wait.
func (s *shipper) idle(ctx context.Context, now time.Time) time.Duration {
	until := s.probe
	if at, ok := s.blockedUntil(); ok {
		until = at
	} else if !s.probe.After(now) {
		s.ping(ctx, now)
		until = s.probe
	}
	if len(s.kept) > 0 && s.forget.Before(until) {
		until = s.forget
	}
	return max(min(until.Sub(now), math.MaxInt32*time.Millisecond), time.Millisecond)
}

func (s *shipper) ping(ctx context.Context, now time.Time) {
	ctx, cancel := s.o.cfg.Deadline(ctx)
	defer cancel()
	if err := s.o.link.Client().Ping(ctx).Err(); err != nil {
		s.down(err)
		s.probe = now.Add(s.o.cfg.Backoff)
		return
	}
	s.up(now)
}

// up notes that Redis takes entries.
func (s *shipper) up(now time.Time) {
	s.wait.reset()
	s.probe = now.Add(idleProbe)
	if !s.o.stats.redisUp.Swap(true) {
		s.o.log.Info("outbox: redis is there", "waiting", s.o.Stats().Waiting)
	}
}

// down notes that it does not.
func (s *shipper) down(err error) {
	text := link.Plain(err)
	s.o.stats.redisErr.Store(&text)
	if s.o.stats.redisUp.Swap(false) || s.wait.now == 0 && s.probe.IsZero() {
		s.o.log.Warn("outbox: redis does not take entries, they wait on disk", "err", text)
	}
}
