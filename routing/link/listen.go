package link

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	quiet = 10 * time.Second       // a subscription that says nothing for so long is asked whether it is there
	pause = 500 * time.Millisecond // after one that has ended
)

// Hearing is what Listen tells of a channel, on one goroutine.
type Hearing struct {
	Joined func()               // it is heard from now on; what was said before may have been missed
	Heard  func(payload string) // a message
	Deaf   func(err error)      // it is heard no more, until Joined comes again
}

// Listen hears a channel until ctx ends, by one subscription after the other.
func (l *Link) Listen(ctx context.Context, channel string, h Hearing) {
	for ctx.Err() == nil {
		if err := l.hear(ctx, channel, h); ctx.Err() == nil {
			h.Deaf(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// hear is one subscription.
func (l *Link) hear(ctx context.Context, channel string, h Hearing) error {
	sub := l.Client().Subscribe(ctx, channel)
	defer sub.Close()
	for asked := false; ; {
		got, err := sub.ReceiveTimeout(ctx, quiet)
		switch {
		case err == nil:
			asked = false
		case ctx.Err() != nil || asked:
			return err
		default: // it has been quiet, or has ended
			if err := sub.Ping(ctx); err != nil {
				return fmt.Errorf("link: %w", err)
			}
			asked = true
		}
		switch m := got.(type) {
		case *redis.Subscription:
			h.Joined()
		case *redis.Message:
			h.Heard(m.Payload)
		}
	}
}
