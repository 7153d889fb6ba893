// Package auth proves who a phone is (digest access authentication, RFC 3261
// §22 with RFC 8760), and answers the challenges of trunks that want to know
// who we are. It reads no clock: the time is an argument.
package auth

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"

	"liandong/sip/header"
)

// What Verify may say. ErrStale and ErrReplay ask for another try with a new
// nonce; ErrDenied does not.
var (
	ErrMissing = errors.New("auth: no usable credentials")
	ErrStale   = errors.New("auth: the nonce has expired")
	ErrReplay  = errors.New("auth: the nonce was used like this before")
	ErrDenied  = errors.New("auth: wrong user or password")
)

// Algorithms that are offered, the stronger first: RFC 8760 §2.3, in the order
// that the server prefers, as a client takes the topmost one it knows (§2.4).
// Some older phones stop at the first that they do not know: those are to be
// offered MD5 alone.
const (
	SHA256 = "SHA-256"
	MD5    = "MD5"
)

var algorithms = []string{SHA256, MD5}

// Config of a server.
type Config struct {
	Realm  string
	Secret []byte        // signs nonces; empty: random, so nonces end with the process
	Life   time.Duration // of a nonce
	Nonces int           // how many used nonces are remembered against replay

	// Keep is told what a process after this one has to know to go on: the count that a nonce was used by last, or
	// that it is [Forgotten]; of the nonce "" the time before which all are. It must not block. nil: nobody wants to
	// know.
	Keep func(nonce string, count int64)
}

// Forgotten is the count of a nonce that needs no memory any more.
const Forgotten = -1

// Default is the configuration for a realm.
func Default(realm string) Config {
	return Config{Realm: realm, Life: 5 * time.Minute, Nonces: 65536}
}

// Server challenges and verifies. Nonces carry their own time and signature,
// so a challenge costs no memory; only nonces that were used with success are
// remembered, at most Config.Nonces of them. Time does not go back for it, whatever the clock does: a nonce is never
// older than one that was made before. Safe for use by several goroutines.
type Server struct {
	cfg Config

	mu     sync.Mutex
	used   map[string]int // guarded by mu: nonce → highest nc seen
	ring   []string       // guarded by mu: the nonces of used, oldest at next
	next   int            // guarded by mu
	latest int64          // guarded by mu: the latest time there was; nonces have one each
	floor  int64          // guarded by mu: nonces of this time and before have been forgotten; 0: none was made yet
}

// NewServer makes a server.
func NewServer(cfg Config) *Server {
	if len(cfg.Secret) == 0 {
		cfg.Secret = make([]byte, 32)
		_, _ = rand.Read(cfg.Secret) // never fails, crypto/rand says
	}
	return &Server{cfg: cfg, used: map[string]int{}, ring: make([]string, max(cfg.Nonces, 1))}
}

// Challenge is one WWW-Authenticate for each algorithm, or for those named
// only. stale tells the phone that its password was not the trouble.
func (s *Server) Challenge(now time.Time, stale bool, only ...string) []header.Field {
	if len(only) == 0 {
		only = algorithms
	}
	nonce := s.nonce(s.begin(now))
	fields := make([]header.Field, 0, len(only))
	for _, a := range only {
		c := digest.Challenge{Realm: s.cfg.Realm, Nonce: nonce, Algorithm: a, QOP: []string{"auth"}, Stale: stale}
		fields = append(fields, header.Field{Name: "WWW-Authenticate", Value: c.String()})
	}
	return fields
}

// Passwords gives the password of a user who may prove it by an algorithm.
type Passwords func(user, algorithm string) (password string, ok bool)

// Verify checks an Authorization value. The
// digest covers the URI that the phone names in it; that this is where the
// request went is for the caller to say (phones rewrite it, so nobody does).
func (s *Server) Verify(now time.Time, method, authorization string, lookup Passwords) (user string, err error) {
	if len(authorization) > 2048 {
		return "", ErrMissing
	}
	c, err := parseCredentials(authorization)
	if err != nil || c.Realm != s.cfg.Realm || !offered(c) {
		return "", ErrMissing
	}
	if err := s.check(now, c.Nonce); err != nil {
		return "", err
	}
	password, known := lookup(c.Username, algorithmOf(c))
	if !matches(c, method, password) || !known {
		return "", ErrDenied
	}
	if err := s.use(c); err != nil {
		return "", err
	}
	return c.Username, nil
}

func algorithmOf(c *digest.Credentials) string {
	if strings.EqualFold(c.Algorithm, SHA256) {
		return SHA256
	}
	return MD5
}

