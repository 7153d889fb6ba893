package exchange

import (
	"testing"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/news"
)

// TestTalking: of a three-way call it is told who talks, of a call of two it is not.
func TestTalking(t *testing.T) {
	var told []map[string]string
	c := &Core{
		state: call.Call{Phase: call.ThreeWay, Ref: "ref",
			Legs: []call.Leg{{ID: 1, Up: true}, {ID: 2, Up: true, Hotline: "110", Seat: "1101"}}},
		world: World{Tell: func(it news.Item) {
			what, fields := it.Event, it.Map()
			if what == "talking" {
				told = append(told, fields)
			}
		}},
	}
	now := time.Unix(1_700_000_000, 0)
	c.MediaEvent(now, engine.Talking{Leg: 2, On: true, Level: 23})
	c.MediaEvent(now, engine.Talking{Leg: 1, Level: 60})
	c.state.Phase = call.Talking
	c.MediaEvent(now, engine.Talking{Leg: 1, On: true, Level: 20})
	if len(told) != 2 {
		t.Fatalf("told %d times, want 2", len(told))
	}
	for i, want := range []map[string]string{
		{"call_ref": "ref", "phase": "three_way", "agent": "1101", "detail": "on", "level": "-23"},
		{"call_ref": "ref", "phase": "three_way", "agent": "", "detail": "off", "level": "-60"},
	} {
		for field, value := range want {
			if got := told[i][field]; got != value {
				t.Errorf("event %d: %s is %q, want %q", i, field, got, value)
			}
		}
	}
}
