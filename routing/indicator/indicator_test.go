package indicator

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"liandong/routing/category"
	"liandong/routing/matter"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

var (
	noon  = time.Date(2024, 4, 3, 12, 0, 0, 0, time.FixedZone("", 8*3600))
	kinds = category.List{{Code: "03", Owner: "12345", Modes: []string{ticket.TicketOnly}}, {Code: "08", Owner: "110"}}
)

// sums adds counts as package ledger does: each id once.
func sums(lists ...[]Count) map[string]Sums {
	seen, lines := map[string]bool{}, map[string]Sums{}
	for _, list := range lists {
		for _, c := range list {
			if seen[c.ID] {
				continue
			}
			seen[c.ID] = true
			if lines[c.Line] == nil {
				lines[c.Line] = Sums{}
			}
			lines[c.Line].Add(c.Adds)
		}
	}
	return lines
}

func entry(id string, event ticket.Event, with func(*ticket.Entry)) []Count {
	e := ticket.Entry{EventID: id, Event: event, At: noon, From: "110", To: "12345", Mode: ticket.Direct, CallRef: "c",
		KeyAt: noon}
	if with != nil {
		with(&e)
	}
	return OfEntry(matter.Matter{}, e, "12345", kinds)
}

func TestOfEntry(t *testing.T) {
	three := func(e *ticket.Entry) { e.Mode = ticket.ThreeWay; e.AnsweredAt = noon.Add(4 * time.Second) }
	got := sums(
		entry("1", ticket.Opened, nil), entry("1", ticket.Opened, nil), // read twice
		entry("2", ticket.Opened, three), entry("3", ticket.Opened,
			func(e *ticket.Entry) { e.Mode = ticket.TicketOnly; e.CallRef = "d" }),
		entry("4", ticket.Answered, three), entry("5", ticket.Abandoned, nil),
		entry("6", ticket.Failed, func(e *ticket.Entry) { e.Reason = "taken_back" }), entry("7", ticket.Failed, nil),
		entry("8", ticket.Decided, func(e *ticket.Entry) {
			e.DecidedOwner, e.DecisionBasis = "110",
				ticket.FirstReceiver
		}),
		entry("9", ticket.Decided, func(e *ticket.Entry) { e.DecidedOwner, e.DecisionBasis = "12345", ticket.Agreed }),
		entry("10", ticket.Enriched, func(e *ticket.Entry) { e.CategoryCode = "03" }),
		entry("11", ticket.Enriched, func(e *ticket.Entry) { e.CategoryCode = "08" }),
		entry("12", ticket.Overdue, func(e *ticket.Entry) { e.CategoryCode = "03" }), entry("13", ticket.Hotspot, nil),
		entry("14", ticket.Reminded, nil),
	)
	want := map[string]Sums{
		"110": {AskedDirect: 1, AskedThreeWay: 1, TicketOnly: 1, Due: 2, Answered: 1, ThreeWays: 1, KeyToAnswer: 4000,
			Abandoned: 1, TakenBack: 1,
			Unreached: 1, FirstReceiver: 1, Kept: 1, Agreed: 1, OtherMode: 1,
			bucketName(5): 1, bucketName(8): 1, bucketName(10): 1, bucketName(15): 1, bucketName(20): 1,
			bucketName(30): 1, bucketName(45): 1, bucketName(60): 1},
		"12345": {Overdue: 1, Hotspots: 1},
	}
	for line := range want {
		if !maps.Equal(got[line], want[line]) {
			t.Errorf("%s: %v, want %v", line, got[line], want[line])
		}
	}
	again := OfEntry(matter.Matter{CategoryCode: "03"}, ticket.Entry{Event: ticket.Answered, CategoryCode: "03",
		From: "110"}, "12345", kinds)
	if again[0].Adds[OtherMode] != 0 {
		t.Error("a category that is known already counts again")
	}
}

func TestOfUpdate(t *testing.T) {
	was := matter.Matter{Owner: "12345", From: "110", FirstFeedbackDue: noon, CloseDue: noon.Add(time.Hour)}
	u := func(id string, e matter.Event, at time.Time) matter.Update {
		return matter.Update{EventID: id, StubID: "s", Event: e, At: at}
	}
	answered, returned := was, was
	answered.FirstFeedbackAt, returned.Returns = noon, 1
	got := sums(
		OfUpdate(was, answered, u("1", matter.EventFirstFeedback, noon)),
		OfUpdate(was, answered, u("1", matter.EventFirstFeedback, noon)),
		OfUpdate(answered, answered, u("2", matter.EventFirstFeedback, noon)), // the next unit's
		OfUpdate(was, answered, u("3", matter.EventFirstFeedback, noon.Add(1))),
		OfUpdate(was, was, u("4", matter.EventClosed, noon.Add(time.Hour))),
		OfUpdate(was, was, u("5", matter.EventClosed, noon.Add(2*time.Hour))),
		OfUpdate(matter.Matter{Owner: "12345"}, was, u("6", matter.EventClosed, noon.Add(999*time.Hour))),
		OfUpdate(was, returned, u("7", matter.EventReturned, noon)),
		OfUpdate(returned, returned, u("8", matter.EventReturned, noon)),
		OfUpdate(was, was, u("9", matter.EventProgress, noon)),
	)
	if want := (Sums{Feedback: 2, FeedbackInTime: 1, Closed: 3, ClosedInTime: 2}); !maps.Equal(got["12345"], want) {
		t.Errorf("%v, want %v", got["12345"], want)
	}
	if want := (Sums{Returned: 1}); !maps.Equal(got["110"], want) {
		t.Errorf("%v, want %v", got["110"], want)
	}
}

