package phone

import (
	"context"
	"sync"
)

// board is facts behind a lock that others may wait for.
type board struct {
	mu      sync.Mutex
	changed chan struct{} // made by a waiter, closed by touch; guarded by mu
}

// touch wakes the waiters; mu is held.
func (b *board) touch() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// wait returns when ok says true; ok runs with mu held, at each change.
func (b *board) wait(ctx context.Context, ok func() bool) error {
	for {
		b.mu.Lock()
		if ok() {
			b.mu.Unlock()
			return nil
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
