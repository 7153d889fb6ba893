package api

import (
	"sync"
	"time"
)

// sameKey is how long a request that comes again counts as the same key press:
// phones call an action URL twice when the first answer is slow, and on press and
// release of one key.
const sameKey = 2 * time.Second

// once lets each key press act once. Guarded by mu.
type once struct {
	mu   sync.Mutex
	last map[string]*pressed // by user: the key pressed last
}

// pressed is one key press. Immutable but for err, which ready guards.
type pressed struct {
	what  string
	at    time.Time
	ready chan struct{} // closed when err is there
	err   error
}

// do acts, unless what is the user's last key press and not older than sameKey:
// then the answer to that is the answer to this. What has failed may be tried
// again at once.
func (o *once) do(now time.Time, user, what string, act func() error) error {
	p, fresh := o.take(now, user, what)
	if !fresh {
		<-p.ready
		return p.err
	}
	defer close(p.ready)
	if p.err = act(); p.err != nil {
		o.forget(user, p)
	}
	return p.err
}

func (o *once) take(now time.Time, user, what string) (p *pressed, fresh bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.last[user]; p != nil && p.what == what && now.Sub(p.at) < sameKey {
		return p, false
	}
	if o.last == nil {
		o.last = map[string]*pressed{}
	}
	for user, p := range o.last {
		if now.Sub(p.at) >= sameKey {
			delete(o.last, user)
		}
	}
	p = &pressed{what: what, at: now, ready: make(chan struct{})}
	o.last[user] = p
	return p, true
}

func (o *once) forget(user string, p *pressed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last[user] == p {
		delete(o.last, user)
	}
}
