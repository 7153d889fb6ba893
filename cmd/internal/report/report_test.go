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
