package ledger

import (
	"time"
)

// How the clock of alarms follows the clock on the wall.
const (
	drift     = 2 * time.Second  // so much it follows at once: clocks are set by small amounts all the time
	stepHolds = 15 * time.Minute // a step is believed when it has stood for this long
)

// steady is the clock by which alarms are raised and streams are trimmed. It runs with the process and not with the
// clock on the wall: that one may be set by hand, or by a time server that is wrong, and what an alarm has said cannot
// be taken back. A step that stays is taken over. Owned by the ledger's goroutine.
type steady struct {
	base time.Time     // on the wall, when run was since
	run  time.Duration // see below

	step  time.Duration // the wall's, from here; 0: none
	since time.Duration // when it was first seen
}

// at is the time, given the clock on the wall and one that only runs. stepped: a step was taken over.
func (s *steady) at(wall time.Time, run time.Duration) (now time.Time, stepped time.Duration) {
	if s.base.IsZero() {
		s.base, s.run = wall, run
	}
	now = s.base.Add(run - s.run)
	apart := wall.Sub(now)
	switch {
	case apart.Abs() <= drift:
		s.base, s.run, s.step = wall, run, 0
		return wall, 0
	case s.step == 0 || (apart-s.step).Abs() > drift:
		s.step, s.since = apart, run
	case run-s.since >= stepHolds:
		s.base, s.run, s.step = wall, run, 0
		return wall, apart
	}
	return now, 0
}

// now reads the clocks. A step that is taken over is logged.
func (l *Ledger) now() time.Time {
	t := time.Now()
	now, stepped := l.clock.at(t.Round(0), t.Sub(l.began))
	if stepped != 0 {
		l.log.Warn("ledger: the clock was set, and stayed so: alarms go by it now", "by", stepped)
	}
	return now
}
