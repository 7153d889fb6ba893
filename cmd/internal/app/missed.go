package app

import (
	"time"

	"liandong/routing/call"
	"liandong/routing/journal"
	"liandong/routing/missed"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/sip/snapshot"
	"liandong/sip/ua"
)

// missedCalls is the list of missed calls, with what the process before has written down.
func (a *App) missedCalls() *missed.Book {
	if a.journal == nil {
		return missed.NewBook(func(string, *missed.Call) {}, nil, ua.SteadyClock())
	}
	var before []missed.Call
	for _, kept := range a.journal.All(journal.Missed) {
		var c missed.Call
		if err := snapshot.Decode(kept.Value, &c); err != nil {
			a.log.Error("a missed call cannot be read", "stub", kept.Key, "err", err)
			a.journal.Delete(journal.Missed, kept.Key)
			continue
		}
		before = append(before, c)
	}
	return missed.NewBook(func(id string, c *missed.Call) {
		if c == nil {
			a.journal.Delete(journal.Missed, id)
			return
		}
		b, err := snapshot.Encode(c)
		if err != nil {
			a.log.Error("bug: a missed call cannot be stored", "stub", id, "err", err)
			return
		}
		a.journal.Put(journal.Missed, id, b)
	}, before, a.journal.Clock().Now)
}

// reached takes a citizen off the list of missed calls whose call a desk has answered.
func (a *App) reached(hotline, e164, agent, ref string) {
	for _, e := range a.missed.Answered(hotline, e164, agent, ref, time.Now()) {
		a.Put(e, func(err error) {
			if err != nil {
				a.log.Error("a ticket entry is not on disk", "stub", e.StubID, "event", e.Event, "err", err)
			}
		})
	}
}

// resumeMissed puts the list right after a start: what a desk was calling may have ended with the process before, and a
// citizen may have been answered of whom it did not come to tell.
func (a *App) resumeMissed(calls []call.Call) {
	for _, c := range calls {
		if l, ok := c.Leg(c.Desk); ok && c.Met && c.Callback == nil {
			a.reached(c.Hotline, c.Caller.E164, l.Agent(), c.Ref)
		}
	}
	a.missed.Resume(callingBack(calls))
}

// callingBack are the calls by which citizens are called back who have not failed to answer, by the id of the missed
// call: of others the list has been told, and another desk may call.
func callingBack(calls []call.Call) map[string]string {
	on := map[string]string{}
	for _, c := range calls {
		if b := c.Callback; b != nil && (b.Result == "" || b.Result == call.ResultAnswered) {
			on[b.Stub] = c.Ref
		}
	}
	return on
}

// answersCitizen says whether an event of a call tells that its citizen was answered by a first desk.
func answersCitizen(it news.Item) bool {
	return it.Event == string(ticket.Answered) && it.Get("reason") != "callback"
}
