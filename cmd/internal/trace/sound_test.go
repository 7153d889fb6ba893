package trace

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"liandong/routing/news"
)

func heardAs(ref, party, mos string, more ...string) news.Item {
	f := map[string]string{"call_ref": ref, "party": party, "lines": "110", "loss_percent": "0.40", "jitter_ms": "3.1",
		"mos": mos}
	for i := 0; i < len(more); i += 2 {
		f[more[i]] = more[i+1]
	}
	return news.Item{Event: measured, Fields: news.From(f)}
}

// How a call has sounded is known while it goes on, when it is over, and to the process to come: each measurement
// once, in order. Those of a leg stand together in few notes.
func TestSoundIsKept(t *testing.T) {
	dir, mos := t.TempDir(), func(i int) string { return fmt.Sprintf("%.2f", 1+float64(i)/100) }
	b := NewBook(1 << 20)
	b.Spill(diskOf(t, DiskConfig{Dir: dir}))
	count := func(when string, of func() []Sound) {
		t.Helper()
		list := of()
		if len(list) != 2 || list[0].Party != Caller || len(list[0].Points) != 100 || len(list[1].Points) != 1 {
			t.Fatalf("%s: %d legs, %+v", when, len(list), list)
		}
		for i, p := range list[0].Points {
			if *p.Loss != 0.4 || *p.Jitter != 3.1 || p.RemoteMOS != nil || p.RTT != nil ||
				fmt.Sprintf("%.2f", *p.MOS) != mos(i) {
				t.Fatalf("%s: point %d is %+v", when, i, p)
			}
		}
		if p := list[1].Points[0]; *p.RemoteMOS != 4.1 || *p.RTT != 80 || time.Since(p.At) > time.Hour {
			t.Errorf("%s: %+v", when, p)
		}
	}
	told := func(b *Book) func() []Sound {
		return func() []Sound { all, lost := b.Of("r"); return Of("r", all, lost).Quality }
	}
	for i := range 100 {
		b.Event(heardAs("r", Caller, mos(i)))
		b.Event(heardAs("other", Caller, "1.00"))
	}
	b.Event(heardAs("r", "1101", "4.20", "remote_mos", "4.10", "rtt_ms", "80.0"))
	count("while it goes on", func() []Sound { return b.Quality("r", Eyes{}) })
	b.Event(news.Item{Event: "ended", Fields: news.From(map[string]string{"call_ref": "r", "lines": "110"})})
	count("when it is over", told(b))
	if n := len(b.legs["r"]); n != 0 {
		t.Errorf("%d legs of a call that is over are gathered", n)
	}
	all, _ := b.Of("r")
	if len(all) != 100/together+1+1+1 { // of the caller, of 1101, the end
		t.Errorf("%d entries", len(all))
	}
	text, _ := json.Marshal(Of("r", all, 0).Steps)
	if strings.Contains(string(text), measured) {
		t.Errorf("measurements are steps of the ladder: %s", text)
	}
	b.Close()
	next := NewBook(1 << 20)
	next.Spill(diskOf(t, DiskConfig{Dir: dir}))
	defer next.Close()
	count("in the process to come", told(next))
	list := next.Quality("other", Eyes{})
	if all, _ := next.Of("other"); len(list) != 0 || len(Of("other", all, 0).Quality[0].Points) != 100 {
		t.Error("what was gathered of a call that went on is not on the disk")
	}
}

// Who may not know of a supervisor sees nothing of how his leg sounds; another line's call has no sound for him.
func TestSoundOfASupervisor(t *testing.T) {
	b := NewBook(1 << 20)
	b.Event(heardAs("r", "1109", "4.00", "supervisor", "1"))
	b.Event(heardAs("r", Caller, "4.00"))
	for _, tt := range []struct {
		eyes Eyes
		legs int
	}{
		{Eyes{}, 1}, {Eyes{Attends: true}, 2}, {Eyes{Lines: []string{"110"}, Attends: true}, 2},
		{Eyes{Lines: []string{"110"}}, 1}, {Eyes{Lines: []string{"12345"}, Attends: true}, 0},
	} {
		if got := b.Quality("r", tt.eyes); len(got) != tt.legs {
			t.Errorf("%+v sees %+v", tt.eyes, got)
		}
	}
}

// However many calls are measured, and never end, what is gathered is bounded; and a note that was spoilt tells what is
// left of it.
func TestSoundIsBounded(t *testing.T) {
	b := NewBook(1 << 20)
	for i := range mostGathered + 100 {
		b.Event(heardAs(fmt.Sprint(i), Caller, "4.00"))
	}
	if n := len(b.legs); n > mostGathered {
		t.Errorf("%d calls are gathered", n)
	}
	last := fmt.Sprint(mostGathered + 99)
	if got := b.Quality(last, Eyes{}); len(got) != 1 || len(got[0].Points) != 1 {
		t.Errorf("of the last: %+v", got)
	}
	got := pointsOf("x;1 2;9 - - - - - - -;x 1 2 3 4 5 6 7")
	if len(got) != 1 || got[0].At.Unix() != 9 || got[0].Loss != nil {
		t.Errorf("%+v", got)
	}
}
