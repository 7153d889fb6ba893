package records

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/routing/news"
)

var zone = time.FixedZone("", 8*3600)

func open(t *testing.T, dir string, log *strings.Builder) *Book {
	t.Helper()
	b, err := Open(Config{Name: "calls", Dir: dir, Days: 2, Zone: zone}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lines(t *testing.T, path string) (list []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		var fields map[string]string
		if json.Unmarshal([]byte(line), &fields) == nil {
			list = append(list, fields)
		}
	}
	return list
}

// A line is in the file of its day, by the zone; files that are too old go, others stay; a line that a process could
// not end takes none with it.
func TestDays(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "new"), &strings.Builder{}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	late := time.Date(2024, 4, 3, 23, 59, 0, 0, zone)
	for name, text := range map[string]string{"calls-2024-04-01.jsonl": "{}\n", "calls-2024-04-02.jsonl": "{}\n",
		"calls-x.jsonl": "", "notes": "", "calls-2024-04-03.jsonl": `{"call_ref":"torn`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, dir, log)
	b.Add(news.From(map[string]string{"call_ref": "a"}), late.UTC(), nil)
	b.Add(news.From(map[string]string{"call_ref": "b"}), late.Add(2*time.Minute), nil)
	b.Close()
	b = open(t, dir, log)
	b.Add(news.From(map[string]string{"call_ref": "c"}), late, nil)
	b.Close()
	if got := lines(t, filepath.Join(dir, "calls-2024-04-03.jsonl")); len(got) != 2 || got[0]["call_ref"] != "a" ||
		got[1]["call_ref"] != "c" {
		t.Errorf("%v", got)
	}
	if got := lines(t, filepath.Join(dir, "calls-2024-04-04.jsonl")); len(got) != 1 || got[0]["call_ref"] != "b" {
		t.Errorf("%v", got)
	}
	for name, stays := range map[string]bool{"calls-2024-04-01.jsonl": false, "calls-2024-04-02.jsonl": true,
		"calls-x.jsonl": true, "notes": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log.Len() > 0 {
		t.Error(log.String())
	}
}

// A wall clock that is set a year ahead costs no file of the days before.
func TestClockAheadDeletesNothing(t *testing.T) {
	dir, log := t.TempDir(), &strings.Builder{}
	at := time.Date(2024, 4, 3, 12, 0, 0, 0, zone)
	b := open(t, dir, log)
	for _, day := range []int{-1, 0, 365, 0, -365, 0} {
		b.Add(news.From(map[string]string{"call_ref": "a"}), at.AddDate(0, 0, day), nil)
	}
	b.Close()
	b = open(t, dir, log) // a process that begins so
	b.Add(news.From(map[string]string{"call_ref": "a"}), at.AddDate(0, 0, 365), nil)
	b.Close()
	for _, name := range []string{"calls-2024-04-02.jsonl", "calls-2024-04-03.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// A machine begins just before midnight with a wrong year: the file of that day says nothing of the year, neither to
// this process nor to the next.
func TestWrongYearOverMidnight(t *testing.T) {
	dir, log := t.TempDir(), &strings.Builder{}
	kept := []string{"calls-2024-04-02.jsonl", "calls-2024-04-03.jsonl"}
	for _, name := range kept {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wrong := time.Date(2036, 5, 1, 23, 50, 0, 0, zone)
	for _, after := range [][]time.Duration{{0, 15 * time.Minute}, {20 * time.Minute}} {
		b := open(t, dir, log)
		for _, d := range after {
			b.Add(news.From(map[string]string{"call_ref": "a"}), wrong.Add(d), nil)
		}
		b.Close()
		for _, name := range kept {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("after %v: %v", after, err)
			}
		}
	}
}

// A disk that takes nothing is told of once, and what was lost when it does again.
func TestDiskFails(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "records"), &strings.Builder{}
	b := open(t, dir, log)
	at := time.Date(2024, 4, 3, 12, 0, 0, 0, zone)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	b.Add(news.From(map[string]string{"call_ref": "a"}), at, nil)
	b.Add(news.From(map[string]string{"call_ref": "b"}), at, nil)
	for end := time.Now().Add(time.Minute); b.lost.Load() < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Add(news.From(map[string]string{"call_ref": "c"}), at, nil)
	b.Close()
	if got := lines(t, filepath.Join(dir, "calls-2024-04-03.jsonl")); len(got) != 1 || got[0]["call_ref"] != "c" {
		t.Errorf("%v", got)
	}
	if s := log.String(); strings.Count(s, "not written down") != 1 || !strings.Contains(s, "lost=2") {
		t.Error(s)
	}
}

// Who asks is told once a line is on the disk, and not before; the end of a file says what it has; nothing that is
// added later hurts.
func TestKept(t *testing.T) {
	dir, log := t.TempDir(), &strings.Builder{}
	b := open(t, dir, log)
	at := time.Date(2024, 4, 3, 12, 0, 0, 0, zone)
	path := filepath.Join(dir, "calls-2024-04-03.jsonl")
	var kept []int
	for i := range 3 {
		b.Add(news.From(map[string]string{"call_ref": "ref-" + string(rune('a'+i))}), at, func() {
			kept = append(kept, len(lines(t, path)))
		})
	}
	b.Close()
	for i, n := range kept {
		if n <= i {
			t.Errorf("line %d is told of with %d in the file", i, n)
		}
	}
	if len(kept) != 3 || !b.Has(`"ref-c"`, at) || b.Has(`"ref-d"`, at) || b.Has(`"ref-c"`, at.AddDate(0, 0, 1)) {
		t.Errorf("told of %v", kept)
	}
	b.Add(news.From(map[string]string{"call_ref": "late"}), at, func() { t.Error("kept after the end") })
	if _, err := b.Write([]byte("{}\n")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || b.Has("late", at) {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
