package ua

import (
	"strings"
	"sync"
	"time"
)

const (
	maxReplies = 4096
	replyLife  = 32 * time.Second // 64·T1, as long as a UDP client repeats itself
)

// replies keeps the last answers to REGISTER. They are the one stateless answer
// that must not be worked out twice: the digest of a retransmission would count
// as a replay.
type replies struct {
	mu       sync.Mutex
	now, old map[string]reply // guarded by mu; old is forgotten when now is full
}

type reply struct {
	data []byte
	at   time.Time
}

func newReplies() *replies { return &replies{now: map[string]reply{}} }

// replyKey: a copy of the request is the same in all of this (RFC 3261 §17.2.3).
func replyKey(in *inbound) string {
	return strings.Join([]string{in.flow.Remote.String(), in.echo.via[0], in.echo.from, in.echo.callID, in.echo.cseq},
		"\n")
}

func (r *replies) get(now time.Time, key string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.now[key]
	if !ok {
		e, ok = r.old[key]
	}
	return e.data, ok && now.Sub(e.at) < replyLife
}

func (r *replies) put(now time.Time, key string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.now) >= maxReplies/2 {
		r.old, r.now = r.now, map[string]reply{}
	}
	r.now[key] = reply{data, now}
}
