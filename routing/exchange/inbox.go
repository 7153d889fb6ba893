package exchange

import "sync"

// inboxRoom is how many inputs may wait for a busy call. A call sees some
// dozens of messages in all; more than this is a flood or a stuck actor.
const inboxRoom = 256

// inbox is a bounded queue into one call. Inputs that end things always find
// room: a caller's hang-up must get through whatever else is queued. Guarded
// by mu.
type inbox struct {
	mu     sync.Mutex
	queue  []input
	closed bool
	ready  chan struct{} // holds a token while the queue is not empty
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

// put adds an input; false when there is no room or nobody to take it.
func (b *inbox) put(in input, always bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !always && len(b.queue) >= inboxRoom {
		return false
	}
	b.queue = append(b.queue, in)
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return true
}

// take empties the queue, in order.
func (b *inbox) take() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.queue
	b.queue = nil
	return all
}

// close refuses everything from now on and returns what was left.
func (b *inbox) close() []input {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	left := b.queue
	b.queue = nil
	return left
}