func call(event string, after time.Duration, detail string) []Count {
	return OfCall(news.From(map[string]string{"event": event, "call_ref": "c", "hotline": "110", "detail": detail,
		"call_at": noon.Format(time.RFC3339Nano),
		"at":      noon.Add(after).Format(time.RFC3339Nano)}), kinds)
}

func TestOfCall(t *testing.T) {
	got := sums(
		call("arrived", 0, ""), call("arrived", 0, ""),
		// a second desk, after the first was lost
		call("answered", 15*time.Second, ""), call("answered", 90*time.Second, ""),
		call("three_way_ended", 60*time.Second, "30000"), call("three_way_ended", 60*time.Second, "30000"),
		call("three_way_ended", 99*time.Second, "10000"),
		call("three_way_ended", 0, "soon"), call("three_way_ended", 0, "-5"),
		// our own, unknown, none
		call("key", 0, "category 08"), call("key", 0, "category 77"), call("key", 0, "urgent"),
		// one call that is due
		call("key", 0, "category 03"), call("key", 0, "category 03"), entry("1", ticket.Opened, nil),
		call("talking", 0, "on"), OfCall(news.From(map[string]string{"event": "arrived"}), kinds), OfCall(nil, kinds),
	)["110"]
	want := Sums{Calls: 1, CallsAnswered: 1, CallsIn15s: 1, ThreeWayEnded: 2, ThreeWayMS: 40000, Due: 1, AskedDirect: 1}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if late := call("answered", 15*time.Second+1, ""); late[0].Adds[CallsIn15s] != 0 {
		t.Error("later than 15 s")
	}
}

// row finds an indicator and prints it as value, numerator and denominator.
func row(s Sums, d Diversion, name string) string {
	for _, r := range Of(s, d) {
		if r.Name != name {
			continue
		}
		text := fmt.Sprint(r.Of)
		if r.Among != nil {
			text += fmt.Sprint("/", *r.Among)
		}
		if r.Value != nil {
			text += fmt.Sprintf("=%.3g", *r.Value)
		}
		return text + r.Unit
	}
	return "none"
}

func TestOf(t *testing.T) {
	s := Sums{
		Calls: 12, CallsAnswered: 10, CallsIn15s: 9, Due: 8, AskedDirect: 5, AskedThreeWay: 2, TicketOnly: 1,
		TakenBack: 1, Kept: 1, Answered: 4, Abandoned: 1,
		KeyToAnswer: 10000, ThreeWays: 2, ThreeWayEnded: 2, ThreeWayMS: 90000, Returned: 3, bucketName(1): 1,
		bucketName(2): 2, bucketName(3): 4, bucketName(5): 4,
	}
	for name, want := range map[string]string{
		"calls": "12", "answered_in_15s": "9/10=0.9%", "handover_success": "4/7=0.571%", "abandoned": "1/7=0.143%",
		"wrongly_transferred": "3/6=0.5%",
		"key_to_answer_mean":  "10000/4=2.5s", "key_to_answer_p50": "4=2s", "key_to_answer_p95": "4=2.9s",
		"three_way_mean": "90000/2=45s",
		"closed_in_time": "0/0%", "diversion": "6/10=0.6%",
	} {
		if got := row(s, OfCalls, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := row(s, OfDue, "diversion"); got != "6/8=0.75%" {
		t.Error(got)
	}
	if got := row(Sums{Answered: 2}, OfCalls, "key_to_answer_p50"); got != "2=60s" { // both took longer than any bucket
		t.Error(got)
	}
	if got := row(Sums{}, OfCalls, "key_to_answer_p95"); got != "0s" {
		t.Error(got)
	}
}

func TestKeys(t *testing.T) {
	if got := HourKey("110", noon); got != "liandong:indicators:{110}:2024-04-03T12" {
		t.Error(got)
	}
	if got := DayKey("110", noon); got != "liandong:indicators:{110}:2024-04-03" {
		t.Error(got)
	}
}
