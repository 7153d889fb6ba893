package outbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// What waited in one file for all lines comes to the Redis of each, when each has got one; the file is gone then.
func TestAdopt(t *testing.T) {
	one, two := miniredis.RunT(t), miniredis.RunT(t)
	was := config(t, "redis://127.0.0.1:1")
	former, _ := open(t, was)
	l, m := newLedger(), []*matter{newMatter("110"), newMatter("12345")}
	const n = 3 * adoptGroup
	for i := range n {
		l.put(former, m[i%2].next())
	}
	eventually(t, "on disk", l.reached(n))
	former.Stop()

	cfgs := map[string]Config{stream110: config(t, "redis://"+one.Addr()),
		stream12345: config(t, "redis://"+two.Addr())}
	outboxes := map[string]*Outbox{}
	for s, cfg := range cfgs {
		outboxes[s], _ = open(t, cfg)
	}
	if err := Adopt(was.Path, func(s string) *Outbox { return outboxes[s] },
		slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for s, cfg := range cfgs {
		eventually(t, "shipped", shipped(outboxes[s]))
		exactly(t, cfg, n/2, s)
	}
	if one.Exists(stream12345) || two.Exists(stream110) {
		t.Error("entries of the other line have come along")
	}
	if _, err := os.Stat(was.Path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// A file whose entries cannot all be put stays for the next attempt; one that is damaged is put aside.
func TestAdoptFails(t *testing.T) {
	was := config(t, "redis://127.0.0.1:1")
	former, _ := open(t, was)
	l := newLedger()
	l.put(former, newMatter("110").next())
	eventually(t, "on disk", l.reached(1))
	former.Stop()
	closed, _ := open(t, config(t, "redis://127.0.0.1:1"))
	closed.Stop()
	if err := Adopt(was.Path, func(string) *Outbox { return closed }, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an outbox that takes nothing is no error")
	}
	if _, err := os.Stat(was.Path); err != nil {
		t.Error(err)
	}

	bad := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.WriteFile(bad, []byte(strings.Repeat("x", 8192)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Adopt(bad, func(string) *Outbox { return closed }, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	if list, _ := filepath.Glob(bad + ".damaged-*"); len(list) != 1 {
		t.Errorf("put aside: %v", list)
	}
}

// Lines of a matter that are no entries go along with those that are, in order and once; one without a name is refused.
func TestForward(t *testing.T) {
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	o, j := open(t, cfg)
	stub := ids.New(time.Now())
	for range 2 {
		o.Forward("liandong:updates", stub, Line{ID: "u1",
			Fields: []string{"event", "received", "text", "13812345678"}}, nil)
	}
	eventually(t, "shipped", shipped(o))
	if list, err := mini.Stream("liandong:updates"); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	o.Forward("liandong:updates", stub, Line{ID: "", Fields: []string{"a", "b"}}, nil)
	if o.Stats().Dropped != 1 || !j.has("entry lost")() {
		t.Error("a line without an id is not refused")
	}
}
