// Package ledger keeps the current state of every matter where ticket systems can read it: it follows the ticket
// streams, takes in what ticket systems send back, and leaves a hash per matter in Redis, see [matter.Key].
//
// Each switch that uses the same Redis runs one; one of them at a time holds the lease and does the work, so that the
// entries of a matter are taken in one after the other. When it dies the next takes over what it had not acknowledged.
// A step is committed by comparison, and its event id remembered with it, in one atomic script: a node that was only
// believed dead cannot do it again.
//
// An update that cannot be read, or that the life of the matter does not allow, goes to the stream [Dead] with a
// reason. Nothing here is on the way of a call.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"liandong/routing/category"
	"liandong/routing/hotspot"
	"liandong/routing/link"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// The streams of the way back, and who reads them.
const (
	Updates = "liandong:updates"      // ticket systems write here
	Dead    = "liandong:updates:dead" // what could not be taken in, with a reason
	Calls   = "liandong:calls"        // call events of the switches: best effort, and of a bounded number
	Group   = "liandong"              // the ledger's consumer group, on the updates and on the ticket streams
)

// Config of a ledger. Immutable.
type Config struct {
	link.Config // where Redis is

	Node       string        // this switch's name, unique among those that use the Redis
	Hotlines   []string      // whose ticket streams are in it
	Remote     []string      // those of them that stand at another switch, which raises their alarms
	OtherRedis OtherRedis    // the way to lines whose streams are in another Redis; nil: there is none
	Policy     matter.Policy // how long the steps may take

	KeepOpen   time.Duration // how long the hash of an open matter stays after the last change
	KeepClosed time.Duration // and of one that is closed
	Remember   time.Duration // how long Redis remembers what was written to Dead

	Trim Trim // how long the streams may get

	Zone      *time.Location // by which days and hours are counted
	Kinds     category.List  // of matters
	KeepDays  time.Duration  // how long the sums of a day stay
	KeepHours time.Duration  // and of an hour
	Hotspots  hotspot.Policy // how many reports about one place or person are raised

	Lease time.Duration // how long a node that has died is waited for
	Poll  time.Duration // between two looks when there is nothing to do
}

// Default is a Config for a Redis on this machine. Node and Hotlines are to be set.
func Default() Config {
	const day = 24 * time.Hour
	return Config{
		Config: link.Default(), Node: "liandong",
		Policy: matter.Policy{
			Limits: matter.Limits{FirstFeedback: 2 * time.Hour, Close: 2 * day},
			Alarms: matter.Alarms{Remind: 30 * time.Minute, Supervise: day, Recheck: 8 * time.Hour},
		},
		KeepOpen: 365 * day, KeepClosed: 90 * day, Remember: 7 * day,
		Lease: 10 * time.Second, Poll: 200 * time.Millisecond,
		Zone: time.Local, KeepDays: 400 * day, KeepHours: 40 * day,
		Hotspots: hotspot.Policy{Place: hotspot.Limits{Day: 3, Week: 5, Month: 10},
			Person: hotspot.Limits{Day: 3, Week: 5, Month: 10}},
	}
}

// Validate reports every error with its key.
func (c Config) Validate() error {
	errs := []error{c.Config.Validate()}
	check := func(ok bool, key, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("ledger: %s: %s", key, allowed))
		}
	}
	check(c.Node != "", "node", "must be set")
	check(c.KeepOpen >= time.Hour, "keep_open", "must be 1h or more")
	check(c.KeepClosed >= time.Hour, "keep_closed", "must be 1h or more")
	check(c.Trim.Age == 0 || c.Trim.Age >= time.Hour, "trim_age", "must be 1h or more, or 0")
	check(c.Trim.Entries >= 0, "trim_entries", "must be 0 or more")
	check(c.Remember >= time.Hour, "remember", "must be 1h or more")
	check(c.Zone != nil, "zone", "must be set")
	check(c.KeepDays >= time.Hour, "keep_days", "must be 1h or more")
	check(c.KeepHours >= time.Hour, "keep_hours", "must be 1h or more")
	check(c.Lease >= 100*time.Millisecond, "lease", "must be 100ms or more")
	check(c.Poll >= time.Millisecond, "poll", "must be 1ms or more")
	return errors.Join(errs...)
}

// Ledger keeps the books between Start and Stop.
type Ledger struct {
	cfg   Config
	log   *slog.Logger
	link  *link.Link
	read  *outbox.Reader
	lease lease
	stats counters

	tally tally

	countedAt time.Time     // the open matters; owned by runTally
	histories chan struct{} // holds a token for each that is read: whoever asks again and again waits for himself

	tickets, updates *outbox.Consumer  // owned by run; new with each lease
	began            time.Time         // immutable
	clock            steady            // owned by run
	failing          bool              // owned by run
	trimAt           time.Time         // owned by run
	ringAt           time.Time         // owned by run
	holders          map[string]string // stream → group that keeps it from being trimmed; owned by run

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// counters are what Stats reports. All fields are atomic.
type counters struct {
	leading       atomic.Bool
	applied, dead atomic.Uint64
	alarms        atomic.Uint64
	matters       atomic.Pointer[map[string]Amount]
}

// Stats is how the ledger stands.
type Stats struct {
	Leading bool   // this node does the work
	Applied uint64 // entries and updates taken in
	Dead    uint64 // updates that went to the dead stream
	Alarms  uint64 // reminders and the like that were written

	Matters map[string]Amount // by line; nil: not counted yet
}

// New makes a ledger that connects when it is started. Redis need not be there.
func New(cfg Config, log *slog.Logger) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, err := link.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	read, err := outbox.NewReader(outbox.Config{Config: cfg.Config})
	if err != nil {
		l.Close()
		return nil, err
	}
	return &Ledger{cfg: cfg, log: log, link: l, read: read, lease: newLease(cfg), holders: map[string]string{},
		began: time.Now(), histories: make(chan struct{}, 2)}, nil
}

