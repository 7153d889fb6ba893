package configs

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var setCalendar = []string{
	"matters.calendar.hours=08:30-12:00,14:00-17:30", "matters.calendar.days=mon,tue,wed,thu,fri",
	"matters.calendar.holidays=2026-10-01..2026-10-07,2027-01-01", "matters.calendar.workdays=[2026-10-10]",
	"zone=+08:00",
}

func TestCalendar(t *testing.T) {
	p := load(t, "lab.yaml", setCalendar...).Ledger().Policy
	from := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC) // 17:00
	for limit, want := range map[time.Duration]time.Time{
		2 * time.Hour:  time.Date(2026, 10, 8, 2, 0, 0, 0, time.UTC),
		72 * time.Hour: time.Date(2026, 10, 10, 9, 0, 0, 0, time.UTC),
	} {
		if got := p.Calendar.Due(from, limit); !got.Equal(want) {
			t.Errorf("%v: %v, want %v", limit, got, want)
		}
	}
	if load(t, "lab.yaml").Ledger().Policy.Calendar != nil {
		t.Error("a calendar that nobody has asked for")
	}
}

// A limit by the clock may be of any length.
func TestLimitsByClock(t *testing.T) {
	load(t, "lab.yaml", append([]string{"matters.counts=clock", "matters.close=30h", "matters.hotlines.110.close=30h"},
		setCalendar...)...)
}

// A part of a day may end at midnight, and the week begins with its Sunday.
func TestCalendarEdges(t *testing.T) {
	c := load(t, "lab.yaml", "matters.calendar.hours=0:00-24:00", "matters.calendar.days=sun", "zone=+08:00")
	if h := c.Matters.Calendar.Hours[0]; h.From != 0 || h.To != 24*time.Hour || spanText(h) != "00:00-24:00" {
		t.Errorf("%+v", h)
	}
	if days := c.Ledger().Policy.Calendar.Days; !days[time.Sunday] || days[time.Monday] || days[time.Saturday] {
		t.Errorf("%v", days)
	}
}

// Who gives a calendar and forgets the emergency line is told.
func TestEmergencyByCalendar(t *testing.T) {
	for set, want := range map[string]int{
		"lang=en": 1, "matters.hotlines.110.counts=calendar": 1, "matters.hotlines.110.counts=clock": 0,
		"matters.counts=clock": 0,
	} {
		c := load(t, "lab.yaml", append([]string{set}, setCalendar...)...)
		if got := warned(c); len(got) != want || want == 1 &&
			!strings.Contains(got.Error(), "matters.hotlines.110.counts: clock") {
			t.Errorf("%s: %v", set, got)
		}
	}
}

// What the pages show is right, and keeps the emergency line awake.
func TestCalendarOnPages(t *testing.T) {
	block := regexp.MustCompile("(?s)```\n(matters:\n  calendar:.*?)```\n")
	for _, name := range []string{"docs/tickets.md", "docs/tickets.zh.md"} {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := block.FindSubmatch(page)
		if found == nil {
			t.Fatal("no calendar in ", name)
		}
		c := parse(t, good+string(found[1]))
		if cal := c.Ledger().Policy.Calendar; cal == nil || len(cal.Hours) != 2 || len(warned(c)) != 0 {
			t.Errorf("%s: %+v %v", name, cal, warned(c))
		}
	}
}

// What the sample config has in comments is right once it is taken out of them.
func TestCalendarSample(t *testing.T) {
	sample, err := os.ReadFile("liandong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^  # (calendar:|  (hours|days|holidays|workdays): .*)`)
	config := lines.ReplaceAll(sample, []byte("  $1"))
	if n := len(lines.FindAll(sample, -1)); n != 5 {
		t.Fatal("lines of the calendar: ", n)
	}
	c, err := Parse("liandong.yaml", config, Options{Env: ownSecrets})
	if err != nil {
		t.Fatal(err)
	}
	if cal := c.Ledger().Policy.Calendar; cal == nil || len(cal.Workdays) != 1 || len(warned(c)) != 0 {
		t.Errorf("%+v %v", cal, warned(c))
	}
}
