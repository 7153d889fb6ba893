package exchange

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"liandong/routing/call"
	"liandong/routing/journal"
)

var freeze = flag.Bool("freeze", false, "write testdata/journal-1, which is frozen once the format has been released")

// frozen are moments of the simulation at which a process might have died, by what a call is about then.
var frozen = []string{"ringing", "talking", "handing_over", "consulting", "conferencing", "three_way", "letter",
	"recorded", "held"}

// isAt says that a call is about that.
func (s *simulation) isAt(what string, last []journal.Entry) bool {
	if slices.ContainsFunc(last, func(e journal.Entry) bool { return e.Kind == journal.Letter && !e.Gone }) {
		return what == "letter"
	}
	return slices.ContainsFunc(s.cores, func(c *simCall) bool {
		if c.core == nil || c.closed || len(s.cores) < 2 {
			return false
		}
		st := c.core.state
		held := slices.ContainsFunc(st.Legs, func(l call.Leg) bool { return l.Held })
		return what == string(st.Phase) || what == "recorded" && st.Recording.On && c.tapes > 0 ||
			what == "held" && held
	})
}

// TestFrozenJournals reads journals of the first format: whatever the calls have become since, those go on.
func TestFrozenJournals(t *testing.T) {
	if *freeze {
		for _, what := range frozen {
			freezeJournal(t, what)
		}
	}
	calls, letters, phases := 0, 0, map[string]int{}
	for _, what := range frozen {
		j := thawed(t, what)
		s := newSimulation(4, false)
		for _, e := range j.All(journal.Call) {
			r, err := ReadRecord(e.Value)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			c := s.simCall()
			c.ref = r.Call.Ref
			core, err := RestoreCore(c.world(), s.dir, r)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if bad := core.state.Check(); bad != nil || len(core.parties) == 0 || r.Version != 1 {
				t.Errorf("%s: a call of %d parties, version %d: %v", what, len(core.parties), r.Version, bad)
			}
			calls++
			phases[string(core.state.Phase)]++
		}
		for _, e := range j.All(journal.Letter) {
			l, err := readLetter(e.Value)
			if err != nil || l.To == "" {
				t.Errorf("%s: %+v, %v", what, l, err)
			}
			letters++
		}
	}
	t.Logf("%d calls, %d letters, phases %v", calls, letters, phases)
	if calls < 2*len(frozen) || letters == 0 || len(phases) < 6 {
		t.Errorf("%d calls, %d letters, in %v: too few to tell", calls, letters, phases)
	}
}

func frozenPath(what string) string {
	return filepath.Join("testdata", "journal-1", what+".gz")
}

func thawed(t testing.TB, what string) *journal.Journal {
	t.Helper()
	b, err := os.ReadFile(frozenPath(what))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	if b, err = io.ReadAll(z); err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return openJournal(t, path)
}

func openJournal(t testing.TB, path string) *journal.Journal {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = j.Close(), f.Close() })
	return j
}

func freezeJournal(t *testing.T, what string) {
	t.Helper()
	var b []byte
	for seed := uint64(1); b == nil && seed < 2000; seed++ {
		path := filepath.Join(t.TempDir(), "journal")
		j := openJournal(t, path)
		s := newSimulation(seed, false)
		s.writes = func(all ...journal.Entry) {
			if j.Write(all...); b == nil && s.isAt(what, all) {
				b, _ = os.ReadFile(path)
			}
		}
		s.play()
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if err := os.MkdirAll(filepath.Dir(frozenPath(what)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(frozenPath(what), z.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
