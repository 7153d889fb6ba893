package ticket

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"
)

var china = time.FixedZone("", 8*3600)

func at(ms int) time.Time { return time.Date(2024, 4, 3, 9, 30, 0, ms*1e6, china) }

// full is an entry with every field set.
func full() Entry {
	return Entry{
		EventID: "01HTHGQ7X0000000000000000A", StubID: "01HTHGQ7X0000000000000000B", Event: Answered, At: at(5),
		From: "110", To: "12345", Mode: Direct, CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		CallerE164: "+8613812345678", CallerRaw: "tel:013812345678", CallerStatus: "ok", CallerSource: "pai",
		Dialed: "110", FromAgent: "1101", CallAt: at(1), KeyAt: at(2),
		Result: "answered", Reason: "sip_200", AnsweredAt: at(4), ToAgent: "2101",
		DecidedOwner: "12345", DecisionBasis: Agreed, CategoryCode: "07", Category: "噪音", Urgency: Normal,
		Confidential: Open,
		Place:        "中山路1号", RegionCode: "130100", Title: "施工噪音", Content: "夜间施工", RecordingRef: "rec-1",
		FirstFeedbackDue: at(0).Add(2 * time.Hour), CloseDue: at(0).Add(48 * time.Hour),
		Waited: "12", MissedCount: "3", MissedFirst: at(1), MissedLast: at(3),
		Hotspot: "place", HotspotWindow: "7d", HotspotCount: "6",
	}
}

