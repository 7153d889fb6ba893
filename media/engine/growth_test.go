package engine

import (
	"runtime"
	"testing"
	"time"

	"liandong/media/codec"
)

// TestNothingGrows: of calls that are over nothing is kept, however many there were: the heap after some thousand is
// that after a few hundred.
func TestNothingGrows(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of calls")
	}
	cfg := labConfig(testLibrary(t))
	cfg.PortQuarantine = 0
	r := newRig(t, cfg)
	r.session.Close()
	r.wire.mute = true
	calls := func(n int) uint64 {
		for range n {
			s := r.engine.NewSession("call", func(Event) {})
			for leg := LegID(1); leg <= 3; leg++ {
				if _, err := s.Open(leg, "lab"); err != nil {
					t.Fatal(err)
				}
				to := addr("127.0.0.9:40000")
				s.Do(Stream{Leg: leg, Remote: to, Codec: codec.PCMA, PT: 8, Send: true, Receive: true, Recv: recvAll()})
				s.Do(Listen{Leg: leg, From: []LegID{1, 2, 3}, Play: Playlist{ID: 1, Items: []string{"short"}}})
			}
			r.pass(20 * time.Millisecond)
			r.pass(20 * time.Millisecond)
			s.Close()
			r.pass(20 * time.Millisecond)
			r.allEvents()
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := calls(300)
	after := calls(3000)
	if after > before+before/20+64<<10 {
		t.Errorf("%d KB after 300 calls, %d KB after 3300", before>>10, after>>10)
	}
	t.Logf("%d KB after 300 calls, %d KB after 3300", before>>10, after>>10)
}
