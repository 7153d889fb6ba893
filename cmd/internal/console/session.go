package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"iter"
	"sync"
	"time"

	"liandong/sip/snapshot"
)

// Kept is where sessions outlive the process, and the time by which they go. All but Now may be nil: then they end with
// the process.
type Kept struct {
	Now func() time.Time
	Put func(key string, value []byte) // nil for a value: it is gone; must not block
	All iter.Seq2[string, []byte]      // as the process before has left them
}

// stored is a session as it is kept: nobody gets in by what stands there.
type stored struct {
	Name, Password, CSRF, Seat string
	Last                       time.Time
}

// session is somebody who has signed in, by the digest of his cookie. Guarded by the mu of sessions, but for what never
// changes.
type session struct {
	name     string // the user of the config; never changes
	password string // the digest of his hash when he signed in: with another one he signs in anew; never changes
	csrf     string // never changes
	seat     string // of a taker
	last     time.Time
	written  time.Time       // last as it is kept
	read     map[string]bool // the calls whose messages were read
}

// Bounds of sessions.
const (
	mostSessions = 2000
	mostOfOne    = 20 // of one user; the oldest is signed out
	mostRead     = 200
	writtenIn    = 8 // how often within the time of idle log-out it is written that somebody is there
)

// sessions are all who are signed in.
type sessions struct {
	put func(key string, value []byte) // nil: they end with the process, and people sign in anew

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

// restore takes sessions of the process before. One that cannot be read is gone: its owner signs in anew.
func (s *sessions) restore(list iter.Seq2[string, []byte]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, value := range list {
		var o stored
		id, err := base64.RawURLEncoding.DecodeString(key)
		if err != nil || len(id) != sha256.Size || snapshot.Decode(value, &o) != nil {
			s.put(key, nil)
			continue
		}
		s.all[[sha256.Size]byte(id)] = &session{name: o.Name, password: o.Password, csrf: o.CSRF, seat: o.Seat,
			last: o.Last, written: o.Last}
	}
}

// keep writes a session, or that it is gone. Caller holds mu.
func (s *sessions) keep(id [sha256.Size]byte) {
	if s.put == nil {
		return
	}
	var value []byte
	if o, ok := s.all[id]; ok {
		o.written = o.last
		// strings and a time always fit
		value, _ = snapshot.Encode(stored{o.name, o.password, o.csrf, o.seat, o.last})
	}
	s.put(base64.RawURLEncoding.EncodeToString(id[:]), value)
}

// forget ends a session. Caller holds mu.
func (s *sessions) forget(id [sha256.Size]byte) {
	delete(s.all, id)
	s.keep(id)
}

func digestOf(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return base64.RawURLEncoding.EncodeToString(sum[:])
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
	s.sweep(now, idle)
	s.makeRoom(name)
	if s.all == nil {
		s.all = map[[sha256.Size]byte]*session{}
	}
	id := sha256.Sum256([]byte(token))
	s.all[id] = &session{name: name, password: digestOf(password), csrf: secret(), seat: seat, last: now}
	s.keep(id)
	return token
}

// sweep signs out who has given no sign for too long. Caller holds mu.
func (s *sessions) sweep(now time.Time, idle time.Duration) {
	for id, o := range s.all {
		if now.Sub(o.last) > idle {
			s.forget(id)
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
		s.forget(id)
	}
	if n, id := oldest(func(*session) bool { return true }); n >= mostSessions {
		s.forget(id)
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
		s.forget(id)
		return session{}, false
	case active:
		if o.last = now; now.Sub(o.written) > idle/writtenIn {
			s.keep(id)
		}
	}
	return *o, true
}

// sit notes where a taker sits.
func (s *sessions) sit(token, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sha256.Sum256([]byte(token))
	if o, ok := s.all[id]; ok {
		o.seat = seat
		s.keep(id)
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
	s.forget(sha256.Sum256([]byte(token)))
}
