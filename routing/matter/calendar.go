package matter

import (
	"iter"
	"time"
)

// Calendar says when people work. Immutable.
type Calendar struct {
	Zone     *time.Location // whose days and hours these are; never nil
	Hours    []Span         // of every working day, rising, none within another
	Days     [7]bool        // the week, by [time.Weekday]
	Holidays []Dates        // off, whatever the day of the week
	Workdays []Dates        // worked, whatever the day of the week (调休)
}

// Span is a part of a day, by the clock on the wall, from midnight: To is no longer in it, and is up to 24 h.
type Span struct{ From, To time.Duration }

// Dates are days in a row, both ends included, each as its midnight in UTC.
type Dates struct{ First, Last time.Time }

// Has says whether a day, given as its midnight in UTC, is one of them.
func (d Dates) Has(day time.Time) bool { return !day.Before(d.First) && !day.After(d.Last) }

const (
	wholeDay = 24 * time.Hour
	horizon  = 20 * 366 // days within which a limit has to end
)

// Due is when a limit ends that begins at from, in from's zone. What begins outside working time begins when work does.
// Each whole 24 h are one working day and end at the same time of day; what is left, or less, is working hours. A
// calendar that has not that much work within 20 years counts as none: better too early than never.
func (c *Calendar) Due(from time.Time, limit time.Duration) time.Time {
	at, ok := from.In(c.Zone), true
	if n := limit / wholeDay; n > 0 {
		at, ok = c.days(at, int(n))
	}
	if left := limit % wholeDay; ok && left > 0 {
		at, ok = c.hours(at, left)
	}
	if !ok {
		return from.Add(limit)
	}
	return at.In(from.Location())
}

// days goes on by n working days. False: there are not so many.
func (c *Calendar) days(from time.Time, n int) (time.Time, bool) {
	for begin := range c.work(from) {
		y, m, d := begin.Date()
		for i := 1; i <= horizon; i++ {
			if !c.works(y, m, d+i) {
				continue
			}
			if n--; n == 0 {
				return time.Date(y, m, d+i, begin.Hour(), begin.Minute(), begin.Second(), begin.Nanosecond(), c.Zone),
					true
			}
		}
		break
	}
	return time.Time{}, false
}

// hours goes on by so much working time. False: there is not so much.
func (c *Calendar) hours(from time.Time, left time.Duration) (time.Time, bool) {
	for begin, end := range c.work(from) {
		if has := end.Sub(begin); left > has {
			left -= has
			continue
		}
		return begin.Add(left), true
	}
	return time.Time{}, false
}

// work are the stretches of working time from a moment on, as begin and end, none within another: also where the hour
// that a clock is put forward or back by is one of work.
func (c *Calendar) work(from time.Time) iter.Seq2[time.Time, time.Time] {
	return func(yield func(begin, end time.Time) bool) {
		y, m, d := from.Date()
		for i := range horizon {
			if !c.works(y, m, d+i) {
				continue
			}
			for _, h := range c.Hours {
				begin, end := c.onWall(y, m, d+i, h.From), c.onWall(y, m, d+i, h.To)
				if begin.Before(from) {
					begin = from
				}
				if !begin.Before(end) {
					continue
				}
				if !yield(begin, end) {
					return
				}
				from = end
			}
		}
	}
}

// onWall is when the clock of a day shows so much.
func (c *Calendar) onWall(y int, m time.Month, d int, since time.Duration) time.Time {
	return time.Date(y, m, d, 0, 0, int(since/time.Second), 0, c.Zone)
}

// works says whether a day is one of work.
func (c *Calendar) works(y int, m time.Month, d int) bool {
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	for _, w := range c.Workdays {
		if w.Has(day) {
			return true
		}
	}
	for _, h := range c.Holidays {
		if h.Has(day) {
			return false
		}
	}
	return c.Days[day.Weekday()]
}
