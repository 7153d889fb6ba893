package outbox

import "time"

// Stats is how the outbox stands.
type Stats struct {
	Waiting     int64 // entries that Redis does not have yet, on disk or in memory
	OnDisk      int64 // entries in the file, with those that are kept
	Kept        int64 // entries that Redis has confirmed, and that stay until it has them safely
	Bytes       int64 // of OnDisk
	MaxBytes    int64
	Room        int64 // bytes of entries that the file can still take, by its limit and by the file system
	InMemory    int64 // entries that are not on disk yet; large while the disk fails
	MemoryBytes int64

	Written   uint64 // entries brought to disk
	Commits   uint64 // in so many transactions
	Shipped   uint64 // entries appended to a stream
	Repeated  uint64 // deliveries that Redis had already seen
	Revived   uint64 // entries that Redis confirmed, lost, and was sent again
	Dropped   uint64 // entries lost; each is logged with its stub
	Imperfect uint64 // entries sent although a field is not as it should be

	EventsSent, EventsDropped uint64 // call events, see Publish

	DiskUp     bool
	DiskErrors uint64
	DiskError  string // the last one
	RedisUp    bool
	RedisError string // the last one
	RedisKeeps bool   // it says that it keeps what it is given, over its own end
	PutAside   string // the damaged file that Open has renamed, if any

	// entries that were on disk, were not confirmed, and were not there when the file was opened
	Missing                int64
	MissingFrom, MissingTo time.Time
}

// Stats tells how the outbox stands.
func (o *Outbox) Stats() Stats {
	c := &o.stats
	inMemory, cost := o.queue.size() // first: an entry that moves on meanwhile counts twice rather than not at all
	waiting := c.unshipped.Load() + inMemory
	d := o.disk.size()
	s := Stats{
		Waiting: waiting, InMemory: inMemory, MemoryBytes: cost,
		OnDisk: d.entries + d.kept, Kept: d.kept, Bytes: d.bytes + d.keptBytes, MaxBytes: o.cfg.MaxBytes, Room: d.room,
		PutAside: d.putAside, Missing: d.lost.entries, MissingFrom: d.lost.from, MissingTo: d.lost.to,
		Written: c.written.Load(), Commits: c.commits.Load(), Shipped: c.shipped.Load(), Repeated: c.repeated.Load(),
		Revived: c.revived.Load(), Dropped: c.dropped.Load(), Imperfect: c.imperfect.Load(),
		DiskUp: c.diskUp.Load(), DiskErrors: c.diskErrors.Load(), DiskError: deref(c.diskErr.Load()),
		RedisKeeps: c.keeps.Load(), RedisUp: c.redisUp.Load(), RedisError: deref(c.redisErr.Load()),
	}
	s.EventsSent, s.EventsDropped = o.calls.sent.Load(), o.calls.dropped.Load()
	return s
}

// Free is the part of MaxBytes that the file can still take: 1 when it is empty, 0 when it is full. It falls below 1
// also when the file system has less room than MaxBytes promises.
func (s Stats) Free() float64 { return float64(s.Room) / float64(s.MaxBytes) }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
