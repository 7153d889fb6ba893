package outbox

import (
	"log/slog"
	"slices"
	"sync"
)

// item is an entry on its way to the disk.
type item struct {
	name   slog.LogValuer // of the entry, without who called
	body   []byte
	done   func(error)
	held   bool // the disk refused it, which is logged once; owned by the writer
	landed bool // Redis has it, see queue.landed; guarded by queue.mu
}

// cost is what an item weighs in memory, near enough.
func (i *item) cost() int64 { return int64(len(i.body)) + 1024 }

// gone is an entry that may be deleted from the disk.
type gone struct {
	seq  uint64
	size int
}

// queue is what waits for the writer: entries in the order of Put, and deletions. Bounded by cost: when the disk does
// not keep up, the newest entry is refused, so that what was taken stays whole and in order.
type queue struct {
	max  int64
	wake chan struct{} // capacity 1: the writer has work

	mu      sync.Mutex
	items   []*item // guarded by mu
	cost    int64   // guarded by mu
	deletes []gone  // guarded by mu
	seq     uint64  // of the newest entry on disk; guarded by mu
	closed  bool    // guarded by mu
	failing bool    // the disk fails: the shipper may take from here; guarded by mu
}

func newQueue(max int64, seq uint64) *queue {
	return &queue{max: max, seq: seq, wake: make(chan struct{}, 1)}
}

func (q *queue) push(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.cost+it.cost() > q.max {
		return ErrFull
	}
	q.items = append(q.items, it)
	q.cost += it.cost()
	nudge(q.wake)
	return nil
}

// delete asks the writer to take entries off the disk along with its next commit.
func (q *queue) delete(g []gone) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deletes = append(q.deletes, g...)
	nudge(q.wake)
}

// deleting says that the writer has not yet done all that it was asked to delete.
func (q *queue) deleting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.deletes) > 0
}

// next shows the writer its next commit, and leaves it in the queue.
func (q *queue) next(limit int) ([]*item, []gone) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.items[:min(len(q.items), limit)]), slices.Clone(q.deletes[:min(len(q.deletes), limit)])
}

// written takes off the queue what is on disk now, whose newest entry is seq.
func (q *queue) written(items, deletes int, seq uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items[:items] {
		q.cost -= it.cost()
	}
	q.items = slices.Delete(q.items, 0, items)
	q.deletes = slices.Delete(q.deletes, 0, deletes)
	q.seq = seq
}

// takeLanded takes off the queue what Redis has got straight from memory.
func (q *queue) takeLanded() (landed []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = slices.DeleteFunc(q.items, func(it *item) bool {
		if it.landed {
			landed = append(landed, it)
			q.cost -= it.cost()
		}
		return it.landed
	})
	return landed
}

// fail says whether the disk takes entries.
func (q *queue) fail(failing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = failing
}

// newest is the number of the newest entry on disk.
func (q *queue) newest() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.seq
}

// bypass shows the shipper what a failing disk keeps from it, in order; nothing unless everything on disk lies below
// pos, since that comes first.
func (q *queue) bypass(pos uint64) (items []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.failing || q.seq >= pos {
		return nil
	}
	for _, it := range q.items {
		if !it.landed {
			items = append(items, it)
		}
	}
	return items
}

// landed marks entries that Redis has; the writer takes them off.
func (q *queue) landed(items []*item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range items {
		it.landed = true
	}
	nudge(q.wake)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// clear empties the queue.
func (q *queue) clear() []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items, q.cost = nil, 0
	return items
}

func (q *queue) size() (entries, cost int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(len(q.items)), q.cost
}
