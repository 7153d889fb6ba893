package ua

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Guesses of passwords are counted by the user that they are for and by the host that they come from. After a few,
// each one more is followed by a pause in which no password of theirs is looked at, right or wrong, and twice as long
// as the one before. Where the user's own phone is registered from, its guesses are counted apart and the pauses are
// short: nobody else can lock that phone out.
const (
	freeGuesses  = 8
	longestPause = time.Minute
	shortPause   = 8 * time.Second
	guessLife    = time.Hour // after so long without one they are forgotten
)

// guesses are those of one key. Guarded by the table's mu.
type guesses struct {
	count       int
	last, until time.Time
}

// guessTable is bounded as the limiter is.
type guessTable struct {
	mu       sync.Mutex
	now, old map[string]guesses // guarded by mu
}

func newGuessTable() *guessTable { return &guessTable{now: map[string]guesses{}} }

// get is what there is of a key. Caller holds mu.
func (g *guessTable) get(now time.Time, key string) guesses {
	e, ok := g.now[key]
	if !ok {
		e = g.old[key]
	}
	if now.Sub(e.last) > guessLife {
		return guesses{}
	}
	return e
}

// pause is how long no password is looked at for any of these keys.
func (g *guessTable) pause(now time.Time, keys []string) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys {
		wait = max(wait, min(g.get(now, key).until.Sub(now), longestPause))
	}
	return wait
}

// wrong counts a guess, and says how long the pause after it is.
func (g *guessTable) wrong(now time.Time, keys []string, most time.Duration) (count int, pause time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, key := range keys {
		e := g.get(now, key)
		e.count, e.last = e.count+1, now
		if over := e.count - freeGuesses; over > 0 {
			pause = max(pause, min(time.Second<<min(over-1, 10), most))
			e.until = now.Add(pause)
		}
		count = max(count, e.count)
		if _, ok := g.now[key]; !ok && len(g.now) >= maxSources/2 {
			g.old, g.now = g.now, map[string]guesses{}
		}
		g.now[key] = e
	}
	return count, pause
}

// right forgets the wrong passwords of a phone that has shown the right one where it is at home.
func (g *guessTable) right(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.now, key)
	delete(g.old, key)
}

// guessKeys are those of a user's name and a host, and how long a pause may be.
func (u *UA) guessKeys(network, user string, from netip.Addr) (keys []string, most time.Duration) {
	if u.registrar.home(user, from) {
		return []string{"home " + user + " " + from.String()}, shortPause
	}
	return []string{"user " + network + " " + user, "host " + network + " " + from.String()}, longestPause
}

// guessed counts a wrong password. Names that are no user's are not written down: they are whatever a stranger likes.
func (u *UA) guessed(in *inbound, user string) {
	keys, most := u.guessKeys(in.flow.Network, user, in.flow.Remote.Addr())
	count, pause := u.guesses.wrong(u.now(), keys, most)
	if !u.origins.Load().user(in.flow.Network, user) {
		u.log.say(slog.LevelWarn, "wrong password or user", "network", in.flow.Network, "source", in.flow.Remote)
		return
	}
	u.log.of(slog.LevelWarn, "wrong password", user,
		"network", in.flow.Network, "source", in.flow.Remote, "user", user, "times", count, "pause", pause)
}

// home says whether a user's phone is registered from a host.
func (r *registrar) home(user string, from netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.users[user] {
		if rec.Flow.Remote.Addr() == from {
			return true
		}
	}
	return false
}
