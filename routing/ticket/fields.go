package ticket

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// stamp is RFC 3339 with milliseconds and a numeric offset, +00:00 rather than Z, so that every time has one length.
const stamp = "2006-01-02T15:04:05.000-07:00"

// column is one field of an entry. The list below is the one place that knows the fields: printing, reading and
// checking all walk along it.
type column struct {
	name string
	star bool // always printed, empty when not known
	max  int  // bytes; longer text is cut
	get  func(*Entry) string
	set  func(*Entry, string) error
}

// columns in the order in which they are printed.
var columns = []column{
	{name: "schema", star: true, max: 8, get: func(*Entry) string { return Schema }, set: setSchema},
	text("event_id", star, 26, func(e *Entry) *string { return &e.EventID }),
	text("stub_id", star, 26, func(e *Entry) *string { return &e.StubID }),
	text("event", star, 32, func(e *Entry) *Event { return &e.Event }),
	moment("at", star, func(e *Entry) *time.Time { return &e.At }),
	{name: "direction", star: true, max: 80, get: func(e *Entry) string { return Clean(e.direction(), 80) },
		set: setDirection},
	text("mode", star, 32, func(e *Entry) *string { return &e.Mode }),
	text("call_ref", star, 64, func(e *Entry) *string { return &e.CallRef }),
	caller("caller_e164", 32, func(e *Entry) *string { return &e.CallerE164 }),
	caller("caller_raw", 256, func(e *Entry) *string { return &e.CallerRaw }),
	text("caller_status", star, 32, func(e *Entry) *string { return &e.CallerStatus }),
	caller("caller_source", 32, func(e *Entry) *string { return &e.CallerSource }),
	text("dialed", star, 64, func(e *Entry) *string { return &e.Dialed }),
	text("from_agent", star, 64, func(e *Entry) *string { return &e.FromAgent }),
	moment("call_at", star, func(e *Entry) *time.Time { return &e.CallAt }),
	moment("key_at", star, func(e *Entry) *time.Time { return &e.KeyAt }),
	text("result", known, 32, func(e *Entry) *string { return &e.Result }),
	text("reason", known, 128, func(e *Entry) *string { return &e.Reason }),
	moment("answered_at", known, func(e *Entry) *time.Time { return &e.AnsweredAt }),
	text("to_agent", known, 64, func(e *Entry) *string { return &e.ToAgent }),
	text("decided_owner", known, 32, func(e *Entry) *string { return &e.DecidedOwner }),
	text("decision_basis", known, 32, func(e *Entry) *Basis { return &e.DecisionBasis }),
	text("category_code", known, 64, func(e *Entry) *string { return &e.CategoryCode }),
	text("category", known, 256, func(e *Entry) *string { return &e.Category }),
	text("urgency", known, 32, func(e *Entry) *Urgency { return &e.Urgency }),
	text("confidential", known, 1, func(e *Entry) *Confidentiality { return &e.Confidential }),
	text("place", known, 1024, func(e *Entry) *string { return &e.Place }),
	text("region_code", known, 32, func(e *Entry) *string { return &e.RegionCode }),
	text("title", known, 1024, func(e *Entry) *string { return &e.Title }),
	text("content", known, 16384, func(e *Entry) *string { return &e.Content }),
	text("recording_ref", known, 128, func(e *Entry) *string { return &e.RecordingRef }),
	moment("first_feedback_due", known, func(e *Entry) *time.Time { return &e.FirstFeedbackDue }),
	moment("close_due", known, func(e *Entry) *time.Time { return &e.CloseDue }),
	text("waited_seconds", known, 8, func(e *Entry) *string { return &e.Waited }),
	text("missed_count", known, 8, func(e *Entry) *string { return &e.MissedCount }),
	moment("missed_first", known, func(e *Entry) *time.Time { return &e.MissedFirst }),
	moment("missed_last", known, func(e *Entry) *time.Time { return &e.MissedLast }),
	text("hotspot", known, 32, func(e *Entry) *string { return &e.Hotspot }),
	text("hotspot_window", known, 8, func(e *Entry) *string { return &e.HotspotWindow }),
	text("hotspot_count", known, 8, func(e *Entry) *string { return &e.HotspotCount }),
}

// The two kinds of field: ★ always present, the rest when known.
const (
	star  = true
	known = false
)

func text[T ~string](name string, star bool, max int, at func(*Entry) *T) column {
	return column{
		name: name, star: star, max: max,
		get: func(e *Entry) string { return Clean(string(*at(e)), max) },
		set: func(e *Entry, s string) error { *at(e) = T(s); return nil },
	}
}

// Unknown stands in the stream for what nobody knows of who called. It is read as nothing.
const Unknown = "unknown"

// caller is a ★ field of who called: where an entry tells of it, it is never empty.
func caller(name string, max int, at func(*Entry) *string) column {
	c := text(name, star, max, at)
	known := c.get
	c.get = func(e *Entry) string {
		if v := known(e); v != "" || e.CallerStatus == "" {
			return v
		}
		return Unknown
	}
	c.set = func(e *Entry, s string) error {
		if *at(e) = s; s == Unknown {
			*at(e) = ""
		}
		return nil
	}
	return c
}

func moment(name string, star bool, at func(*Entry) *time.Time) column {
	return column{
		name: name, star: star, max: len(stamp),
		get: func(e *Entry) string { return printTime(*at(e)) },
		set: func(e *Entry, s string) (err error) { *at(e), err = parseTime(s); return err },
	}
}

// Fields prints the entry as it stands in the stream: name, value, name, value … in a fixed order, the ★ fields
// always, the others when known. Text that came from outside is made fit to be read anywhere: broken UTF-8 is
// replaced and overlong text cut, since an entry with a scar is worth more than none.
func (e Entry) Fields() []string {
	flat := make([]string, 0, 2*len(columns))
	for i := range columns {
		c := &columns[i]
		if v := c.get(&e); v != "" || c.star {
			flat = append(flat, c.name, v)
		}
	}
	return flat
}

// Map is [Entry.Fields] as a map.
func (e Entry) Map() map[string]string {
	flat := e.Fields()
	m := make(map[string]string, len(flat)/2)
	for i := 0; i < len(flat); i += 2 {
		m[flat[i]] = flat[i+1]
	}
	return m
}

func (e Entry) direction() string {
	if e.From == "" && e.To == "" {
		return ""
	}
	return e.From + between + e.To
}

// between joins the hotlines of a direction; [Entry.Validate] refuses ids that hold it.
const between = "_to_"

func printTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(stamp)
}

// Clean makes s valid UTF-8 in one line, without control characters and marks that change the direction of what is read
// after them, and cuts it to max bytes at the border of a character.
func Clean(s string, max int) string {
	if s = strings.ToValidUTF8(s, "\uFFFD"); !IsPlain(s) {
		s = strings.Map(plain, s)
	}
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// IsPlain says that Clean would leave a valid text as it is: ESC could steer a terminal, a line break make two lines of
// a log, a mark of direction show a number backwards.
func IsPlain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return plain(r) != r }) < 0
}

// plain is what stands in the place of a character; -1: nothing.
func plain(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
		return ' '
	case unicode.IsControl(r), r == 0x61C, r == 0x200E, r == 0x200F, r >= 0x202A && r <= 0x202E,
		r >= 0x2066 && r <= 0x2069:
		return -1
	}
	return r
}
