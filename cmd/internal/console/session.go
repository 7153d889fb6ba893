package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

// session is somebody who has signed in, by the digest of his cookie. Guarded by the mu of sessions, but for what never
// changes.
type session struct {
	name     string // the user of the config; never changes
	password string // his hash when he signed in: with another one he signs in anew; never changes
	csrf     string // never changes
	seat     string // of a taker
	last     time.Time
	read     map[string]bool // the calls whose messages were read
}

// Bounds of sessions.
const (
	mostSessions = 2000
	mostOfOne    = 20 // of one user; the oldest is signed out
	mostRead     = 200
)

// sessions are all who are signed in. They end with the process: people sign in anew.
type sessions struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

// secret is 256 bits that nobody guesses.
func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, crypto/rand says
	return base64.RawURLEncoding.EncodeToString(b)
}

// begin signs somebody in, and returns the value of his cookie.
func (s *sessions) begin(name, password, seat string, now time.Time, idle time.Duration) string {
	token := secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[[sha256.Size]byte]*session{}
	}
	s.sweep(now, idle)
	s.makeRoom(name)
	s.all[sha256.Sum256([]byte(token))] = &session{name: name, password: password, csrf: secret(), seat: seat,
		last: now}
	return token
}

// sweep signs out who has given no sign for too long. Caller holds mu.
func (s *sessions) sweep(now time.Time, idle time.Duration) {
	for id, o := range s.all {
		if now.Sub(o.last) > idle {
			delete(s.all, id)
		}
	}
}

// makeRoom signs out the oldest of a user who has too many, or of all. Caller holds mu.
func (s *sessions) makeRoom(name string) {
	oldest := func(of func(*session) bool) (n int, id [sha256.Size]byte) {
		var last time.Time
		for k, o := range s.all {
			if of(o) {
				if n++; n == 1 || o.last.Before(last) {
					id, last = k, o.last
				}
			}
		}
		return n, id
	}
	if n, id := oldest(func(o *session) bool { return o.name == name }); n >= mostOfOne {
		delete(s.all, id)
	}
	if n, id := oldest(func(*session) bool { return true }); n >= mostSessions {
		delete(s.all, id)
	}
}

// find is the session of a cookie; active: its owner is there. false: he is not, or no longer, signed in.
func (s *sessions) find(token string, now time.Time, idle time.Duration, active bool) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sha256.Sum256([]byte(token))
	o, ok := s.all[id]
	switch {
	case !ok:
		return session{}, false
	case now.Sub(o.last) > idle:
		delete(s.all, id)
		return session{}, false
	case active:
		o.last = now
	}
	return *o, true
}

// sit notes where a taker sits.
func (s *sessions) sit(token, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.all[sha256.Sum256([]byte(token))]; ok {
		o.seat = seat
	}
}

// reads notes that somebody reads a call's messages; false: he has read them before. Of very many calls it is
// forgotten.
func (s *sessions) reads(token, ref string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.all[sha256.Sum256([]byte(token))]
	if !ok || o.read[ref] {
		return !ok
	}
	if o.read == nil || len(o.read) >= mostRead {
		o.read = map[string]bool{}
	}
	o.read[ref] = true
	return true
}

// end signs somebody out.
func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(token)))
}
