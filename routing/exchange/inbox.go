package exchange

import "sync"

// inboxRoom is how many inputs may wait for a busy call. A call sees some
// dozens of messages in all; more than this is a flood or a stuck actor.
const inboxRoom = 256

// inbox is a bounded queue into one goroutine, a call's or the publisher's.
// Inputs that end things always find room: a caller's hang-up must get through
// whatever else is queued. Guarded by mu.
type inbox[T any] struct {
	room   int
	mu     sync.Mutex
	queue  []T
	closed bool
	ready  chan struct{} // holds a token while the queue is not empty
}

func newInbox[T any](room int) *inbox[T] { return &inbox[T]{room: room, ready: make(chan struct{}, 1)} }

// put adds an input; false when there is no room or nobody to take it.
func (b *inbox[T]) put(in T, always bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !always && len(b.queue) >= b.room {
		return false
	}
	b.queue = append(b.queue, in)
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// full says that only what ends things finds room.
func (b *inbox[T]) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) >= b.room
}

// take empties the queue, in order.
func (b *inbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.queue
	b.queue = nil
	return all
}

// close refuses everything from now on and returns what was left.
func (b *inbox[T]) close() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := b.queue
	b.queue = nil
	return left
}
