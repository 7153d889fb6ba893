package ua

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet lets one line of each kind through per second and counts the rest, so
// that no sender can fill the log. It is never given a payload.
type quiet struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*muted // guarded by mu; the keys are literals of this package
}

type muted struct {
	until time.Time
	count int
}

func newQuiet(log *slog.Logger) *quiet {
	return &quiet{log: log, kinds: map[string]*muted{}}
}

func (q *quiet) say(level slog.Level, kind string, args ...any) {
	suppressed, ok := q.pass(time.Now(), kind)
	if !ok {
		return
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	q.log.Log(context.Background(), level, kind, args...)
}

func (q *quiet) pass(now time.Time, kind string) (suppressed int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m := q.kinds[kind]
	if m == nil {
		m = &muted{}
		q.kinds[kind] = m
	}
	if now.Before(m.until) {
		m.count++
		return 0, false
	}
	suppressed, m.count, m.until = m.count, 0, now.Add(time.Second)
	return suppressed, true
}
