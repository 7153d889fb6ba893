package outbox

import (
	"math/rand/v2"
	"time"
)

// backoff doubles the wait from attempt to attempt, with a little chance in it so that several switches do not knock
// on a recovering Redis in step.
type backoff struct {
	min, max time.Duration
	now      time.Duration
}

func (b *backoff) next() time.Duration {
	b.now = min(max(2*b.now, b.min), b.max)
	return b.now - rand.N(b.now/4+1)
}

func (b *backoff) reset() { b.now = 0 }
