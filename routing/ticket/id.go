package ticket

import (
	"crypto/rand"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// NewID makes a ULID of the given time and entropy. Two ids of the same millisecond are in no order; use [IDs] where
// that matters.
func NewID(now time.Time, random io.Reader) string {
	id, err := ulid.New(millis(now), random)
	if err != nil { // the given entropy has run dry
		id = ulid.MustNew(millis(now), rand.Reader)
	}
	return id.String()
}

// IDs makes ULIDs that rise within a millisecond too. Safe for use by several goroutines.
type IDs struct {
	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy // guarded by mu
}

// NewIDs makes ids from the given entropy: crypto/rand in the switch, a seeded source in a simulation.
func NewIDs(random io.Reader) *IDs { return &IDs{entropy: ulid.Monotonic(random, 0)} }

// New makes the next id.
func (g *IDs) New(now time.Time) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return NewID(now, g.entropy)
}

// IsID says that a text has the form of an id.
func IsID(s string) bool { return isULID(s) }

// IsCallRef says that a text has the form of a call's UUID.
func IsCallRef(s string) bool { return uuid.MatchString(s) }

// millis keeps a clock that stands before 1970 from becoming a time out of a ULID's range.
func millis(now time.Time) uint64 { return uint64(max(now.UnixMilli(), 0)) }
