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

// queue is what waits for the writer: entries in the order of Put, and moves. Bounded by cost: when the disk does not
// keep up, the newest entry is refused, so that what was taken stays whole and in order.
type queue struct {
	max  int64
	wake chan struct{} // capacity 1: the writer has work

	mu      sync.Mutex
	items   []*item // guarded by mu
	cost    int64   // guarded by mu
	moves   []move  // guarded by mu
	asked   uint64  // moves that were asked for, ever; guarded by mu
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

// move asks the writer to move entries along with its next commit, and gives the number by which [queue.moved] knows
// that.
func (q *queue) move(list ...move) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.moves = append(q.moves, list...)
	q.asked += uint64(len(list))
	nudge(q.wake)
	return q.asked
}

// moved says up to which number moves are on disk.
func (q *queue) moved() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.asked - uint64(len(q.moves))
}

// next shows the writer its next commit, and leaves it in the queue.
func (q *queue) next(limit int) ([]*item, []move) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.items[:min(len(q.items), limit)]), slices.Clone(q.moves[:min(len(q.moves), limit)])
}

// written takes off the queue what is on disk now, whose newest entry is seq.
func (q *queue) written(items, moves int, seq uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items[:items] {
		q.cost -= it.cost()
	}
	q.items = slices.Delete(q.items, 0, items)
	q.moves = slices.Delete(q.moves, 0, moves)
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

// fails says whether the disk does.
func (q *queue) fails() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.failing
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
