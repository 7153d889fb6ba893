package matter

import (
	"testing"
	"time"

	"liandong/routing/ticket"
)

var beijing = time.FixedZone("+08:00", 8*3600)

func clockTime(h, m int) time.Duration {
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
}

func dates(first, last string) Dates {
	from, err1 := time.Parse(time.DateOnly, first)
	to, err2 := time.Parse(time.DateOnly, last)
	if err1 != nil || err2 != nil {
		panic("a date of a test")
	}
	return Dates{from, to}
}

func office(zone *time.Location) *Calendar {
	return &Calendar{
		Zone:  zone,
		Hours: []Span{{clockTime(8, 30), clockTime(12, 0)}, {clockTime(14, 0), clockTime(17, 30)}},
		Days: [7]bool{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true,
			time.Friday: true},
		Holidays: []Dates{dates("2026-10-01", "2026-10-07"), dates("2027-01-01", "2027-01-03")},
		Workdays: []Dates{dates("2026-10-10", "2026-10-10")},
	}
}

func inZone(t *testing.T, s string, zone *time.Location) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestWorkingTime(t *testing.T) {
	c := office(beijing)
	for _, test := range []struct {
		name, from string
		limit      time.Duration
		want       string
	}{
		{"within a morning", "2026-09-21 09:00:00", 2 * time.Hour, "2026-09-21 11:00:00"},
		{"over lunch", "2026-09-21 11:00:00", 2 * time.Hour, "2026-09-21 15:00:00"},
		{"at lunch", "2026-09-21 13:00:00", 2 * time.Hour, "2026-09-21 16:00:00"},
		{"over night", "2026-09-21 16:30:00", 2 * time.Hour, "2026-09-22 09:30:00"},
		{"in the evening", "2026-09-21 22:00:00", 2 * time.Hour, "2026-09-22 10:30:00"},
		{"after midnight", "2026-09-22 03:00:00", 2 * time.Hour, "2026-09-22 10:30:00"},
		{"over the weekend", "2026-09-25 17:00:00", time.Hour, "2026-09-28 09:00:00"},
		{"on a Saturday", "2026-09-26 10:00:00", time.Hour, "2026-09-28 09:30:00"},

		{"at the opening", "2026-09-21 08:30:00", time.Hour, "2026-09-21 09:30:00"},
		{"a second before", "2026-09-21 08:29:59", time.Hour, "2026-09-21 09:30:00"},
		{"a second before the end", "2026-09-21 17:29:59", 2 * time.Second, "2026-09-22 08:30:01"},
		{"at the end", "2026-09-21 17:30:00", time.Hour, "2026-09-22 09:30:00"},
		{"until the end, and no further", "2026-09-21 15:30:00", 2 * time.Hour, "2026-09-21 17:30:00"},
		{"until noon", "2026-09-21 10:00:00", 2 * time.Hour, "2026-09-21 12:00:00"},
		{"a whole day in hours", "2026-09-21 08:30:00", 7 * time.Hour, "2026-09-21 17:30:00"},

		{"two days", "2026-09-21 15:00:07", 48 * time.Hour, "2026-09-23 15:00:07"},
		{"two days over a weekend", "2026-09-24 15:00:00", 48 * time.Hour, "2026-09-28 15:00:00"},
		{"two days from the night", "2026-09-21 22:00:00", 48 * time.Hour, "2026-09-24 08:30:00"},
		{"two days from lunch", "2026-09-21 12:00:00", 48 * time.Hour, "2026-09-23 14:00:00"},
		{"a day and an hour", "2026-09-21 17:00:00", 25 * time.Hour, "2026-09-23 09:00:00"},

		{"before the holidays", "2026-09-30 16:30:00", 2 * time.Hour, "2026-10-08 09:30:00"},
		{"on a holiday", "2026-10-03 10:00:00", 2 * time.Hour, "2026-10-08 10:30:00"},
		{"two days, on a holiday", "2026-10-01 10:00:00", 48 * time.Hour, "2026-10-10 08:30:00"},
		{"on a make-up Saturday", "2026-10-10 09:00:00", 2 * time.Hour, "2026-10-10 11:00:00"},
		{"into it", "2026-10-09 17:00:00", time.Hour, "2026-10-10 09:00:00"},
		{"two days from Friday over it", "2026-10-09 10:00:00", 48 * time.Hour, "2026-10-12 10:00:00"},
		{"from it", "2026-10-10 17:00:00", time.Hour, "2026-10-12 09:00:00"},
		{"over New Year", "2026-12-31 17:00:00", time.Hour, "2027-01-04 09:00:00"},
		{"two days over New Year", "2026-12-31 10:00:00", 48 * time.Hour, "2027-01-05 10:00:00"},
		{"over a leap day", "2028-02-28 10:00:00", 48 * time.Hour, "2028-03-01 10:00:00"},
		{"a year of working days", "2028-01-03 10:00:00", 365 * 24 * time.Hour, "2029-05-28 10:00:00"},
	} {
		if got := c.Due(inZone(t, test.from, beijing), test.limit); !got.Equal(inZone(t, test.want, beijing)) {
			t.Errorf("%s: %v after %s: %v, want %s", test.name, test.limit, test.from, got, test.want)
		}
	}
}

