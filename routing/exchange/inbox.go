package exchange

import (
	"sync"

	"liandong/sip/admission"
)

// inboxRoom is how many inputs may wait for a busy call. A call sees some
// dozens of messages in all; more than this is a flood or a stuck actor.
const inboxRoom = 256

// inboxKept is for how many inputs a call keeps room.
const inboxKept = 8

// urgency is how an input finds room in a queue.
type urgency uint8

const (
	usual  urgency = iota // while there is room
	ending                // it may end a call or a transaction: four times as long
	own                   // the switch's own: there are no more than it makes
)

// inbox is a bounded queue into one goroutine, a call's or the subscriptions'.
// Inputs that end things find room for longer: a caller's hang-up must get through
// whatever else is queued. Guarded by mu.
type inbox[T any] struct {
	room   int
	mu     sync.Mutex
	queue  []T
	taken  []T // its room is for the queue when its owner is done
	closed bool
	ready  chan struct{} // holds a token while the queue is not empty, or, with a turn, when that has come

	turn  *admission.Turn // in which the queue is worked on; nil: at any time
	asked bool            // it is waited for, or had
}

func newInbox[T any](room int) *inbox[T] { return &inbox[T]{room: room, ready: make(chan struct{}, 1)} }

// inTurn is an inbox that queues for a turn of admission when an input arrives, and not when its goroutine wakes: an
// urgent input would wait unseen.
func inTurn[T any](room int, turn *admission.Turn) *inbox[T] {
	return &inbox[T]{room: room, ready: turn.Came, turn: turn}
}

// wake: caller holds mu.
func (b *inbox[T]) wake() {
	if b.turn != nil {
		if !b.asked {
			b.asked = true
			b.turn.Ask()
		}
		return
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// done gives the turn back, and asks for another when more has come meanwhile.
func (b *inbox[T]) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn.Give()
	if clear(b.taken); b.queue == nil && cap(b.taken) <= inboxKept {
		b.queue = b.taken[:0]
	}
	b.taken = nil
	if b.asked = len(b.queue) > 0; b.asked {
		b.turn.Ask()
	}
}

// leave gives up the turn that is waited for, when nobody will come for it.
func (b *inbox[T]) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked {
		b.turn.Drop()
	}
	b.turn, b.asked = nil, false
}

// put adds an input; false when there is no room or nobody to take it.
func (b *inbox[T]) put(in T, u urgency) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.queue)
	if b.closed || u == usual && n >= b.room || u == ending && n >= 4*b.room {
		return false
	}
	b.queue = append(b.queue, in)
	b.wake()
	return true
}

// first puts an input before all that wait, which comes of the inbox's own owner.
func (b *inbox[T]) first(in T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append([]T{in}, b.queue...)
	b.wake()
}

// full says that only what ends things finds room.
func (b *inbox[T]) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) >= b.room
}

// take empties the queue, in order. What is given in a turn is good until done.
func (b *inbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.queue
	if b.queue = nil; b.turn != nil {
		b.taken = all
	}
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
