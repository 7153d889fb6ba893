package matter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"liandong/routing/ticket"
)

// What is pending in each state: the clocks that run there, each with its reminder and its supervision.
func TestPending(t *testing.T) {
	p := policy
	p.Alarms = Alarms{Remind: time.Minute, Supervise: time.Hour, Recheck: 8 * time.Hour}
	want := map[State]string{
		Pushed: "receive", Received: "sign", Assigned: "first_feedback close", Feedback: "close", Returned: "close",
	}
	for state, way := range ways {
		var clocks []string
		list := p.Pending(walk(t, opened(), way...))
		for i := 0; i+2 < len(list); i += 3 {
			r, o, s := list[i], list[i+1], list[i+2]
			clocks = append(clocks, o.Why)
			if r.Event != ticket.Reminded || o.Event != ticket.Overdue || s.Event != ticket.Supervised ||
				!r.At.Equal(o.At.Add(-time.Minute)) || !s.At.Equal(o.At.Add(time.Hour)) {
				t.Errorf("%s: %+v", state, list)
			}
		}
		if got := strings.Join(clocks, " "); got != want[state] || len(list) != 3*len(clocks) {
			t.Errorf("%s: %q, want %q", state, got, want[state])
		}
	}
	if list := (Policy{}).Pending(walk(t, opened(), ways[Assigned]...)); fmt.Sprint(len(list)) != "2" {
		t.Errorf("only overdue is left when the others are off: %v", list)
	}
}

// Assigned twice and still open: looked at every morning, until it is closed.
func TestRecheck(t *testing.T) {
	p := Policy{Alarms: Alarms{Recheck: 8 * time.Hour}}
	m := walk(t, opened(), toAssigned...)
	if list := (Policy{Alarms: p.Alarms}).Pending(Matter{State: Assigned, Assignments: 1}); len(list) != 0 {
		t.Errorf("once: %v", list)
	}
	m = walk(t, m, EventAssigned) // 14:00
	m.FirstFeedbackDue, m.CloseDue = time.Time{}, time.Time{}
	list := p.Pending(m)
	morning := time.Date(2024, 4, 4, 8, 0, 0, 0, day.Location())
	if len(list) != 1 || list[0].Event != ticket.Recheck || list[0].Why != "2" || !list[0].At.Equal(morning) {
		t.Errorf("%+v", list)
	}
	if got := p.NextRecheck(morning); !got.Equal(morning.AddDate(0, 0, 1)) {
		t.Errorf("after that: %v", got)
	}
	if got := p.NextRecheck(morning.Add(-time.Second)); !got.Equal(morning) {
		t.Errorf("just before: %v", got)
	}
	if list := p.Pending(walk(t, m, EventClosed)); len(list) != 0 {
		t.Errorf("closed: %v", list)
	}
}

// The switch's own alarms are no news, but for being supervised.
func TestNoteAlarm(t *testing.T) {
	m := opened()
	for _, e := range []ticket.Event{ticket.Reminded, ticket.Overdue, ticket.Recheck} {
		if got := Note(m, ticket.Entry{StubID: stub, Event: e, At: at(time.Hour), Place: "x"}, policy); got != m {
			t.Errorf("%s: %+v", e, got)
		}
	}
	if got := Note(m, ticket.Entry{StubID: stub, Event: ticket.Supervised, At: at(time.Hour)},
		policy); got.Supervised != 1 || got.At != m.At {
		t.Errorf("%+v", got)
	}
}
