package matter

import (
	"cmp"
	"time"
)

// Limits are the times within which something must be done. Zero: none is set.
type Limits struct {
	Receive       time.Duration // from the first entry to received
	Sign          time.Duration // from received to signed
	FirstFeedback time.Duration // from assigned to first_feedback
	Close         time.Duration // from assigned to closed
	Counts        string        // how all of these count: [ByClock], [ByCalendar]; "": by the calendar if there is one
}

// How time counts.
const (
	ByClock    = "clock"    // day and night
	ByCalendar = "calendar" // while people work
)

// Policy is how long the steps may take: for all, for a hotline, for a category. Immutable. Where a hotline or category
// says nothing about a step, the more general holds.
type Policy struct {
	Limits
	Alarms
	Calendar   *Calendar         // nil: all limits count by the clock
	Hotlines   map[string]Limits // by the hotline that takes the matter
	Categories map[string]Limits // by category code; before the hotline's
}

// limits of a matter.
func (p Policy) limits(m Matter) Limits {
	h, c := p.Hotlines[m.Owner], p.Categories[m.CategoryCode]
	return Limits{
		Receive:       cmp.Or(c.Receive, h.Receive, p.Receive),
		Sign:          cmp.Or(c.Sign, h.Sign, p.Sign),
		FirstFeedback: cmp.Or(c.FirstFeedback, h.FirstFeedback, p.FirstFeedback),
		Close:         cmp.Or(c.Close, h.Close, p.Close),
		Counts:        cmp.Or(c.Counts, h.Counts, p.Counts),
	}
}

// due is when a limit ends, zero for none.
func (p Policy) due(from time.Time, limit time.Duration, counts string) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	if p.Calendar != nil && counts != ByClock {
		return p.Calendar.Due(from, limit)
	}
	return from.Add(limit)
}
