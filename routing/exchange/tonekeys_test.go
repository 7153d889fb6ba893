package exchange

import (
	"testing"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
)

// Keys are looked for in the sound of a desk that has no telephone-event, and of no caller.
func TestToneKeys(t *testing.T) {
	for _, events := range []bool{true, false} {
		s := newSimulation(4, false) // on a clean network
		s.seats = NewSeats(func(user string) bool { return user == "1101" })
		desk, caller := s.addPhone("1101", "127.0.0.21:5060"), s.addPhone("+8613812345678", "127.0.0.10:5060")
		desk.noEvents, caller.noEvents = !events, !events
		caller.dial("110")
		s.run(20 * time.Minute)
		if s.err != nil {
			t.Fatal(s.err)
		}
		streams := s.cores[0].stream
		if at, ok := streams[2]; !ok || at.ToneKeys == events {
			t.Errorf("telephone-event %v: the desk's stream is %+v (%v)", events, at, ok)
		}
		if at, ok := streams[engine.LegID(call.CallerLeg)]; !ok || at.ToneKeys {
			t.Errorf("telephone-event %v: the caller's stream is %+v (%v)", events, at, ok)
		}
	}
}

// Where a party's signalling comes from its sound may come from, too: the media engine is told, of caller and desk.
func TestSignallerIsTold(t *testing.T) {
	s := newSimulation(4, false)
	s.seats = NewSeats(func(user string) bool { return user == "1101" })
	s.addPhone("1101", "127.0.0.21:5060")
	s.addPhone("+8613812345678", "127.0.0.10:5060").dial("110")
	s.run(20 * time.Minute)
	if s.err != nil {
		t.Fatal(s.err)
	}
	for id, want := range map[engine.LegID]string{engine.LegID(call.CallerLeg): "127.0.0.10", 2: "127.0.0.21"} {
		if got := s.cores[0].stream[id].Signaller.String(); got != want {
			t.Errorf("leg %d: its signalling comes from %s, want %s", id, got, want)
		}
	}
}
