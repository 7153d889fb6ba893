package trunk

import (
	"cmp"
	"slices"
	"time"
)

const (
	// missesDown is how many pings in a row go unanswered before a target is down:
	// one may be lost on the way with all its copies.
	missesDown = 2

	// avoidFor is how long a target that failed a call is not the first choice.
	avoidFor = 30 * time.Second
	// avoidMost bounds what a Retry-After may ask for: a slip of the pen there is
	// not to take a way to the emergency line out of service for days.
	avoidMost = 5 * time.Minute
)

// Outcome is what became of a request to a target.
type Outcome struct {
	Code       int           // final status, or a provisional one; 0: nothing came, or it could not be sent
	RetryAfter time.Duration // of a 503
}

// alive: whoever answers can be called, even if he refuses this request. 503 is
// a server that cannot (RFC 3261 §21.5.4), 408 one whose own next hop is silent.
func (o Outcome) alive() bool { return o.Code != 0 && o.Code != 408 && o.Code != 503 }

// Choice knows the targets of a trunk and how each is doing. It is pure: time
// and random numbers are arguments. The zero Choice has no targets.
type Choice struct {
	targets []Target
	state   map[string]*standing // by Target.String
	before  map[string]*standing // of targets before a restart, which may only be known once a name is looked up
}

// standing is how a target is doing.
type standing struct {
	misses int // pings in a row
	down   bool
	avoid  time.Time // it failed a call, or asked for a pause until then
}

func (s *standing) good(now time.Time) bool { return !s.down && !now.Before(s.avoid) }

// Set replaces the targets. Those that stay keep their standing.
func (c *Choice) Set(targets []Target) {
	state := make(map[string]*standing, len(targets))
	for _, t := range targets {
		if state[t.String()] = c.state[t.String()]; state[t.String()] == nil {
			state[t.String()] = cmp.Or(c.before[t.String()], &standing{})
		}
		delete(c.before, t.String())
	}
	c.targets, c.state = slices.Clone(targets), state
}

// Order lists all targets as a call is to try them. Those that are down or
// avoided come last, and they do come: when nothing else works a call for help
// is worth one more try.
func (c *Choice) Order(now time.Time, rand func() uint64) []Target {
	all := inTurn(c.targets, rand)
	slices.SortStableFunc(all, func(a, b Target) int { return c.rank(now, a) - c.rank(now, b) })
	return all
}

func (c *Choice) rank(now time.Time, t Target) int {
	if c.state[t.String()].good(now) {
		return 0
	}
	return 1
}

// Pinged takes what became of an OPTIONS, and says whether the target is up or
// down now other than before: down after [missesDown], up after one answer.
func (c *Choice) Pinged(now time.Time, t Target, o Outcome) (changed bool) {
	s, ok := c.state[t.String()]
	if !ok {
		return false
	}
	was := s.down
	if o.alive() {
		*s = standing{}
		return was
	}
	s.misses++
	s.down = s.down || s.misses >= missesDown
	if o.RetryAfter > 0 {
		s.avoid = later(s.avoid, now.Add(min(o.RetryAfter, avoidMost)))
	}
	return s.down != was
}

// Called takes what became of a call's INVITE. A failure does not make a target
// down, as nobody may be pinging it; other targets are tried first for a while.
func (c *Choice) Called(now time.Time, t Target, o Outcome) {
	s, ok := c.state[t.String()]
	switch {
	case !ok:
	case o.alive():
		s.avoid = time.Time{}
	case o.RetryAfter > 0:
		s.avoid = later(s.avoid, now.Add(min(o.RetryAfter, avoidMost)))
	default:
		s.avoid = later(s.avoid, now.Add(avoidFor))
	}
}

// Up says whether a target is a first choice now.
func (c *Choice) Up(now time.Time, t Target) bool {
	s, ok := c.state[t.String()]
	return ok && s.good(now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
