package journal

import "time"

// Clock is the switch's own time: the wall clock's when its first process began, and steady from then on, whatever is
// done to the wall clock, and through restarts. All that waits goes by it. What people and other systems read goes by
// the wall clock, and is put right with [Clock.Wall] when it is written. Immutable.
type Clock struct {
	start time.Time // switch time …
	began time.Time // … when this was, which time.Since measures
	wall  func() time.Time
}

// NewClock begins now. wall is the wall clock, [time.Now] but in tests that step it.
func NewClock(wall func() time.Time) *Clock { return clockAt(wall().Round(0), wall) }

func clockAt(start time.Time, wall func() time.Time) *Clock {
	return &Clock{start: start.Round(0), began: time.Now(), wall: wall}
}

// Now is the switch time: a plain value that can be stored.
func (c *Clock) Now() time.Time { return c.start.Add(time.Since(c.began)) }

// Wall is what the wall clock showed at a time of the switch, or will show, as it goes now; zero for zero.
func (c *Clock) Wall(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return c.wall().Add(t.Sub(c.Now()))
}
