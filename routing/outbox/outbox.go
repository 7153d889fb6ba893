// Package outbox takes ticket entries off a call's hands and brings each to its Redis stream, whatever happens to
// Redis, the disk or this process in the meantime: [Outbox.Put] returns at once, done is called when the entry is on
// disk, and from there it is shipped in the background.
//
// What consumers may rely on, and how it comes about:
//
//   - Nothing is lost. An entry leaves the disk when Redis has it safely: on disk (WAITAOF, or an append-only file that
//     was synced since) and at all its replicas (WAIT); else after [Config.Keep]. When Redis is another one, or comes
//     back without entries that it had confirmed, what it lacks is shipped again. See restore.go.
//   - Nothing comes twice. One script asks the set of seen event ids and appends to the stream in one atomic step, so
//     a delivery whose answer was lost can be repeated. Ids are remembered for [Config.Remember].
//   - Nothing overtakes within a matter. Entries of a stub are shipped in the order of Put; where a stream refuses
//     entries, later ones of the same stubs wait, even for other streams.
//
// Entries hold callers' numbers. They are in the file (mode 0600) and in Redis, never in a log line or an error.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"liandong/routing/link"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

// Errors that done may be called with.
var (
	ErrFull   = errors.New("outbox: no room")       // neither on disk nor in memory
	ErrClosed = errors.New("outbox: closed")        // Put after Stop, or Stop while the disk failed
	ErrEntry  = errors.New("outbox: entry refused") // it cannot be sent at all, see ticket.Entry.Deliverable
)

// Outbox is the durable queue. Its methods are safe for use by several goroutines.
type Outbox struct {
	cfg   Config
	log   *slog.Logger
	disk  store
	queue *queue
	link  *link.Link
	calls *eventSender
	stats counters

	follower atomic.Pointer[Follower] // nil: nobody follows

	fresh  chan struct{} // capacity 1: there is something new to ship
	cancel context.CancelFunc
	ships  sync.WaitGroup // shipper and event sender
	proofs sync.WaitGroup // who asks beside the shipper; waited for when the link has closed
	writes sync.WaitGroup // writer
	finish chan struct{}  // closed when the writer shall do its last round
	once   sync.Once
}

// Open opens the file of cfg.Path, or makes it. A file that is damaged is put aside under another name, which is
// logged and told in [Stats.PutAside]; what can be read of it is taken over. Redis need not be there.
func Open(cfg Config, log *slog.Logger) (*Outbox, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, err := link.New(cfg.Config)
	if err != nil {
		return nil, err
	}
	d, err := openDisk(cfg.Path, cfg.MaxBytes, log)
	if err != nil {
		l.Close()
		return nil, err
	}
	return assemble(cfg, log, d, l), nil
}

func assemble(cfg Config, log *slog.Logger, d store, l *link.Link) *Outbox {
	o := &Outbox{
		cfg: cfg, log: log, disk: d, link: l,
		queue:  newQueue(cfg.MaxMemory, d.last()),
		calls:  newEventSender(cfg, l, log),
		fresh:  make(chan struct{}, 1),
		finish: make(chan struct{}),
	}
	o.stats.diskUp.Store(true)
	o.stats.unshipped.Store(d.size().entries)
	return o
}

// Start begins to write and to ship. Call it once.
func (o *Outbox) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.writes.Go(newWriter(o).run)
	o.ships.Go(func() { newShipper(o).run(ctx) })
	o.ships.Go(func() { o.calls.run(ctx) })
}

// Stop brings what was Put to disk, ends the shipping, closes the file and waits for all of it. What Redis does not
// have yet is shipped after the next Start.
func (o *Outbox) Stop() {
	o.once.Do(func() {
		o.queue.close()
		if o.cancel != nil {
			o.cancel()
		}
		link.Finish(o.ships.Wait, o.link.Close)
		close(o.finish)
		o.writes.Wait()
		o.abandon()
		o.proofs.Wait() // whose connections have ended
		if err := o.disk.close(); err != nil {
			o.log.Error("outbox: cannot close the file", "err", err)
		}
	})
}

// abandon tells the owners of entries that no disk has taken that they are lost.
func (o *Outbox) abandon() {
	for _, it := range o.queue.clear() {
		o.drop(it.name, it.done, ErrClosed)
	}
}

// Put takes an entry. It never waits for disk or Redis. done is called once, on the outbox's own goroutine and so
// must not block: with nil when the entry is on disk (or in Redis already, when the disk has failed). When the entry
// cannot be taken, done is called with the error before Put returns, and the loss is counted and logged with its stub.
// An empty EventID or At is filled in; done may be nil.
func (o *Outbox) Put(e ticket.Entry, done func(error)) {
	complete(&e)
	if err := e.Deliverable(); err != nil {
		o.drop(e, done, errors.Join(ErrEntry, err))
		return
	}
	if err := e.Validate(); err != nil { // an imperfect entry is better than none
		o.stats.imperfect.Add(1)
		o.log.Warn("outbox: entry is not as it should be", "entry", e, "err", err)
	}
	o.push(&item{name: e, body: encode(recordOf(e)), done: done})
}

// Forward takes a line of a matter for any stream, as [Outbox.Put] takes an entry: it is shipped in order with what
// else there is of the stub, and once, by its id. One without stream, stub or id is refused.
func (o *Outbox) Forward(stream, stub string, l Line, done func(error)) {
	r := record{stream: stream, stub: stub, id: l.ID, fields: l.Fields}
	if stream == "" || stub == "" || l.ID == "" || len(l.Fields) == 0 || len(l.Fields)%2 != 0 {
		o.drop(r, done, ErrEntry)
		return
	}
	o.push(&item{name: r, body: encode(r), done: done})
}

func (o *Outbox) push(it *item) {
	if err := o.queue.push(it); err != nil {
		o.drop(it.name, it.done, err)
	}
}

// complete fills in what a caller may leave out.
func complete(e *ticket.Entry) {
	now := time.Now()
	if e.At.IsZero() {
		e.At = now
	}
	if e.EventID == "" {
		e.EventID = ids.New(now)
	}
}

// drop is the one way in which an entry is lost, and never a silent one.
func (o *Outbox) drop(e slog.LogValuer, done func(error), err error) {
	o.stats.dropped.Add(1)
	o.log.Error("outbox: entry lost", "entry", e, "err", err)
	if done != nil {
		done(err)
	}
}

// Publish sends a call event for screen pop and wallboards, best effort: it never waits, is not written to disk, and
// while Redis is away the oldest events are dropped and counted. The fields are only read.
func (o *Outbox) Publish(stream string, fields news.Fields) { o.calls.publish(stream, fields) }

// wake tells the shipper that there may be something to do.
func (o *Outbox) wake() { nudge(o.fresh) }

// nudge leaves a note that somebody reads later; one note is enough.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// counters are what Stats reports. All fields are atomic.
type counters struct {
	written, shipped, repeated, revived     atomic.Uint64
	dropped, imperfect, diskErrors, commits atomic.Uint64
	unshipped                               atomic.Int64 // on disk, and Redis does not have it
	diskUp, redisUp                         atomic.Bool
	keeps                                   atomic.Bool // Redis keeps what it is given, as far as it says
	diskErr, redisErr                       atomic.Pointer[string]
}
