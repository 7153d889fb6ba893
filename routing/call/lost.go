package call

import (
	"time"

	"liandong/routing/desk"
	"liandong/routing/ticket"
)

// Owed are the entries that a call's matter is owed when the switch has died and the call cannot go on: a stub that is
// still open has failed with the switch, and of a three-way call the line that was called first takes the matter, as
// ever when there is no word. Their ids follow from the stub: whoever says so a second time, after dying in between,
// adds nothing.
func Owed(c Call, dir *desk.Directory, now time.Time) []ticket.Entry {
	m := machine{Call: c, dir: dir, now: now}
	var list []ticket.Entry
	if e, ok := m.lostCitizen(); ok {
		list = append(list, e)
	}
	return append(list, m.lostMatter()...)
}

// lostMatter is what the matter is owed.
func (m *machine) lostMatter() []ticket.Entry {
	t := m.Matter
	if t == nil || t.inside() || t.Stub == "" || t.Decided {
		return nil
	}
	lost := m.entry(ticket.Failed)
	lost.Result, lost.Reason = string(ResultFailed), ticket.SwitchLost
	list := []ticket.Entry{lost}
	if t.Mode == ticket.ThreeWay {
		decided := m.entry(ticket.Decided)
		decided.Reason, decided.DecidedOwner, decided.DecisionBasis = ticket.SwitchLost, m.Hotline, ticket.FirstReceiver
		list = append(list, decided)
	}
	for i := range list {
		list[i].At, list[i].EventID = m.now, ticket.DerivedID(t.Stub, ticket.SwitchLost+" "+string(list[i].Event))
	}
	return list
}

// lostCitizen is the entry of a citizen whom nobody had yet, or whom a desk was calling back.
func (m *machine) lostCitizen() (e ticket.Entry, ok bool) {
	if b := m.Callback; b != nil && b.Result == "" {
		e = m.ofLine(b.Stub, ticket.CalledBack)
		e.Result, e.Reason, e.FromAgent, ok = string(ResultFailed), ticket.SwitchLost, b.Seat, true
		e.EventID = ticket.DerivedID(m.Recording.Ref, string(e.Event))
	} else {
		e, ok = m.missedEntry(Failure)
	}
	e.At = m.now
	return e, ok
}
