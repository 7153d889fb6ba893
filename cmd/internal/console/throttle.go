package console

import (
	"strings"
	"sync"
	"time"
)

// Of sign-ins that fail, those of one user, and those from one address, are slowed down: from the freeTries-th on each
// costs twice the time of the one before.
const (
	freeTries   = 4
	firstPause  = time.Second
	longest     = 5 * time.Minute  // for an address
	longestUser = 30 * time.Second // for a user from everywhere: nobody is locked out for long by somebody else
	forgotten   = 15 * time.Minute // after so long without a failure
	mostRecords = 4096             // of users and addresses; then whoever is not known waits
)

// userKey begins the keys of users, others are of addresses.
const userKey = "user "

// throttle counts sign-ins that failed. Guarded by mu.
type throttle struct {
	mu  sync.Mutex
	bad map[string]*failures
}

type failures struct {
	n    int
	last time.Time
}

// wait is how long somebody has to wait before the next try; 0: not at all.
func (t *throttle) wait(now time.Time, keys ...string) (longestWait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		f, ok := t.bad[k]
		switch {
		case ok:
			longestWait = max(longestWait, f.until(k).Sub(now))
		case len(t.bad) >= mostRecords:
			longestWait = max(longestWait, firstPause)
		}
	}
	return longestWait
}

func (f *failures) until(key string) time.Time {
	if f.n < freeTries {
		return time.Time{}
	}
	pause := firstPause << min(f.n-freeTries, 10)
	if strings.HasPrefix(key, userKey) {
		return f.last.Add(min(pause, longestUser))
	}
	return f.last.Add(min(pause, longest))
}

// failed counts one.
func (t *throttle) failed(now time.Time, keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bad == nil {
		t.bad = map[string]*failures{}
	}
	for k, f := range t.bad {
		if now.Sub(f.last) > forgotten {
			delete(t.bad, k)
		}
	}
	for _, k := range keys {
		f, ok := t.bad[k]
		if !ok {
			if len(t.bad) >= mostRecords {
				continue
			}
			f = &failures{}
			t.bad[k] = f
		}
		f.n++
		f.last = now
	}
}

// fine forgets the failures of somebody who has signed in.
func (t *throttle) fine(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bad, key)
}
