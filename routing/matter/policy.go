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
}

// Policy is how long the steps may take: for all, for a hotline, for a category. Immutable. Where a hotline or category
// says nothing about a step, the more general holds.
type Policy struct {
	Limits
	Alarms
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
	}
}

func (p Policy) due(from time.Time, limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return from.Add(limit)
}
