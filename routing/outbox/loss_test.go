package outbox

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Whatever becomes of the file, of each entry that was on disk and that it does not give back it is said that it is
// missing.
func TestLossIsTold(t *testing.T) {
	const n = 300
	for name, c := range map[string]struct {
		damage func(t *testing.T, path string, b []byte) []byte // nil: the file goes
		lost   int64                                            // -1: what is not taken over
	}{
		"nothing":         {func(_ *testing.T, _ string, b []byte) []byte { return b }, 0},
		"first 4 KB":      {func(_ *testing.T, _ string, b []byte) []byte { clear(b[:4096]); return b }, -1},
		"second 4 KB":     {func(_ *testing.T, _ string, b []byte) []byte { clear(b[4096:8192]); return b }, -1},
		"nothing left":    {func(*testing.T, string, []byte) []byte { return []byte{} }, n},
		"file gone":       {func(*testing.T, string, []byte) []byte { return nil }, n},
		"zeros":           {func(_ *testing.T, _ string, b []byte) []byte { clear(b); return b }, n},
		"half":            {func(_ *testing.T, _ string, b []byte) []byte { return b[:len(b)/2] }, -1},
		"entries changed": {func(_ *testing.T, _ string, b []byte) []byte { return spoil(b, "call_ref", 100) }, -1},
		"balance gone": {func(t *testing.T, path string,
			b []byte) []byte {
			remove(t, balancePath(path))
			return b
		}, 0},
		"balance of other": {func(t *testing.T, path string,
			b []byte) []byte {
			write(t, balancePath(path), []byte("x"))
			return b
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, "redis://127.0.0.1:1")
			before := time.Now().Add(-time.Millisecond)
			fill(t, cfg, n)
			after := time.Now()
			b, err := os.ReadFile(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			if b = c.damage(t, cfg.Path, b); b == nil {
				remove(t, cfg.Path)
			} else {
				write(t, cfg.Path, b)
			}
			o, j := open(t, cfg)
			s := o.Stats()
			want := c.lost
			if want < 0 {
				want = n - s.Waiting
			}
			if s.Missing != want || s.Waiting+s.Missing != n {
				t.Errorf("%d entries are missing, %d waiting, want %d missing", s.Missing, s.Waiting, want)
			}
			if want == 0 {
				return
			}
			if s.MissingFrom.Before(before) || s.MissingTo.After(after) || s.MissingTo.Before(s.MissingFrom) {
				t.Errorf("from %v to %v", s.MissingFrom, s.MissingTo)
			}
			if !strings.Contains(j.String(), "not there any more") {
				t.Errorf("log: %s", j)
			}
		})
	}
}

// A sync that the disk did not do: the file is as it was some commits ago, the newest entries are missing.
func TestLostSync(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	fill(t, cfg, 50)
	old, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, cfg, 30)
	write(t, cfg.Path, old)
	o, _ := open(t, cfg)
	if s := o.Stats(); s.Missing != 30 || s.Waiting != 50 {
		t.Errorf("%d missing, %d waiting", s.Missing, s.Waiting)
	}
}

// A file that an older program has written to, which knows no balance, has lost nothing.
func TestOlderProgramWasThere(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	fill(t, cfg, 50)
	db, err := openBolt(cfg.Path, false)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(20) {
		if err := tx.Bucket(waitingBucket).Delete(key(seq + 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	o, _ := open(t, cfg)
	if s := o.Stats(); s.Missing != 0 || s.Waiting != 30 {
		t.Errorf("%+v", s)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
