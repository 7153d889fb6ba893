package matter

import (
	"cmp"
	"time"

	"liandong/routing/ticket"
)

// Note takes in what the switch itself has written: the first entry of a stub makes the matter, later ones tell more
// of it. Its own alarms and corrections are no news.
func Note(m Matter, e ticket.Entry, p Policy) Matter {
	if IsAlarm(e.Event) {
		if e.Event == ticket.Supervised {
			m.Supervised++
		}
		return m
	}
	begins := m.StubID == ""
	if begins {
		m = Matter{StubID: e.StubID, State: Pushed, OpenedAt: e.At, From: e.From, To: e.To, Mode: e.Mode,
			CallRef: e.CallRef}
	}
	before := p.limits(m)
	if e.At.After(m.At) {
		m.At = e.At
	}
	m.Owner = cmp.Or(e.DecidedOwner, m.Owner, m.To)
	if e.CategoryCode != "" {
		m.CategoryCode, m.Category = e.CategoryCode, e.Category
	}
	m.Place, m.Title = cmp.Or(e.Place, m.Place), cmp.Or(e.Title, m.Title)
	m.Urgency = string(ticket.Graver(ticket.Urgency(m.Urgency), e.Urgency))
	m.relimit(before, p)
	return m
}

// relimit: a decision or a category may come with other limits. Those that run are counted anew from where they began;
// a date that a ticket system has set, or granted, stays.
func (m *Matter) relimit(before Limits, p Policy) {
	is := p.limits(*m)
	again := func(due *time.Time, from time.Time, was, limit time.Duration) {
		if due.Equal(p.due(from, was, before.Counts)) {
			*due = p.due(from, limit, is.Counts)
		}
	}
	switch m.State {
	case Pushed:
		m.ReceiveDue = p.due(m.OpenedAt, is.Receive, is.Counts)
	case Received:
		again(&m.SignDue, m.ReceivedAt, before.Sign, is.Sign)
	case Assigned, Feedback:
		if m.FirstFeedbackAt.IsZero() {
			again(&m.FirstFeedbackDue, m.AssignedAt, before.FirstFeedback, is.FirstFeedback)
		}
		again(&m.CloseDue, m.AssignedAt, before.Close, is.Close)
	}
}