// The zone that counts is the calendar's; the answer is in that of the question.
func TestWorkingTimeOfOtherZones(t *testing.T) {
	from := time.Date(2026, 9, 21, 14, 0, 0, 0, time.UTC) // 22:00 in Beijing
	got := office(beijing).Due(from, 2*time.Hour)
	if want := time.Date(2026, 9, 22, 2, 30, 0, 0, time.UTC); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	from = time.Date(2026, 9, 21, 7, 0, 0, 0, time.UTC) // 15:00 in Beijing
	if got := office(beijing).Due(from, 48*time.Hour); got != from.AddDate(0, 0, 2) {
		t.Errorf("two days: %v", got)
	}
}

// Berlin goes from 02:00 to 03:00 on 2026-03-29, and back from 03:00 to 02:00 on 2026-10-25.
func TestWorkingTimeWhenClocksChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones here: ", err)
	}
	allDay := &Calendar{Zone: berlin, Hours: []Span{{0, wholeDay}},
		Days: [7]bool{true, true, true, true, true, true, true}}
	split := &Calendar{Zone: berlin, Days: allDay.Days, Hours: []Span{{clockTime(2, 0), clockTime(2, 30)},
		{clockTime(2, 30), clockTime(4, 0)}}}
	early := &Calendar{Zone: berlin, Days: allDay.Days, Hours: []Span{{clockTime(1, 0), clockTime(2, 30)},
		{clockTime(3, 0), clockTime(4, 0)}}}
	week := office(berlin)
	for _, test := range []struct {
		cal   *Calendar
		from  string
		limit time.Duration
		want  string
	}{
		{week, "2026-03-27 17:00:00", time.Hour, "2026-03-30 09:00:00"},
		{week, "2026-10-23 17:00:00", time.Hour, "2026-10-26 09:00:00"},
		{week, "2026-03-27 15:00:00", 24 * time.Hour, "2026-03-30 15:00:00"},
		{allDay, "2026-03-28 12:00:00", 24 * time.Hour, "2026-03-29 12:00:00"}, // though 23 h
		{allDay, "2026-10-24 12:00:00", 24 * time.Hour, "2026-10-25 12:00:00"}, // though 25 h
		{allDay, "2026-03-29 00:00:00", 4 * time.Hour, "2026-03-29 05:00:00"},  // hours are real ones
		{allDay, "2026-10-25 00:00:00", 4 * time.Hour, "2026-10-25 03:00:00"},
		{split, "2026-03-28 23:00:00", 30 * time.Minute, "2026-03-29 03:30:00"}, // 02:00 is not there
		{early, "2026-03-29 01:00:00", 2 * time.Hour, "2026-03-29 04:00:00"},    // nor 02:30, and no hour counts twice
	} {
		if got := test.cal.Due(inZone(t, test.from, berlin), test.limit); !got.Equal(inZone(t, test.want, berlin)) {
			t.Errorf("%v after %s: %v, want %s", test.limit, test.from, got, test.want)
		}
	}
}

// In small steps over a year with every oddity: a later begin never ends earlier, nor a longer limit; nothing ends
// before it began, and nothing of hours ends outside working time.
func TestWorkingTimeIsSteady(t *testing.T) {
	c := office(beijing)
	limits := []time.Duration{time.Minute, 2 * time.Hour, 7 * time.Hour, 24 * time.Hour, 48 * time.Hour,
		120 * time.Hour}
	last := make([]time.Time, len(limits))
	for from := inZone(t, "2026-09-01 00:00:00", beijing); from.Year() < 2027 ||
		from.Month() == 1; from = from.Add(17 * time.Minute) {
		before := from
		for i, limit := range limits {
			got := c.Due(from, limit)
			if got.Before(last[i]) || got.Before(before) {
				t.Fatalf("%v after %v: %v, before %v or %v", limit, from, got, last[i], before)
			}
			since := clockTime(got.Hour(), got.Minute())
			if since < c.Hours[0].From || since > c.Hours[1].To || since > c.Hours[0].To && since < c.Hours[1].From {
				t.Fatalf("%v after %v: %v is outside working time", limit, from, got)
			}
			last[i], before = got, got
		}
	}
}