// offered tells whether the digest is of a kind that Challenge asks for, or the
// old one of RFC 2069: MD5 without qop (RFC 3261 §22.4 item 8).
func offered(c *digest.Credentials) bool {
	old := c.Algorithm == "" || strings.EqualFold(c.Algorithm, "MD5")
	return c.QOP == "auth" && (old || strings.EqualFold(c.Algorithm, "SHA-256")) || c.QOP == "" && old
}

// matches recomputes the response. An unknown user costs the same time.
func matches(c *digest.Credentials, method, password string) bool {
	if c.QOP == "auth" && (c.Cnonce == "" || c.Nc < 1) {
		return false
	}
	chal := &digest.Challenge{Realm: c.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm}
	if c.QOP != "" {
		chal.QOP = []string{c.QOP}
	}
	want, err := digest.Digest(chal, digest.Options{
		Method: method, URI: c.URI, Count: c.Nc, Username: c.Username, Password: password, Cnonce: c.Cnonce,
	})
	return err == nil && subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response))) == 1
}

// nonceSize: 8 bytes of time, 8 random ones, and half of an HMAC over both.
const nonceSize = 8 + 8 + 16

func (s *Server) nonce(at int64) string {
	b := make([]byte, 16, nonceSize)
	binary.BigEndian.PutUint64(b, uint64(at))
	_, _ = rand.Read(b[8:16])
	return base64.RawURLEncoding.EncodeToString(append(b, s.sign(b)...))
}

func (s *Server) sign(b []byte) []byte {
	h := hmac.New(sha256.New, s.cfg.Secret)
	h.Write(b)
	return h.Sum(nil)[:16]
}

// begin gives a nonce its time. All nonces from before the first challenge are
// forgotten: a server that has just started, and has nothing restored, cannot know how they were used.
func (s *Server) begin(now time.Time) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = max(s.latest+1, now.UnixNano())
	if s.floor == 0 {
		s.floor = s.latest - 1
	}
	return s.latest
}

// age is how old a nonce of ours is.
func (s *Server) age(now time.Time, nonce string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = max(s.latest, now.UnixNano())
	return time.Duration(s.latest - madeAt(nonce))
}

// Restore takes what Keep was told by a server with the same secret: all nonces that it has given are good here. It
// comes before anything else.
func (s *Server) Restore(used map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.floor = max(used[""], 1)
	nonces := slices.SortedFunc(maps.Keys(used), func(a, b string) int { return cmp.Compare(madeAt(a), madeAt(b)) })
	nonces = slices.DeleteFunc(nonces, func(nonce string) bool { return madeAt(nonce) == 0 })
	if gone := len(nonces) - len(s.ring); gone > 0 {
		s.floor, nonces = madeAt(nonces[gone-1]), nonces[gone:]
	}
	for _, nonce := range nonces {
		s.latest = max(s.latest, madeAt(nonce))
		s.used[nonce] = int(used[nonce])
		s.ring[s.next] = nonce
		s.next = (s.next + 1) % len(s.ring)
	}
}

// check tells whether a nonce is one of ours and young enough.
func (s *Server) check(now time.Time, nonce string) error {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != nonceSize || !hmac.Equal(b[16:], s.sign(b[:16])) {
		return fmt.Errorf("%w: not one of ours", ErrStale)
	}
	if age := s.age(now, nonce); age > s.cfg.Life || age < -s.cfg.Life {
		return ErrStale
	}
	return nil
}

// madeAt is the time of a nonce of ours.
func madeAt(nonce string) int64 {
	b, _ := base64.RawURLEncoding.DecodeString(nonce)
	if len(b) != nonceSize {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// use notes that a nonce was used and refuses it when it is used again: by a
// count that does not rise (RFC 7616 §3.4 nc), or, without qop, at all.
func (s *Server) use(c *digest.Credentials) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, seen := s.used[c.Nonce]
	switch {
	case seen && c.Nc <= last:
		return ErrReplay
	case !seen && (s.floor == 0 || madeAt(c.Nonce) <= s.floor):
		return ErrStale // it may have been used and forgotten
	}
	s.used[c.Nonce] = c.Nc
	s.keep(c.Nonce, int64(c.Nc))
	if !seen {
		s.forget(s.ring[s.next])
		s.ring[s.next] = c.Nonce
		s.next = (s.next + 1) % len(s.ring)
	}
	return nil
}

// forget makes room. A nonce that is forgotten could be replayed, so all that
// are as old end with it; their phones are asked again.
func (s *Server) forget(nonce string) {
	if nonce != "" {
		delete(s.used, nonce)
		s.floor = max(s.floor, madeAt(nonce))
		s.keep(nonce, Forgotten)
		s.keep("", s.floor)
	}
}

func (s *Server) keep(nonce string, count int64) {
	if s.cfg.Keep != nil {
		s.cfg.Keep(nonce, count)
	}
}
