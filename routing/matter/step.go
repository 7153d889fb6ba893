package matter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Why an update is refused: the word that stands in the field reason of the dead stream.
const (
	IllegalStep       = "illegal_step"        // the life does not know this step from this state
	LateWithoutReason = "late_without_reason" // closed after close_due with no reason_code
	MissingDue        = "missing_due"         // an extension that does not say until when, or not until later
	NoExtension       = "no_extension"        // granted or denied without having been asked for
)

// Refused says why an update changes nothing, and what would have been possible.
type Refused struct{ Reason, Detail string }

func (r Refused) Error() string { return "matter: " + r.Reason + ": " + r.Detail }

// rule is what an event needs, and what it does besides taking over the texts of the update.
type rule struct {
	from []State // in which it is possible
	to   State   // "": stays
	do   func(m *Matter, u Update, p Policy) error
}

var (
	unsettled = []State{Pushed, Received, Signed, Accepted, Assigned, Feedback, Returned, Reopened}
	withUnit  = []State{Assigned, Feedback}
)

// rules are the life of a matter. A matter may be given from one unit to the next (assigned while assigned); an answer
// before closing is not compulsory.
var rules = map[Event]rule{
	EventReceived: {from: []State{Pushed}, to: Received, do: received},
	EventSigned:   {from: []State{Received}, to: Signed, do: signed},
	EventAccepted: {from: []State{Signed}, to: Accepted, do: accepted},
	EventAssigned: {from: []State{Accepted, Assigned, Feedback, Returned, Reopened}, to: Assigned,
		do: assigned},
	EventReturned: {from: []State{Received, Signed, Accepted, Assigned, Feedback}, to: Returned,
		do: returned},
	EventFirstFeedback:      {from: []State{Assigned}, to: Feedback, do: firstFeedback},
	EventProgress:           {from: []State{Accepted, Assigned, Feedback}},
	EventExtensionRequested: {from: withUnit, do: extensionRequested},
	EventExtensionGranted:   {from: withUnit, do: extensionGranted},
	EventExtensionDenied:    {from: withUnit, do: extensionDenied},
	EventSupervised:         {from: unsettled, do: supervised},
	EventClosed:             {from: withUnit, to: Closed, do: closed},
	EventVisited:            {from: []State{Closed}, to: Visited, do: visited},
	EventReopened:           {from: []State{Closed, Visited}, to: Reopened, do: reopened},
	EventArchived:           {from: []State{Visited}, to: Archived, do: archived},
}

var eventNames = names(rules)

func names(of map[Event]rule) (list []string) {
	for _, e := range slices.Sorted(maps.Keys(of)) {
		list = append(list, string(e))
	}
	return list
}

// Step takes an update in. The error is a [Refused], and the matter is then as it was.
func Step(m Matter, u Update, p Policy) (Matter, error) {
	r, ok := rules[u.Event]
	if !ok || !slices.Contains(r.from, m.State) {
		return m, Refused{IllegalStep, fmt.Sprintf("%s in state %s; possible: %s", u.Event, m.State,
			cmp.Or(strings.Join(Possible(m.State), " "), "nothing"))}
	}
	next := m
	if r.do != nil {
		if err := r.do(&next, u, p); err != nil {
			return m, err
		}
	}
	next.State = cmp.Or(r.to, m.State)
	next.takeOver(u)
	return next, nil
}

// Possible lists the events that a ticket system may send in a state.
func Possible(s State) (events []string) {
	for _, e := range eventNames {
		if slices.Contains(rules[Event(e)].from, s) {
			events = append(events, e)
		}
	}
	return events
}

// takeOver notes what the update says of unit, handler and so on; what it leaves out stays.
func (m *Matter) takeOver(u Update) {
	m.PeerTicketNo = cmp.Or(u.PeerTicketNo, m.PeerTicketNo)
	m.UnitCode, m.UnitName = cmp.Or(u.UnitCode, m.UnitCode), cmp.Or(u.UnitName, m.UnitName)
	m.Handler = cmp.Or(u.Handler, m.Handler)
	m.Text, m.ReasonCode = cmp.Or(u.Text, m.Text), cmp.Or(u.ReasonCode, m.ReasonCode)
	m.Satisfaction, m.Place = cmp.Or(u.Satisfaction, m.Satisfaction), cmp.Or(u.Place, m.Place)
	if u.At.After(m.At) {
		m.At = u.At
	}
}

func received(m *Matter, u Update, p Policy) error {
	m.ReceivedAt = u.At
	l := p.limits(*m)
	m.SignDue = p.due(u.At, l.Sign, l.Counts)
	return nil
}

func signed(m *Matter, u Update, _ Policy) error { m.SignedAt = u.At; return nil }

func accepted(m *Matter, u Update, _ Policy) error { m.AcceptedAt = u.At; return nil }

// assigned: the clocks begin with the assignment, and begin anew when the matter had been returned or reopened. Given
// from one unit to the next it keeps its clocks: the citizen waits all the same.
func assigned(m *Matter, u Update, p Policy) error {
	m.Assignments++
	if m.State == Assigned || m.State == Feedback {
		return nil
	}
	l := p.limits(*m)
	m.AssignedAt, m.FirstFeedbackAt, m.Extension = u.At, time.Time{}, ""
	m.FirstFeedbackDue, m.CloseDue = p.due(u.At, l.FirstFeedback, l.Counts), p.due(u.At, l.Close, l.Counts)
	if !u.DueAt.IsZero() { // the ticket system sets its own
		m.CloseDue = u.DueAt
	}
	return nil
}

func returned(m *Matter, _ Update, _ Policy) error { m.Returns++; return nil }

func firstFeedback(m *Matter, u Update, _ Policy) error {
	if m.FirstFeedbackAt.IsZero() { // the next unit's answer is not the citizen's first
		m.FirstFeedbackAt = u.At
	}
	return nil
}

func extensionRequested(m *Matter, _ Update, _ Policy) error { m.Extension = "requested"; return nil }

func extensionGranted(m *Matter, u Update, _ Policy) error {
	switch {
	case m.Extension != "requested":
		return Refused{NoExtension, "none was requested; possible: extension_requested first"}
	case !u.DueAt.After(m.CloseDue):
		return Refused{MissingDue, "due_at must be set, and later than close_due"}
	}
	m.Extension, m.CloseDue = "granted", u.DueAt
	return nil
}

func extensionDenied(m *Matter, _ Update, _ Policy) error {
	if m.Extension != "requested" {
		return Refused{NoExtension, "none was requested; possible: extension_requested first"}
	}
	m.Extension = "denied"
	return nil
}

func supervised(m *Matter, _ Update, _ Policy) error { m.Supervised++; return nil }

// closed: late only with a reason. Which reasons there are is the city's affair.
func closed(m *Matter, u Update, _ Policy) error {
	if !m.CloseDue.IsZero() && u.At.After(m.CloseDue) && u.ReasonCode == "" {
		return Refused{LateWithoutReason, "closing after close_due needs a reason_code"}
	}
	m.ClosedAt = u.At
	return nil
}

func visited(m *Matter, u Update, _ Policy) error { m.VisitedAt = u.At; return nil }

func reopened(m *Matter, _ Update, _ Policy) error {
	m.ClosedAt, m.VisitedAt, m.Satisfaction = time.Time{}, time.Time{}, ""
	return nil
}

func archived(m *Matter, u Update, _ Policy) error { m.ArchivedAt = u.At; return nil }
