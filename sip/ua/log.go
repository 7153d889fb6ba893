package ua

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// limitedLog lets one line of each kind through per second and counts the rest, so
// that no sender can fill the log. It is never given a payload.
type limitedLog struct {
	log *slog.Logger

	mu sync.Mutex
	// guarded by mu; the keys are literals of this package, some with the name of a user of the config
	kinds map[string]*muted
}

type muted struct {
	until time.Time
	count int
}

func newLimitedLog(log *slog.Logger) *limitedLog {
	return &limitedLog{log: log, kinds: map[string]*muted{}}
}

func (q *limitedLog) say(level slog.Level, kind string, args ...any) {
	q.of(level, kind, "", args...)
}

// of says something of one user; each has a second of its own.
func (q *limitedLog) of(level slog.Level, kind, user string, args ...any) {
	suppressed, ok := q.pass(time.Now(), kind+user)
	if !ok {
		return
	}
	if suppressed > 0 {
		args = append(args, "suppressed", suppressed)
	}
	q.log.Log(context.Background(), level, kind, args...)
}

func (q *limitedLog) pass(now time.Time, kind string) (suppressed int, ok bool) {
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
