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
	idleProbe    = 5 * time.Second
)

// shipper brings entries from the disk to Redis, in passes: a pass goes once through everything that waits, in order,
// and ends at the newest entry, where it goes on as entries come in. A new pass begins at the oldest entry whenever
// something has to be sent again. Owned by its goroutine.
type shipper struct {
	o     *Outbox
	done  <-chan struct{} // of run's context
	began time.Time
	lanes map[string]*lane // by stream

	pos  uint64              // this pass has looked at everything below
	held map[uint64]struct{} // hashes of stubs that this pass has left behind; bounded by what fits on disk
	seed maphash.Seed

	moving  map[uint64]uint64 // confirmed, and not yet moved on disk: number → see queue.moved
	inspect time.Time         // when to ask after what is kept, and let go of it
	goes    uint64            // the newest move of one that goes; the next are looked for when it is done
	from    uint64            // where that goes on
	waitAOF bool              // Redis may know WAITAOF
	proofs  chan []proof      // what was found out beside
	proving bool              // somebody is at it
	frail   []Frailty         // what was warned of last
	asked   bool              // what kind of Redis it is

	pause time.Time // Redis is away: no attempt before
	probe time.Time // when to ask an idle Redis whether it is there
	wait  backoff
	limit int // entries that the next round may carry: fewer when Redis is too slow to answer in time
}

// lane is the way to one stream.
type lane struct {
	chain   chain
	whole   bool // send the script's text: this Redis does not know its sum
	blocked bool // the stream refuses entries: until the next pass that begins after retry
	retry   time.Time
	wait    backoff

	server  string // run id and replication id; "": not known
	restore bool   // what is kept is to be compared with what Redis has, before anything else is sent
	back    bool   // found in that: the stream is another one, or an older state of it
	again   bool   // and once more when the disk has done what it was asked, since it failed meanwhile
	needs   replicas
	safe    bool          // what was confirmed before the last look is safe for longer than settle
	old     time.Duration // how old that has to be
	proof   proof         // of the last time that it took long to be told so
}

func newShipper(o *Outbox) *shipper {
	s := &shipper{
		o: o, lanes: map[string]*lane{}, held: map[uint64]struct{}{}, moving: map[uint64]uint64{},
		seed: maphash.MakeSeed(), wait: o.backoff(), limit: roundEntries, waitAOF: true, proofs: make(chan []proof, 1),
	}
	for stream, k := range o.disk.size().keptBy { // whatever has become of Redis since
		l := s.lane(stream)
		l.chain, l.restore = chain{id: k.id, told: k.told}, true
	}
	return s
}

// backoff for everything that has to do with Redis.
func (o *Outbox) backoff() backoff {
	return backoff{min: min(20*time.Millisecond, o.cfg.Backoff), max: o.cfg.Backoff}
}

// run ships until ctx ends.
func (s *shipper) run(ctx context.Context) {
	s.done, s.began = ctx.Done(), time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
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
	s.settleMoves()
	if wait := s.restoreLanes(ctx, now); wait > 0 {
		return wait
	}
	if !s.inspect.After(now) {
		s.look(ctx, now)
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
	l = newLoad(s.limit)
	newest, looked := s.o.queue.newest(), 0
	err = s.o.disk.scan(s.pos, func(seq uint64, value []byte) bool {
		looked++
		if more = looked > sweep || !s.consider(l, seq, value); !more {
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

// consider looks at one entry of the disk and says false when it is for the next round.
func (s *shipper) consider(l *load, seq uint64, value []byte) bool {
	if _, ok := s.moving[seq]; ok {
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
	if s.inspect.Before(until) {
		until = s.inspect
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

// down notes that it does not. What fails because this process ends says nothing of Redis.
func (s *shipper) down(err error) {
	select {
	case <-s.done:
		return
	default:
	}
	text := link.Plain(err)
	s.o.stats.redisErr.Store(&text)
	if s.o.stats.redisUp.Swap(false) || s.wait.now == 0 && s.probe.IsZero() {
		s.o.log.Warn("outbox: redis does not take entries, they wait on disk", "err", text)
	}
}
