package matter

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/routing/ticket"
)

const stub = "01HTHGQ7X0000000000000000B"

var day = time.Date(2024, 4, 3, 9, 0, 0, 0, time.FixedZone("", 8*3600))

func at(d time.Duration) time.Time { return day.Add(d) }

var policy = Policy{Limits: Limits{Receive: 10 * time.Minute, Sign: 30 * time.Minute, FirstFeedback: 2 * time.Hour,
	Close: 48 * time.Hour}}

func opened() Matter {
	return Note(Matter{}, ticket.Entry{StubID: stub, Event: ticket.Opened, At: day, From: "110", To: "12345",
		Mode: ticket.Direct, CallRef: "c"}, policy)
}

// walk takes events, each an hour after the last, and fails on the first that is refused.
func walk(t *testing.T, m Matter, events ...Event) Matter {
	t.Helper()
	for _, e := range events {
		next, err := Step(m, Update{Event: e, At: m.At.Add(time.Hour), DueAt: due(m, e)}, policy)
		if err != nil {
			t.Fatalf("%s in state %s: %v", e, m.State, err)
		}
		m = next
	}
	return m
}

func due(m Matter, e Event) time.Time {
	if e == EventExtensionGranted {
		return m.CloseDue.Add(24 * time.Hour)
	}
	return time.Time{}
}

var toAssigned = []Event{EventReceived, EventSigned, EventAccepted, EventAssigned}

// ways lead to each state.
var ways = map[State][]Event{
	Pushed:   {},
	Received: toAssigned[:1],
	Signed:   toAssigned[:2],
	Accepted: toAssigned[:3],
	Assigned: toAssigned,
	Feedback: slices.Concat(toAssigned, []Event{EventFirstFeedback}),
	Closed:   slices.Concat(toAssigned, []Event{EventClosed}),
	Visited:  slices.Concat(toAssigned, []Event{EventClosed, EventVisited}),
	Archived: slices.Concat(toAssigned, []Event{EventClosed, EventVisited, EventArchived}),
	Returned: slices.Concat(toAssigned, []Event{EventReturned}),
	Reopened: slices.Concat(toAssigned, []Event{EventClosed, EventReopened}),
}

// The whole table, state by state: what is possible, and where it leads. What is not in it is refused.
func TestLife(t *testing.T) {
	life := map[State]string{
		Pushed:   "received>RECEIVED supervised>PUSHED",
		Received: "returned>RETURNED signed>SIGNED supervised>RECEIVED",
		Signed:   "accepted>ACCEPTED returned>RETURNED supervised>SIGNED",
		Accepted: "assigned>ASSIGNED progress>ACCEPTED returned>RETURNED supervised>ACCEPTED",
		Assigned: "assigned>ASSIGNED closed>CLOSED extension_requested>ASSIGNED first_feedback>FEEDBACK progress>ASSIGNED returned>RETURNED supervised>ASSIGNED",
		Feedback: "assigned>ASSIGNED closed>CLOSED extension_requested>FEEDBACK progress>FEEDBACK returned>RETURNED supervised>FEEDBACK",
		Returned: "assigned>ASSIGNED supervised>RETURNED",
		Reopened: "assigned>ASSIGNED supervised>REOPENED",
		Closed:   "reopened>REOPENED visited>VISITED",
		Visited:  "archived>ARCHIVED reopened>REOPENED",
		Archived: "",
	}
	for state, way := range ways {
		m := walk(t, opened(), way...)
		if m.State != state {
			t.Fatalf("%v leads to %s, want %s", way, m.State, state)
		}
		var got []string
		for _, e := range eventNames {
			next, err := Step(m, Update{Event: Event(e), At: m.At}, policy)
			if err != nil {
				if !reflect.DeepEqual(next, m) {
					t.Errorf("%s in state %s is refused and changes the matter", e, state)
				}
				continue
			}
			got = append(got, fmt.Sprintf("%s>%s", e, next.State))
		}
		if strings.Join(got, " ") != life[state] {
			t.Errorf("%s: %v, want %s", state, got, life[state])
		}
	}
}

