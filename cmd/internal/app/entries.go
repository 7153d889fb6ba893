package app

import (
	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/sip/snapshot"
)

// noted writes an entry down until it is on the outbox's disk, which is some milliseconds later: a process that is
// killed in between would take it along, and its call, which has done with it, could not say it again.
func (a *App) noted(e ticket.Entry, done func(error)) func(error) {
	if a.journal == nil || e.EventID == "" {
		return done
	}
	b, err := snapshot.Encode(&e)
	if err != nil {
		a.log.Error("bug: a ticket entry cannot be stored", "stub", e.StubID, "event", e.Event, "err", err)
		return done
	}
	a.journal.Put(journal.Ticket, e.EventID, b)
	return func(err error) {
		if err == nil {
			a.journal.Delete(journal.Ticket, e.EventID)
		}
		done(err)
	}
}

// putAgain hands the outbox what the process before has left written down. One that it has already is the same entry.
func (a *App) putAgain() {
	for _, kept := range a.journal.All(journal.Ticket) {
		var e ticket.Entry
		if err := snapshot.Decode(kept.Value, &e); err != nil {
			a.log.Error("a ticket entry of the process before cannot be read", "event_id", kept.Key, "err", err)
			continue
		}
		a.stores.Put(e, a.noted(e, func(err error) {
			if err != nil {
				a.log.Error("a ticket entry of the process before is not on disk", "stub", e.StubID, "event", e.Event,
					"err", err)
			}
		}))
	}
}