// Start begins to work, as soon as the lease is free. Call it once.
func (l *Ledger) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() { l.run(ctx) })
	l.done.Go(func() { l.runTally(ctx) })
}

// Stop ends the work, gives the lease back and waits.
func (l *Ledger) Stop() {
	if l.cancel != nil {
		l.cancel()
	}
	link.Finish(l.done.Wait, l.read.Close, l.link.Close)
}

// Stats tells how the ledger stands.
func (l *Ledger) Stats() Stats {
	s := Stats{Leading: l.stats.leading.Load(), Applied: l.stats.applied.Load(), Dead: l.stats.dead.Load(),
		Alarms: l.stats.alarms.Load()}
	if m := l.stats.matters.Load(); m != nil {
		s.Matters = *m
	}
	return s
}

// streams are the ticket streams in this Redis.
func (l *Ledger) streams() (names []string) {
	for _, h := range l.cfg.Hotlines {
		names = append(names, ticket.StreamOf(h))
	}
	return names
}

// run works until ctx ends.
func (l *Ledger) run(ctx context.Context) {
	defer l.lease.release(l.link)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		worked, err := l.pass(ctx)
		if err != nil { // what is not acknowledged is to be read again; whether it is another Redis by now nobody knows
			l.tickets = nil
		}
		l.told(ctx, err)
		wait := l.cfg.Poll
		switch {
		case err != nil:
			wait = max(wait, time.Second)
		case worked > 0:
			wait = 0
		}
		timer.Reset(wait)
	}
}

// told logs the first failure of a row, and its end.
func (l *Ledger) told(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !l.failing:
		l.failing = true
		l.log.Warn("ledger: cannot keep the books, trying again", "err", link.Plain(err))
	case err == nil && l.failing:
		l.failing = false
		l.log.Info("ledger: keeps the books again")
	}
}

// pass does what there is to do, if this node holds the lease, and says how much it was.
func (l *Ledger) pass(ctx context.Context) (int, error) {
	renew := l.lease.renew
	held, fresh, err := l.lease.hold(ctx, l.link, time.Now())
	l.stats.leading.Store(held)
	switch {
	case err != nil || !held:
		return 0, err
	case fresh || l.tickets == nil:
		if err := l.takeOver(ctx); err != nil {
			return 0, err
		}
	case l.lease.renew != renew:
		l.rejoin()
	}
	return l.work(ctx)
}

// rejoin reads first what this node was given and has not acknowledged. Done with each renewal of the lease, it finds
// what a replica that took over has lost of the acknowledgements, though no command failed meanwhile.
func (l *Ledger) rejoin() {
	const batch = 100
	l.tickets = &outbox.Consumer{Group: Group, Name: l.cfg.Node, Streams: l.streams(), Count: batch}
	l.updates = &outbox.Consumer{Group: Group, Name: l.cfg.Node, Streams: []string{Updates}, Count: batch}
}

// takeOver gets hold of what whoever worked before has left undone. Nobody else works now, so nothing is too young.
func (l *Ledger) takeOver(ctx context.Context) error {
	all := append(l.streams(), Updates)
	if err := l.read.MakeGroup(ctx, Group, all...); err != nil {
		return err
	}
	if err := l.read.Claim(ctx, Group, l.cfg.Node, 0, all...); err != nil {
		return err
	}
	if err := l.indexAll(ctx); err != nil {
		return err
	}
	l.rejoin()
	l.log.Info("ledger: this node keeps the books", "node", l.cfg.Node)
	return nil
}

// work takes in entries first, then updates: what an update is about has been read before it. Alarms come last: what
// has happened needs none.
func (l *Ledger) work(ctx context.Context) (int, error) {
	entries, err := l.drain(ctx)
	if err != nil {
		return entries, err
	}
	n, err := l.each(ctx, l.updates, l.update)
	if err != nil {
		return entries + n, err
	}
	now := l.now()
	l.trim(ctx, now)
	return entries + n, l.ring(ctx, now)
}

// drain takes in all ticket entries there are.
func (l *Ledger) drain(ctx context.Context) (total int, err error) {
	for n := 1; n > 0 && err == nil; total += n {
		n, err = l.each(ctx, l.tickets, l.entry)
	}
	return total, err
}

// errLease says that another node may be at work by now.
var errLease = errors.New("ledger: the lease is gone")

// each takes in what a consumer is given, one after the other, and acknowledges each when it is on the books. After a
// failure everything that is not acknowledged is read again.
func (l *Ledger) each(ctx context.Context, c *outbox.Consumer, take func(context.Context, outbox.Message) error) (int,
	error) {
	if len(c.Streams) == 0 {
		return 0, nil
	}
	list, err := l.read.Next(ctx, c, 0)
	for i, m := range list {
		if err == nil && !l.lease.good(time.Now()) {
			err = errLease
		}
		if err == nil {
			err = take(ctx, m)
		}
		if err == nil {
			err = l.read.Ack(ctx, c.Group, m)
		}
		if err != nil {
			return i, err
		}
	}
	return len(list), err
}
