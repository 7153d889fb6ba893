package outbox

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/alicebob/miniredis/v2"

	cuts "liandong/routing/journal"
)

// What waits for Redis on one machine is known on another, entry by entry and no longer than it waits; and that other
// one ships it, once, though the first comes back and ships it too.
func TestAnotherMachineShips(t *testing.T) {
	mini := miniredis.RunT(t)
	mine := config(t, "redis://127.0.0.1:1") // which cannot be reached from here
	o, _ := open(t, mine)
	l, m := newLedger(), newMatter("110")
	for range 50 {
		l.put(o, m.next())
	}
	eventually(t, "on disk", l.reached(50))
	woken := make(chan struct{}, 1)
	f := o.Follow(func() { nudge(woken) })
	there := partner(t)
	take := func() {
		t.Helper()
		c, err := f.Take()
		if err == nil {
			err = there.Apply(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	take()
	for range 30 {
		l.put(o, m.next())
	}
	eventually(t, "on disk", l.reached(80))
	<-woken
	take()
	if n := len(there.All(cuts.Ticket)); n != 80 {
		t.Fatalf("%d entries are known", n)
	}
	f.Again()
	take()
	if n := len(there.All(cuts.Ticket)); n != 80 {
		t.Fatalf("%d entries after it began anew", n)
	}
	o.Stop() // the machine is gone

	other := config(t, "redis://"+mini.Addr())
	p, _ := open(t, other)
	for _, e := range there.All(cuts.Ticket) {
		Bring(e.Value, func(string) *Outbox { return p }, func(err error) {
			if err == nil {
				there.Delete(cuts.Ticket, e.Key)
			}
		})
	}
	eventually(t, "shipped", func() bool { return len(there.All(cuts.Ticket)) == 0 && shipped(p)() })
	exactly(t, other, 80, stream110)

	mine.URL = other.URL
	back, _ := open(t, mine)
	g := back.Follow(func() {})
	eventually(t, "shipped", shipped(back))
	exactly(t, other, 80, stream110)
	eventually(t, "nothing waits", func() bool {
		g.Again()
		c, err := g.Take()
		return err == nil && c.Whole && len(c.Entries) == 0
	})
}

// What has been shipped waits nowhere.
func TestShippedIsForgotten(t *testing.T) {
	mini := miniredis.RunT(t)
	o, _ := open(t, config(t, "redis://"+mini.Addr()))
	f := o.Follow(func() {})
	l, m := newLedger(), newMatter("110")
	there := partner(t)
	for range 20 {
		l.put(o, m.next())
		c, err := f.Take()
		if err == nil {
			err = there.Apply(c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "shipped", shipped(o))
	eventually(t, "forgotten", func() bool {
		c, err := f.Take()
		if err != nil || there.Apply(c) != nil {
			t.Fatal(err)
		}
		return len(there.All(cuts.Ticket)) == 0
	})
}

// partner is the other machine's copy.
func partner(t *testing.T) *cuts.Journal {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "copy"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	j, err := cuts.Open(f)
	if err != nil {
		t.Skip(err) // not on this system
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}