func TestRefusalSaysWhatIsPossible(t *testing.T) {
	_, err := Step(walk(t, opened(), ways[Closed]...), Update{Event: EventSigned, At: day}, policy)
	var r Refused
	if !errors.As(err, &r) || r.Reason != IllegalStep ||
		r.Detail != "signed in state CLOSED; possible: reopened visited" {
		t.Errorf("%v", err)
	}
	_, err = Step(walk(t, opened(), ways[Archived]...), Update{Event: EventSigned, At: day}, policy)
	if !errors.As(err, &r) || !strings.HasSuffix(r.Detail, "possible: nothing") {
		t.Errorf("%v", err)
	}
}

func TestClocks(t *testing.T) {
	m := opened()
	if !m.ReceiveDue.Equal(at(10 * time.Minute)) {
		t.Errorf("receive by %v", m.ReceiveDue)
	}
	m = walk(t, m, EventReceived) // 10:00
	if !m.SignDue.Equal(at(90 * time.Minute)) {
		t.Errorf("sign by %v", m.SignDue)
	}
	m = walk(t, m, EventSigned, EventAccepted, EventAssigned) // 13:00
	if !m.FirstFeedbackDue.Equal(at(6*time.Hour)) || !m.CloseDue.Equal(at(52*time.Hour)) {
		t.Errorf("feedback by %v, close by %v", m.FirstFeedbackDue, m.CloseDue)
	}
	next := walk(t, m, EventFirstFeedback, EventAssigned)
	if next.Assignments != 2 || !next.CloseDue.Equal(m.CloseDue) || next.FirstFeedbackAt.IsZero() {
		t.Errorf("given to the next unit: %+v", next)
	}
	anew := walk(t, m, EventFirstFeedback, EventReturned, EventAssigned) // 16:00
	if anew.Returns != 1 || !anew.FirstFeedbackDue.Equal(at(9*time.Hour)) || !anew.FirstFeedbackAt.IsZero() {
		t.Errorf("returned and assigned: %+v", anew)
	}
}

func TestLateClosingNeedsReason(t *testing.T) {
	m := walk(t, opened(), ways[Assigned]...)
	late := Update{Event: EventClosed, At: m.CloseDue.Add(time.Millisecond)}
	var r Refused
	if _, err := Step(m, late, policy); !errors.As(err, &r) || r.Reason != LateWithoutReason {
		t.Errorf("late without a reason: %v", err)
	}
	late.ReasonCode = "R07"
	if got, err := Step(m, late, policy); err != nil || got.ReasonCode != "R07" || got.State != Closed {
		t.Errorf("late with a reason: %v", err)
	}
	if _, err := Step(m, Update{Event: EventClosed, At: m.CloseDue}, policy); err != nil {
		t.Errorf("in time: %v", err)
	}
	if _, err := Step(walk(t, opened(), ways[Assigned]...), late, Policy{}); err != nil {
		t.Error("with no limit nothing is late:", err)
	}
}

func TestExtension(t *testing.T) {
	m := walk(t, opened(), ways[Assigned]...)
	var r Refused
	for _, e := range []Event{EventExtensionGranted, EventExtensionDenied} {
		if _, err := Step(m, Update{Event: e, At: m.At, DueAt: m.CloseDue.Add(time.Hour)}, policy); !errors.As(err,
			&r) || r.Reason != NoExtension {
			t.Errorf("%s unasked: %v", e, err)
		}
	}
	m = walk(t, m, EventExtensionRequested)
	for _, due := range []time.Time{{}, m.CloseDue} {
		if _, err := Step(m, Update{Event: EventExtensionGranted, At: m.At, DueAt: due}, policy); !errors.As(err, &r) ||
			r.Reason != MissingDue {
			t.Errorf("granted until %v: %v", due, err)
		}
	}
	granted := walk(t, m, EventExtensionGranted)
	if granted.Extension != "granted" || !granted.CloseDue.Equal(m.CloseDue.Add(24*time.Hour)) ||
		granted.State != Assigned {
		t.Errorf("%+v", granted)
	}
	if denied := walk(t, m, EventExtensionDenied); denied.Extension != "denied" || !denied.CloseDue.Equal(m.CloseDue) {
		t.Errorf("%+v", denied)
	}
}

func TestReopenedIsOpen(t *testing.T) {
	m := walk(t, opened(), ways[Visited]...)
	if m.Open() {
		t.Error("visited and still open")
	}
	if m = walk(t, m, EventReopened); !m.Open() || !m.ClosedAt.IsZero() || !m.VisitedAt.IsZero() {
		t.Errorf("%+v", m)
	}
}