// Where there is no work, or never enough of it, time counts by the clock: early is better than never.
func TestNoWorkingTime(t *testing.T) {
	always := [7]bool{true, true, true, true, true, true, true}
	hours := office(beijing).Hours
	for name, c := range map[string]*Calendar{
		"empty":    {Zone: beijing},
		"no hours": {Zone: beijing, Days: always},
		"no days":  {Zone: beijing, Hours: hours},
		"holidays": {Zone: beijing, Hours: hours, Days: always,
			Holidays: []Dates{dates("0001-01-01", "9999-12-31")}},
		"backwards": {Zone: beijing, Hours: []Span{{clockTime(17, 0), clockTime(8, 0)}}, Days: always},
		"a last day": {Zone: beijing, Hours: []Span{{clockTime(8, 0), clockTime(8, 1)}},
			Workdays: []Dates{dates("2026-10-10", "2026-10-10")}},
		"no time yet": {Zone: beijing, Hours: hours, Workdays: []Dates{dates("2126-10-10", "2127-10-10")}},
	} {
		from := inZone(t, "2026-10-01 09:00:00", beijing)
		for _, limit := range []time.Duration{2 * time.Hour, 48 * time.Hour, 8760 * time.Hour} {
			if got := c.Due(from, limit); !got.Equal(from.Add(limit)) {
				t.Errorf("%s: %v after %v is %v", name, limit, from, got)
			}
		}
	}
}

// Limits count by the calendar unless the line or the category says otherwise, the category first.
func TestCounts(t *testing.T) {
	p := policy
	p.Calendar = office(beijing)
	p.Hotlines = map[string]Limits{"110": {Counts: ByClock}}
	p.Categories = map[string]Limits{"01": {Counts: ByCalendar}, "02": {Counts: ByClock}}
	night := inZone(t, "2026-09-21 22:00:00", beijing)
	morning := inZone(t, "2026-09-22 08:40:00", beijing)
	for _, test := range []struct {
		to, category string
		want         time.Time
	}{
		{"12345", "", morning}, {"110", "", night.Add(10 * time.Minute)},
		{"110", "01", morning}, {"12345", "02", night.Add(10 * time.Minute)},
	} {
		e := ticket.Entry{StubID: stub, Event: ticket.Opened, At: night, From: "119", To: test.to,
			CategoryCode: test.category}
		if m := Note(Matter{}, e, p); !m.ReceiveDue.Equal(test.want) {
			t.Errorf("%+v: receive_due %v", test, m.ReceiveDue)
		} else if m, err := Step(m, Update{Event: EventReceived, At: night}, p); err != nil ||
			!m.SignDue.Equal(test.want.Add(20*time.Minute)) {
			t.Errorf("%+v: sign_due %v %v", test, m.SignDue, err)
		}
	}
	p.Counts = ByClock
	if m := Note(Matter{}, ticket.Entry{StubID: stub, Event: ticket.Opened, At: night, To: "12345"},
		p); !m.ReceiveDue.Equal(night.Add(10 * time.Minute)) {
		t.Errorf("by the clock for all: %v", m.ReceiveDue)
	}
}

// Every clock of a matter follows; so does a change of category on the way; reminders are by the clock.
func TestMatterInWorkingTime(t *testing.T) {
	p := policy
	p.Calendar, p.Remind, p.Supervise = office(beijing), 30*time.Minute, wholeDay
	p.Categories = map[string]Limits{"02": {Counts: ByClock}}
	friday := inZone(t, "2026-09-25 17:00:00", beijing)
	m := Note(Matter{}, ticket.Entry{StubID: stub, Event: ticket.Opened, At: friday, From: "110", To: "12345"}, p)
	for _, e := range toAssigned {
		next, err := Step(m, Update{Event: e, At: friday}, p)
		if err != nil {
			t.Fatal(err)
		}
		m = next
	}
	for name, test := range map[string]struct {
		got  time.Time
		want string
	}{
		"sign": {m.SignDue, "2026-09-25 17:30:00"}, "first_feedback": {m.FirstFeedbackDue, "2026-09-28 10:00:00"},
		"close":      {m.CloseDue, "2026-09-29 17:00:00"},
		"reminded":   {p.Pending(m)[0].At, "2026-09-28 09:30:00"},
		"supervised": {p.Pending(m)[2].At, "2026-09-29 10:00:00"},
	} {
		if !test.got.Equal(inZone(t, test.want, beijing)) {
			t.Errorf("%s: %v, want %s", name, test.got, test.want)
		}
	}
	m = Note(m, ticket.Entry{StubID: stub, Event: ticket.Enriched, At: friday.Add(time.Minute), CategoryCode: "02"}, p)
	if !m.FirstFeedbackDue.Equal(friday.Add(2*time.Hour)) || !m.CloseDue.Equal(friday.Add(48*time.Hour)) {
		t.Errorf("a category by the clock: %v, %v", m.FirstFeedbackDue, m.CloseDue)
	}
}
