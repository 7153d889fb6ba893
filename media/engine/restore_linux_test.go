package engine

import (
	"log/slog"
	"sync"
	"testing"

	"liandong/media/codec"
	"liandong/media/socket/sockettest"
)

// states are the newest checkpoints of a session.
type states struct {
	mu    sync.Mutex // guards known
	known map[LegID]LegState
}

func (s *states) sink(e Event) {
	if c, ok := e.(Checkpoint); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known[c.State.ID] = c.State
	}
}

func (s *states) list() []LegState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return listed(s.known)
}

// TestEngineGoesOn: over real sockets, by every path, an engine leaves and another goes on, by checkpoints from before
// or by its last words: the parties hear each other in the same streams, and no port is lost.
func TestEngineGoesOn(t *testing.T) {
	for name, sockets := range paths {
		if sockets.Portable {
			continue
		}
		for _, lastWords := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				keeper := sockettest.NewKeeper()
				sockets.Keeper = keeper
				cfg := loopbackConfig(t, 4)
				first, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				reported := &states{known: map[LegID]LegState{}}
				s := first.NewSession("one", reported.sink)
				a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMU)
				s.Do(Listen{Leg: 1, From: []LegID{2}})
				s.Do(Listen{Leg: 2, From: []LegID{1}})
				eventually(t, "they hear each other", func() bool { return a.hears(b) && b.hears(a) })
				known := reported.list()
				first.Leave()
				if lastWords {
					known = reported.list()
				}
				second, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(second.Stop)
				s, err = second.Restore("one", reported.sink, known)
				if err != nil {
					t.Fatal(err)
				}
				was := a.count()
				s.Do(Listen{Leg: 1, From: []LegID{2}})
				s.Do(Listen{Leg: 2, From: []LegID{1}})
				eventually(t, "they hear each other again", func() bool {
					return a.count() > was+50 && a.hears(b) && b.hears(a)
				})
				for _, h := range []*handset{a, b} {
					h.goesOn(lastWords)
				}
				s.Close()
				eventually(t, "all ports are free", func() bool { return keeper.Len() == 0 })
			})
		}
	}
}

func (h *handset) goesOn(lastWords bool) {
	h.t.Helper()
	furthest := int16(2 * reservedPackets)
	if lastWords {
		furthest = 40
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.got
	for i, p := range all[1:] {
		if step := int16(p.SequenceNumber - all[i].SequenceNumber); p.SSRC != all[i].SSRC || step < 1 ||
			step > furthest {
			h.t.Errorf("leg %d: %x %d after %x %d", h.leg, p.SSRC, p.SequenceNumber, all[i].SSRC, all[i].SequenceNumber)
		}
		if int32(p.Timestamp-all[i].Timestamp) < 1 {
			h.t.Errorf("leg %d: time goes back", h.leg)
		}
	}
}
