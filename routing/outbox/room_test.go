package outbox

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Each level is entered at its limit and left only above a margin, so that an alarm does not flutter.
func TestAlarmLevel(t *testing.T) {
	l := 0
	for i, c := range []struct {
		free float64
		want int
	}{
		{1, 0}, {0.5, 0}, {0.49, 1}, {0.54, 1}, {0.55, 0}, {0.49, 1}, {0.2, 1}, {0.19, 2}, {0.24, 2}, {0.25, 1},
		{0.54, 1}, {1, 0}, {0, 2}, {0.52, 1}, {0.56, 0},
	} {
		if l = level(l, c.free); l != c.want {
			t.Errorf("step %d, %v free: level %d, want %d", i, c.free, l, c.want)
		}
	}
}

// The alarm comes long before the file is full, a louder one before the first entry is held back, and an all-clear.
func TestRoomRunsShort(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	cfg := config(t, "redis://"+mini.Addr())
	cfg.MaxBytes = 1 << 20
	mini.SetError("LOADING")
	o, j := open(t, cfg)
	l, m := newLedger(), newMatter("110")
	put := 0
	fill := func(free float64) {
		for o.Stats().Free() > free {
			for range 20 {
				l.put(o, m.next())
				put++
			}
			eventually(t, "on disk", l.reached(put))
		}
	}
	fill(0.45)
	eventually(t, "warned", j.has("level=WARN msg=\"outbox: room for entries runs short\""))
	if j.has("nearly used up")() {
		t.Error("the louder alarm comes too soon")
	}
	fill(0.15)
	eventually(t, "alarmed", j.has("level=ERROR msg=\"outbox: room for entries is nearly used up"))
	if s := o.Stats(); s.InMemory > 0 || !s.DiskUp {
		t.Errorf("the alarm comes too late: %+v", s)
	}
	mini.SetError("")
	eventually(t, "shipped", shipped(o))
	eventually(t, "all clear", j.has("there is room for entries again"))
	exactly(t, cfg, put, stream110)
}

// A file system with less room than the limit promises counts.
func TestRoomOfFileSystem(t *testing.T) {
	cfg := config(t, "redis://127.0.0.1:1")
	free := freeBytes(t.TempDir())
	if free <= 0 || free == roomUnknown {
		t.Skip("the file system does not say how much room there is")
	}
	cfg.MaxBytes = 4 * free
	o, j := open(t, cfg)
	if got := o.Stats().Free(); got > 0.3 || got < 0.1 {
		t.Errorf("%v of the limit is free, want about a quarter", got)
	}
	eventually(t, "told", j.has("runs short"))
}
