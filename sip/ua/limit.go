package ua

import (
	"net/netip"
	"sync"
	"time"
)

// maxSources bounds the memory that a flood with forged addresses can take.
const maxSources = 8192

// limiter is a token bucket for each source address. When the table is full
// the old half is forgotten: a source that goes on sending is soon back in it.
type limiter struct {
	rate, burst float64

	mu       sync.Mutex
	now, old map[netip.Addr]bucket // guarded by mu
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(rate, burst int) *limiter {
	return &limiter{rate: float64(rate), burst: float64(burst), now: map[netip.Addr]bucket{}}
}

// take says whether a source may have cost more requests handled.
func (l *limiter) take(now time.Time, source netip.Addr, cost float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.now[source]
	if !ok {
		if b, ok = l.old[source]; !ok {
			b = bucket{l.burst, now}
		}
	}
	b.tokens = min(l.burst, b.tokens+max(0, now.Sub(b.at).Seconds())*l.rate)
	b.at = now
	allowed := b.tokens >= cost
	if allowed {
		b.tokens -= cost
	}
	l.keep(source, b)
	return allowed
}

func (l *limiter) keep(source netip.Addr, b bucket) {
	if _, ok := l.now[source]; !ok && len(l.now) >= maxSources/2 {
		l.old, l.now = l.now, make(map[netip.Addr]bucket, maxSources/2)
	}
	l.now[source] = b
}
