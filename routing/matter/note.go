package matter

import (
	"cmp"
	"slices"

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
		m = Matter{StubID: e.StubID, State: Pushed, OpenedAt: e.At, From: e.From, To: e.To, Mode: e.Mode, CallRef: e.CallRef}
	}
	if e.At.After(m.At) {
		m.At = e.At
	}
	m.Owner = cmp.Or(e.DecidedOwner, m.Owner, m.To)
	m.CategoryCode, m.Category = cmp.Or(e.CategoryCode, m.CategoryCode), cmp.Or(e.Category, m.Category)
	m.Place = cmp.Or(e.Place, m.Place)
	m.Urgency = more(m.Urgency, string(e.Urgency))
	if m.State == Pushed { // a decision or category may come with other limits
		m.ReceiveDue = p.due(m.OpenedAt, p.limits(m).Receive)
	}
	return m
}

var urgencies = []string{"", string(ticket.Normal), string(ticket.Pressing), string(ticket.Critical)}

// more is the graver of two urgencies: what was urgent once does not become normal by a later entry.
func more(a, b string) string {
	if slices.Index(urgencies, b) > slices.Index(urgencies, a) {
		return b
	}
	return a
}
