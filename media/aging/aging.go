// Package aging says how old kept files are where the wall clock may have been set. What is deleted for its age is gone
// for good: a machine that begins with a wrong year, or a time server that errs, is not to cost what was kept.
package aging

import (
	"slices"
	"time"
)

const (
	// holds is for how long the wall clock has to run evenly before it is believed.
	holds = 24 * time.Hour
	// drift is what it may be set by meanwhile.
	drift = time.Hour
	// day is one; within two from the beginning of the newest day that was kept it is believed at once.
	day = 24 * time.Hour
	// gap is longer than a switch that is used keeps nothing.
	gap = 90 * day
	// few days in a row may be all that a clock has made before anybody has set it right.
	few = 3
)

// Clock is the time by which kept files age: the wall clock, or, where that is past the day after the newest one that
// the process has found and has not run evenly for a day, that day and what the process has run since. Days that are
// kept meanwhile prove nothing: the same clock has named them. Owned by one goroutine.
type Clock struct {
	// Found are the days that the process has found kept when it began, in order; none: the clock is believed at once.
	Found []time.Time

	wall time.Time     // what the wall clock showed when it was last set; zero: it is not known yet
	run  time.Duration // for how long the process had run then
	sure time.Time     // the time when the process began, as far as it is known
}

// At is the time, given the wall clock and for how long the process has run.
func (c *Clock) At(wall time.Time, run time.Duration) time.Time {
	if c.wall.IsZero() {
		c.sure = wall.Add(-run)
		if newest, ok := newest(c.Found, wall); ok && wall.After(newest.Add(2*day)) {
			c.sure = newest.Add(day - run)
		}
	}
	if c.wall.IsZero() || (wall.Sub(c.wall)-(run-c.run)).Abs() > drift {
		c.wall, c.run = wall, run
	}
	if run-c.run >= holds {
		c.sure = wall.Add(-run)
	}
	if sure := c.sure.Add(run); wall.After(sure.Add(day)) {
		return sure
	}
	return wall
}

// newest is the latest trustworthy day before the wall clock's; false: there is none. A few days behind a gap may come
// from a process that ran by a wrong clock, and do not count.
func newest(days []time.Time, wall time.Time) (at time.Time, ok bool) {
	row := 0 // days without a gap, at and those before it
	var after time.Time
	for _, d := range slices.Backward(days) {
		if d.Add(day).After(wall) { // today, or later
			continue
		}
		switch gaps := ok && after.Sub(d) > gap; {
		case gaps && row >= few:
			return at, true
		case gaps || !ok:
			at, ok, row = d, true, 0
		}
		after = d
		row++
	}
	return at, ok
}