func TestFieldsFull(t *testing.T) {
	got := full().Fields()
	want := []string{
		"schema", "1", "event_id", "01HTHGQ7X0000000000000000A", "stub_id", "01HTHGQ7X0000000000000000B",
		"event", "answered", "at", "2024-04-03T09:30:00.005+08:00", "direction", "110_to_12345", "mode", "direct",
		"call_ref", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "caller_e164", "+8613812345678", "caller_raw",
		"tel:013812345678",
		"caller_status", "ok", "caller_source", "pai", "dialed", "110", "from_agent", "1101",
		"call_at", "2024-04-03T09:30:00.001+08:00", "key_at", "2024-04-03T09:30:00.002+08:00",
		"result", "answered", "reason", "sip_200", "answered_at", "2024-04-03T09:30:00.004+08:00", "to_agent", "2101",
		"decided_owner", "12345", "decision_basis", "agreed", "category_code", "07", "category", "噪音", "urgency",
		"normal",
		"confidential", "0", "place", "中山路1号", "region_code", "130100", "title", "施工噪音", "content", "夜间施工",
		"recording_ref", "rec-1", "first_feedback_due", "2024-04-03T11:30:00.000+08:00", "close_due",
		"2024-04-05T09:30:00.000+08:00",
		"waited_seconds", "12", "missed_count", "3", "missed_first", "2024-04-03T09:30:00.001+08:00",
		"missed_last", "2024-04-03T09:30:00.003+08:00",
		"hotspot", "place", "hotspot_window", "7d", "hotspot_count", "6",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

// ★ fields are always there, the rest when known.
func TestFieldsEmpty(t *testing.T) {
	got := Entry{}.Map()
	stars := []string{
		"schema", "event_id", "stub_id", "event", "at", "direction", "mode", "call_ref", "caller_e164", "caller_raw",
		"caller_status", "caller_source", "dialed", "from_agent", "call_at", "key_at",
	}
	for _, name := range stars {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if len(got) != len(stars) {
		t.Errorf("fields that are not known are printed: %v", got)
	}
}

// Every field of Entry goes out and comes back; a field that is added without a column fails here.
func TestParseFull(t *testing.T) {
	e := full()
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; name != "Address" && v.Field(i).IsZero() {
			t.Errorf("the full entry lacks %s", name)
		}
	}
	back, err := Parse(e.Map())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(back.Fields(), e.Fields()) || !back.At.Equal(e.At) {
		t.Fatalf("got  %q\nwant %q", back.Fields(), e.Fields())
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		change func(map[string]string)
		want   error
	}{
		"unknown field":  {func(m map[string]string) { m["later"] = "x" }, nil},
		"missing fields": {func(m map[string]string) { clear(m); m["schema"] = "1" }, nil},
		"time with Z":    {func(m map[string]string) { m["at"] = "2024-04-03T01:30:00Z" }, nil},
		"no schema":      {func(m map[string]string) { delete(m, "schema") }, ErrSchema},
		"schema 2":       {func(m map[string]string) { m["schema"] = "2" }, ErrSchema},
		"bad time":       {func(m map[string]string) { m["key_at"] = "13812345678" }, ErrField},
		"bad direction":  {func(m map[string]string) { m["direction"] = "13812345678" }, ErrField},
	} {
		m := full().Map()
		c.change(m)
		_, err := Parse(m)
		if !errors.Is(err, c.want) || err == nil != (c.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "13812345678") {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

// A caller without a number, or without anything, is told of by a word: ★ fields of an entry that says who called are
// never empty. The word is read as nothing.
func TestUnknownCaller(t *testing.T) {
	for _, raw := range []string{"", "anonymous"} {
		e := full()
		e.CallerE164, e.CallerRaw, e.CallerStatus, e.CallerSource = "", raw, "unavailable", ""
		for name, v := range e.Map() {
			if v == "" {
				t.Errorf("raw %q: %s is empty", raw, name)
			}
		}
		if m := e.Map(); m["caller_e164"] != "unknown" || m["caller_raw"] != cmp.Or(raw, "unknown") {
			t.Errorf("raw %q: %q", raw, m)
		}
		if back, err := Parse(e.Map()); err != nil || back != e || back.Validate() != nil {
			t.Errorf("raw %q: %v %v", raw, err, back.Validate())
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		field       string
		change      func(*Entry)
		deliverable bool
	}{
		{"", func(*Entry) {}, true},
		{"", func(e *Entry) { e.CallerStatus, e.CallerE164, e.CallerRaw = "unavailable", "", "anonymous" }, true},
		{"", func(e *Entry) { e.CallerE164 = "12345" }, true},
		{"", func(e *Entry) { e.Event = "something_new" }, true},
		{"event_id", func(e *Entry) { e.EventID = "x" }, false},
		{"stub_id", func(e *Entry) { e.StubID = "" }, false},
		{"direction", func(e *Entry) { e.To = "" }, false},
		{"direction", func(e *Entry) { e.To = "{110}" }, false},
		{"direction", func(e *Entry) { e.From = "a_to_b" }, false},
		{"direction", func(e *Entry) { e.Address = "1:2" }, false},
		{"event", func(e *Entry) { e.Event = "Opened!" }, true},
		{"at", func(e *Entry) { e.At = time.Time{} }, true},
		{"mode", func(e *Entry) { e.Mode = "" }, true},
		{"call_ref", func(e *Entry) { e.CallRef = "1" }, true},
		{"caller_e164", func(e *Entry) { e.CallerE164 = "sip:13812345678" }, true},
		{"caller_e164", func(e *Entry) { e.CallerE164 = "" }, true},
		{"caller_status", func(e *Entry) { e.CallerStatus = "" }, true},
		{"dialed", func(e *Entry) { e.Dialed = "" }, true},
		{"from_agent", func(e *Entry) { e.FromAgent = "" }, true},
		{"call_at", func(e *Entry) { e.CallAt = time.Time{} }, true},
		{"key_at", func(e *Entry) { e.KeyAt = time.Time{} }, true},
		{"result", func(e *Entry) { e.Result = "13812345678" }, true},
		{"decision_basis", func(e *Entry) { e.DecisionBasis = "x" }, true},
		{"decided_owner", func(e *Entry) { e.DecidedOwner = "" }, true},
		{"urgency", func(e *Entry) { e.Urgency = "x" }, true},
		{"confidential", func(e *Entry) { e.Confidential = "2" }, true},
	} {
		e := full()
		c.change(&e)
		err := e.Validate()
		var invalid Invalid
		if errors.As(err, &invalid); invalid.Field != c.field {
			t.Errorf("%s: got %v", c.field, err)
		}
		if got := e.Deliverable() == nil; got != c.deliverable {
			t.Errorf("%s: deliverable %v, want %v", c.field, got, c.deliverable)
		}
		if err != nil && strings.Contains(err.Error(), "13812345678") {
			t.Errorf("%s: the error quotes a number: %v", c.field, err)
		}
	}
}

func TestValidateReportsAll(t *testing.T) {
	text := fmt.Sprint(Entry{}.Validate())
	for _, want := range []string{
		"ticket: event_id: must be a ULID", "ticket: mode: must be one of direct three_way ticket_only",
		"ticket: dialed: must be set",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

func TestStream(t *testing.T) {
	if got := full().Stream(); got != "liandong:tickets:12345" {
		t.Error(got)
	}
	e := full()
	e.Address = "110"
	if got := e.Stream(); got != "liandong:tickets:110" {
		t.Error(got)
	}
}

func TestEntryHidesItsCaller(t *testing.T) {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "entry", full())
	e := full()
	text := b.String() + fmt.Sprintf("%v %+v %#v %s %v", e, e, e, e, &e)
	if strings.Contains(text, "13812345678") || !strings.Contains(text, e.StubID) {
		t.Error(text)
	}
}

func TestCleanText(t *testing.T) {
	e := full()
	e.CallerRaw = "\xff\x00" + strings.Repeat("号", 300)
	raw := e.Map()["caller_raw"]
	if len(raw) > 256 || !utf8.ValidString(raw) || strings.Contains(raw, "\x00") || len(raw) < 250 {
		t.Errorf("%d bytes: %q", len(raw), raw)
	}
}

func TestTimeKeepsItsOffset(t *testing.T) {
	e := full()
	e.At = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := e.Map()["at"]; got != "2024-01-02T03:04:05.000+00:00" {
		t.Error(got)
	}
}

func TestIDs(t *testing.T) {
	seeded := func() *IDs { return NewIDs(rand.NewChaCha8([32]byte{7})) }
	a, b := seeded(), seeded()
	last := ""
	for range 1000 {
		id := a.New(at(0))
		if id != b.New(at(0)) {
			t.Fatal("the same seed gives other ids")
		}
		if id <= last {
			t.Fatalf("%s does not come after %s", id, last)
		}
		last = id
	}
	if got := ulid.Time(ulid.MustParse(last).Time()); !got.Equal(at(0)) {
		t.Errorf("time %v, want %v", got, at(0))
	}
	if id := NewID(time.Time{}, bytes.NewReader(nil)); !isULID(id) { // no clock, no entropy
		t.Errorf("%q is no ULID", id)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1", "opened", "2024-04-03T09:30:00.000+08:00", "110_to_12345", "+8613812345678", "x\x00y")
	f.Add("1", "", "", "_to__to_", "\xff", strings.Repeat("汉", 10000))
	f.Add("2", "a", "b", "c", "d", "e")
	f.Fuzz(func(t *testing.T, schema, event, at, direction, caller, content string) {
		e, err := Parse(map[string]string{
			"schema": schema, "event": event, "at": at, "direction": direction, "caller_raw": caller,
			"content": content,
		})
		if err != nil {
			return
		}
		_ = e.Validate()
		printed := e.Fields()
		back, err := Parse(e.Map())
		if err != nil {
			t.Fatalf("cannot read what was printed: %v: %q", err, printed)
		}
		if !slices.Equal(back.Fields(), printed) {
			t.Fatalf("got  %q\nwant %q", back.Fields(), printed)
		}
	})
}

func BenchmarkFields(b *testing.B) {
	e := full()
	b.ReportAllocs()
	for b.Loop() {
		e.Fields()
	}
}

// What steers a terminal, breaks a line or turns the direction of reading does not come through.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[31mb": "a[31mb", "a\r\nb\tc": "a  b c", "a\x00b": "ab", "a\u202e1381\u202cb": "a1381b",
		"\u2066a\u2069\u200f\u061c": "a", "a\u2028b": "a b",
		"中山路1号": "中山路1号", "a\x80b": "a\uFFFDb", "👨\u200d👩": "👨\u200d👩",
	} {
		if got := Clean(in, 100); got != want || !IsPlain(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
