package matter

import (
	"slices"
	"strconv"
	"time"

	"liandong/routing/ticket"
)

// Alarms says when the switch itself speaks up because nothing has happened, by the clock, day and night. Immutable.
type Alarms struct {
	Remind    time.Duration // before a step is due: reminded; 0: never
	Supervise time.Duration // after it was due: supervised; 0: never
	Recheck   time.Duration // of each day, counted from midnight: recheck; 0: never
}

// Alarm is an entry to be written at a time, unless something happens before.
type Alarm struct {
	Event ticket.Event
	Why   string // the clock: receive, sign, first_feedback, close; of recheck how often the matter was assigned
	At    time.Time
}

// IsAlarm says that an event is the switch's own, and no news of a matter: of a missed call there is none.
func IsAlarm(e ticket.Event) bool {
	return ticket.OfMissed(e) || slices.Contains([]ticket.Event{ticket.Reminded, ticket.Overdue,
		ticket.Supervised, ticket.Recheck, ticket.Hotspot}, e)
}

// clock is a time limit that runs.
type clock struct {
	name string
	due  time.Time
}

// clocks are those that run in the matter's state.
func (m Matter) clocks() []clock {
	switch m.State {
	case Pushed:
		return []clock{{"receive", m.ReceiveDue}}
	case Received:
		return []clock{{"sign", m.SignDue}}
	case Assigned:
		if m.FirstFeedbackAt.IsZero() {
			return []clock{{"first_feedback", m.FirstFeedbackDue}, {"close", m.CloseDue}}
		}
		return []clock{{"close", m.CloseDue}}
	case Feedback, Returned:
		return []clock{{"close", m.CloseDue}}
	}
	return nil
}

// NextDue is when the next step is due; zero: no clock runs.
func (m Matter) NextDue() (at time.Time) {
	for _, c := range m.clocks() {
		if !c.due.IsZero() && (at.IsZero() || c.due.Before(at)) {
			at = c.due
		}
	}
	return at
}

// Pending are the alarms that will come of a matter if it stays as it is, and those that were due while it did.
func (p Policy) Pending(m Matter) (list []Alarm) {
	for _, c := range m.clocks() {
		if c.due.IsZero() {
			continue
		}
		if p.Remind > 0 {
			list = append(list, Alarm{ticket.Reminded, c.name, c.due.Add(-p.Remind)})
		}
		list = append(list, Alarm{ticket.Overdue, c.name, c.due})
		if p.Supervise > 0 {
			list = append(list, Alarm{ticket.Supervised, c.name, c.due.Add(p.Supervise)})
		}
	}
	if p.Recheck > 0 && m.Assignments >= 2 && m.Open() {
		list = append(list, Alarm{ticket.Recheck, strconv.Itoa(m.Assignments), p.NextRecheck(m.At)})
	}
	return list
}

// NextRecheck is the next time of day at which matters are looked at that were assigned twice or more.
func (p Policy) NextRecheck(after time.Time) time.Time {
	y, mon, d := after.Date()
	for {
		midnight := time.Date(y, mon, d, 0, 0, 0, 0, after.Location())
		if at := midnight.Add(p.Recheck); at.After(after) {
			return at
		}
		d++
	}
}
