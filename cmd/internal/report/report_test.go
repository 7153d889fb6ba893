package report

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
	"liandong/routing/indicator"
	"liandong/routing/link"
)

var day = time.Date(2024, 4, 3, 8, 0, 0, 0, time.FixedZone("+08:00", 8*3600))

// redis holds sums of 110: name, number, name, number …
func redis(t *testing.T, key string, sums ...string) link.Config {
	m := miniredis.RunT(t)
	for i := 0; i+1 < len(sums); i += 2 {
		m.HSet(key, sums[i], sums[i+1])
	}
	cfg := link.Default()
	cfg.URL = desk.NewSecret("redis://" + m.Addr() + "/0")
	return cfg
}

func printed(t *testing.T, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Print(t.Context(), &out, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The sums of two Redises are added, and where nothing can be divided there is a dash.
func TestPrint(t *testing.T) {
	key := indicator.DayKey("110", day)
	o := Options{
		Redises: []link.Config{redis(t, key, "asked_direct", "3", "answered", "2", "key_to_answer_ms", "9000"),
			redis(t, key, "asked_direct", "1", "calls_answered", "8")},
		Lines: []string{"110", "12345"}, At: day, Lang: "en",
	}
	got := printed(t, o)
	for _, want := range []string{
		"110  2024-04-03  +08:00\n", "12345  2024-04-03  +08:00\n",
		"\n  hand-overs answered            50.0 %    2/4\n",
		"\n  key to answer, mean             4.5 s    2\n",
		"\n  diversion rate                 50.0 %    4/8\n",
		"\n  closed in time                      –    0/0\n",
		"\n  time limits passed                  0\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	o.Lang = "zh"
	if got := printed(t, o); !strings.Contains(got, "\n  一键转接成功率                 50.0 %    2/4\n") {
		t.Error(got)
	}
	o.JSON = true
	var lines []Line
	if err := json.Unmarshal([]byte(printed(t, o)), &lines); err != nil || len(lines) != 2 ||
		lines[0].Sums["asked_direct"] != 4 || len(lines[0].Rows) != len(Names) {
		t.Errorf("%v %+v", err, lines)
	}
}

func TestPrintHour(t *testing.T) {
	o := Options{Redises: []link.Config{redis(t, indicator.HourKey("110", day), "calls", "7")}, Lines: []string{"110"},
		At: day, Hour: true, Lang: "en"}
	if got := printed(t, o); !strings.Contains(got, "110  2024-04-03T08  +08:00\n") ||
		!strings.Contains(got, "  calls                               7\n") {
		t.Error(got)
	}
}

// Every indicator has a name in both languages, and none is wider than its column.
func TestNames(t *testing.T) {
	for _, r := range indicator.Of(indicator.Sums{}, indicator.OfCalls) {
		for _, name := range Names[r.Name] {
			if name == "" || width(name) >= nameWidth {
				t.Errorf("%s: %q", r.Name, name)
			}
		}
	}
}

func TestRedisAway(t *testing.T) {
	cfg := link.Default()
	cfg.URL = desk.NewSecret("redis://:geheim@127.0.0.1:1/0")
	err := Print(t.Context(), &bytes.Buffer{}, Options{Redises: []link.Config{cfg}, Lines: []string{"110"}, At: day})
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
}

// A span's figures are those of all its days, with each day's own; a day's parts are its hours, as the clock there
// shows them.
func TestSpan(t *testing.T) {
	first := day
	m := miniredis.RunT(t)
	for i, calls := range []string{"3", "", "4"} {
		if calls != "" {
			m.HSet(indicator.DayKey("110", first.AddDate(0, 0, i)), "calls", calls)
		}
	}
	m.HSet(indicator.DayKey("110", first.AddDate(0, 0, 3)), "calls", "100") // is not asked for
	m.HSet(indicator.HourKey("110", first), "calls", "2")
	cfg := link.Default()
	cfg.URL = desk.NewSecret("redis://" + m.Addr() + "/0")
	o := Options{Redises: []link.Config{cfg}, Lines: []string{"12345", "110"}, At: first, To: first.AddDate(0, 0, 2),
		Parts: true}
	got, err := Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	l := got[1]
	if l.Period != "2024-04-03/2024-04-05" || l.Sums["calls"] != 7 || len(l.Parts) != 3 ||
		l.Parts[0].Sums["calls"] != 3 || l.Parts[1].Sums["calls"] != 0 || l.Parts[2].Sums["calls"] != 4 ||
		l.Parts[2].Period != "2024-04-05" || l.Parts[2].Rows[0].Of != 4 || got[0].Sums["calls"] != 0 {
		t.Errorf("%+v", l)
	}
	o.To = first
	if got, err = Read(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	l = got[1]
	if l.Period != "2024-04-03" || l.Sums["calls"] != 3 || len(l.Parts) != 24 || l.Parts[8].Sums["calls"] != 2 ||
		l.Parts[8].Period != "2024-04-03T08" || l.Parts[23].Period != "2024-04-03T23" {
		t.Errorf("%+v", l)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no zones are installed")
	}
	for day, hours := range map[int]int{30: 24, 31: 23} { // 2024-03-31: the clock goes from 2 to 3
		o.At = time.Date(2024, 3, day, 12, 0, 0, 0, berlin)
		o.To = o.At
		if n := len(o.parts()); n != hours {
			t.Errorf("%d hours on the %dth", n, day)
		}
	}
}
