package call

import (
	"testing"
	"time"

	"liandong/routing/desk"
)

// However often its desks have refused, a citizen whom another switch was ahead of seeks again soon, and any other
// before long.
func TestDeniedSeeksAgainSoon(t *testing.T) {
	now := time.Unix(1e9, 0)
	dir := &desk.Directory{Hotlines: map[string]*desk.Hotline{"110": {ID: "110", Seats: []string{"1101"},
		Queue: desk.Queue{MaxCalls: 5}}}}
	for _, c := range []struct {
		denied bool
		want   time.Duration
	}{{false, 8 * time.Second}, {true, retryPause}} {
		m := &machine{Call: Call{Phase: Ringing, Hunt: &Hunt{Hotline: "110", Since: now, Rounds: 9, Queued: true}},
			dir: dir, now: now}
		if c.denied {
			m.seatsFound(SeatsFound{Hotline: "110", Denied: true})
		}
		m.seatsFound(SeatsFound{Hotline: "110", Online: 1})
		if got := m.Hunt.RetryAt.Sub(now); got != c.want || m.Hunt.Denied {
			t.Errorf("denied %t: the next round is in %v", c.denied, got)
		}
	}
}