func TestNote(t *testing.T) {
	m := opened()
	p := Policy{Limits: policy.Limits, Hotlines: map[string]Limits{"110": {Receive: time.Minute}},
		Categories: map[string]Limits{"07": {Close: time.Hour}}}
	m = Note(m, ticket.Entry{StubID: stub, Event: ticket.Decided, At: at(time.Second), DecidedOwner: "110",
		Urgency: ticket.Critical}, p)
	m = Note(m, ticket.Entry{StubID: stub, Event: ticket.Enriched, At: at(0), CategoryCode: "07", Category: "噪音",
		Urgency: ticket.Normal}, p)
	if m.Owner != "110" || m.Urgency != "critical" || !m.At.Equal(at(time.Second)) || !m.OpenedAt.Equal(day) ||
		m.Category != "噪音" {
		t.Errorf("%+v", m)
	}
	if !m.ReceiveDue.Equal(at(time.Minute)) {
		t.Errorf("the owner's limit does not hold: %v", m.ReceiveDue)
	}
	m = walk(t, m, EventReceived, EventSigned, EventAccepted)
	if m, _ = Step(m, Update{Event: EventAssigned, At: m.At}, p); !m.CloseDue.Equal(m.AssignedAt.Add(time.Hour)) {
		t.Errorf("the category's limit does not hold: %v", m.CloseDue)
	}
}

// A category that is known late brings its limits: the clocks that run are set anew, but for what the ticket system has
// set.
func TestLateCategory(t *testing.T) {
	p := Policy{
		Limits: Limits{Receive: time.Hour, Sign: time.Hour, FirstFeedback: 2 * time.Hour, Close: 48 * time.Hour},
		Categories: map[string]Limits{"07": {Receive: time.Minute, Sign: 2 * time.Minute,
			FirstFeedback: 3 * time.Minute, Close: 4 * time.Minute}},
	}
	late := ticket.Entry{StubID: stub, Event: ticket.Enriched, At: at(time.Hour), CategoryCode: "07", Title: "夜间施工"}
	step := func(m Matter, us ...Update) Matter {
		for _, u := range us {
			next, err := Step(m, u, p)
			if err != nil {
				t.Fatal(err)
			}
			m = next
		}
		return m
	}
	m := Note(Matter{}, ticket.Entry{StubID: stub, Event: ticket.Opened, At: day, From: "110", To: "12345"}, p)
	if got := Note(m, late, p); !got.ReceiveDue.Equal(at(time.Minute)) || got.Title != "夜间施工" {
		t.Errorf("pushed: %+v", got)
	}
	m = step(m, Update{Event: EventReceived, At: day})
	if got := Note(m, late, p); !got.SignDue.Equal(at(2 * time.Minute)) {
		t.Errorf("received: %v", got.SignDue)
	}
	m = step(m, Update{Event: EventSigned, At: day}, Update{Event: EventAccepted, At: day})
	given := step(m, Update{Event: EventAssigned, At: day, DueAt: at(9 * time.Hour)})
	if got := Note(given, late, p); !got.FirstFeedbackDue.Equal(at(3*time.Minute)) ||
		!got.CloseDue.Equal(at(9*time.Hour)) {
		t.Errorf("the ticket system's own date: %+v", got)
	}
	m = step(m, Update{Event: EventAssigned, At: day}, Update{Event: EventFirstFeedback, At: at(time.Minute)})
	if got := Note(m, late, p); !got.FirstFeedbackDue.Equal(m.FirstFeedbackDue) ||
		!got.CloseDue.Equal(at(4*time.Minute)) {
		t.Errorf("answered already: %+v", got)
	}
	if got := Note(m, ticket.Entry{StubID: stub, Event: ticket.Enriched, At: at(time.Hour), CategoryCode: "99"},
		p); got.Category != "" || !got.CloseDue.Equal(m.CloseDue) {
		t.Errorf("a code without a name: %+v", got)
	}
}

// full is a matter with every field set.
func full() Matter {
	var m Matter
	for i, v := 0, reflect.ValueOf(&m).Elem(); i < v.NumField(); i++ {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("v", i))
		case reflect.Int:
			f.SetInt(int64(i))
		default:
			f.Set(reflect.ValueOf(at(time.Duration(i) * time.Millisecond)))
		}
	}
	return m
}

