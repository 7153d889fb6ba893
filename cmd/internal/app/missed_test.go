package app

import (
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/missed"
	"liandong/routing/ticket"
)

// A call that goes on after the process has died keeps other desks from calling, even if the list was not told of it;
// one whose citizen did not answer keeps nobody.
func TestResumeMissed(t *testing.T) {
	now := time.Date(2024, 4, 3, 12, 0, 0, 0, time.UTC)
	a := &App{missed: missed.NewBook(func(string, *missed.Call) {}, nil, time.Now)}
	for _, id := range []string{"rings", "talks", "failed", "none"} {
		a.missed.Take(ticket.Entry{EventID: id, StubID: id, Event: ticket.Missed, At: now, To: "110",
			CallerE164: "+86138" + id, CallerStatus: "ok"})
		if _, err := a.missed.Begin(id, "1101", now); err != nil {
			t.Fatal(err)
		}
	}
	a.resumeMissed([]call.Call{
		{Ref: "other"},
		{Ref: "one", Callback: &call.Callback{Stub: "rings"}},
		{Ref: "two", Callback: &call.Callback{Stub: "talks", Result: call.ResultAnswered}},
		{Ref: "three", Callback: &call.Callback{Stub: "failed", Result: call.ResultNoAnswer}},
	})
	for id, ref := range map[string]string{"rings": "one", "talks": "two", "failed": "", "none": ""} {
		if c, _ := a.missed.Find(id); c.Ref != ref || (c.State == missed.Calling) != (ref != "") {
			t.Errorf("%s: %+v", id, c)
		}
	}
}
