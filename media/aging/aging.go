// Package aging says how old kept files are where the wall clock may have been set. What is deleted for its age is gone
// for good: a machine that begins with a wrong year, or a time server that errs, is not to cost what was kept.
package aging

import "time"

const (
	// holds is for how long the wall clock has to run evenly before it is believed.
	holds = 24 * time.Hour
	// drift is what it may be set by meanwhile.
	drift = time.Hour
	// day is one; within two from the beginning of the newest day that was kept before today it is believed at once.
	day = 24 * time.Hour
)

// Clock is the time by which kept files age: the wall clock, or the day after the newest one where the wall clock
// is past that day and has not run evenly for one. Owned by one goroutine. Zero: the wall clock is not known yet.
type Clock struct {
	wall time.Time     // what it showed …
	run  time.Duration // … at this time of the process
}

// At is the time, given the wall clock, for how long the process has run, and the newest day that was kept before
// today; zero: there is none.
func (c *Clock) At(wall time.Time, run time.Duration, newest time.Time) time.Time {
	if c.wall.IsZero() || (wall.Sub(c.wall)-(run-c.run)).Abs() > drift {
		c.wall, c.run = wall, run
	}
	if !newest.IsZero() && run-c.run < holds && wall.After(newest.Add(2*day)) {
		return newest.Add(day)
	}
	return wall
}