// Every field of a matter is in the hash, and comes back from it.
func TestFieldsAndBack(t *testing.T) {
	for _, m := range []Matter{full(), opened(), {}} {
		flat := m.Fields()
		if got := len(flat) / 2; reflect.DeepEqual(m, full()) && got != reflect.TypeFor[Matter]().NumField()+1 {
			t.Errorf("%d fields", got)
		}
		hash := map[string]string{"unknown": "x"}
		for f := range slices.Chunk(flat, 2) {
			hash[f[0]] = f[1]
		}
		back, err := Parse(hash)
		if err != nil || !slices.Equal(back.Fields(), flat) {
			t.Errorf("%v: %v, want %v", err, back.Fields(), flat)
		}
	}
	for _, bad := range []map[string]string{{}, {"schema": "2"}, {"schema": "1", "at": "x"},
		{"schema": "1", "returns": "x"}} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%v is read", bad)
		}
	}
}

func update(with ...string) map[string]string {
	f := map[string]string{"event_id": "e1", "stub_id": stub, "event": "assigned",
		"at": "2024-04-03T09:30:00.000+08:00"}
	for p := range slices.Chunk(with, 2) {
		f[p[0]] = p[1]
	}
	return f
}

func TestParseUpdate(t *testing.T) {
	u, err := ParseUpdate(update("unit_name", "城管局", "due_at", "2024-04-05T00:00:00Z", "text", "a\x00\xff", "other",
		"x"))
	if err != nil || u.UnitName != "城管局" || u.DueAt.IsZero() || u.Text != "a\uFFFD" || u.Event != EventAssigned {
		t.Errorf("%+v %v", u, err)
	}
	for field, bad := range map[string]string{
		"event_id": strings.Repeat("x", 65), "stub_id": "13812345678", "event": "flown", "at": "yesterday",
		"due_at": "13812345678",
	} {
		for _, v := range []string{bad, ""} {
			_, err := ParseUpdate(update(field, v))
			if v == "" && field == "due_at" {
				continue
			}
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), field+": must be") ||
				strings.Contains(err.Error(), "138") {
				t.Errorf("%s=%q: %v", field, v, err)
			}
		}
	}
}

func FuzzParseUpdate(f *testing.F) {
	f.Add("e", stub, "closed", "2024-04-03T09:30:00.000+08:00", "text", "")
	f.Add("\xff", stub[:20]+"汉汉", "signed", "2024", "\x00", "x")
	f.Fuzz(func(t *testing.T, id, stub, event, at, text, due string) {
		u, err := ParseUpdate(map[string]string{"event_id": id, "stub_id": stub, "event": event, "at": at, "text": text,
			"due_at": due})
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		for _, m := range []Matter{opened(), {}} {
			next, err := Step(m, u, policy)
			if _, refused := errors.AsType[Refused](err); err != nil && !refused {
				t.Fatal(err)
			}
			if _, err := Parse(hash(next)); err != nil {
				t.Fatalf("%v: %q", err, next.Fields())
			}
		}
	})
}

func hash(m Matter) map[string]string {
	h := map[string]string{}
	for f := range slices.Chunk(m.Fields(), 2) {
		h[f[0]] = f[1]
	}
	return h
}

// A date that cannot be meant is refused by name; a stub's id in lower case is the same stub.
func TestUpdateWithinReason(t *testing.T) {
	fields := func(at, due string) map[string]string {
		return map[string]string{"event_id": "1", "stub_id": "01hthgq7x0000000000000000b", "event": "assigned",
			"at": at, "due_at": due}
	}
	const at = "2024-04-03T09:30:00.000+08:00"
	for _, c := range []struct{ at, due, fault string }{
		{at, "", ""}, {at, "2024-04-05T09:30:00+08:00", ""}, {at, "2034-04-03T09:30:00+08:00", ""},
		{at, "2024-04-03T09:30:00+08:00", "due_at"}, {at, "2023-04-05T09:30:00+08:00", "due_at"},
		{at, "2035-04-05T09:30:00+08:00", "due_at"},
		{at, "9999-04-05T09:30:00+08:00", "due_at"}, {"1970-01-01T00:00:00Z", "", "at: "},
		{"9999-01-01T00:00:00Z", "", "at: "},
	} {
		u, err := ParseUpdate(fields(c.at, c.due))
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s %s: %v", c.at, c.due, err)
		}
		if err == nil && u.StubID != "01HTHGQ7X0000000000000000B" {
			t.Error(u.StubID)
		}
	}
}
