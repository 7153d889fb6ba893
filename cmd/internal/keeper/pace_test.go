package keeper

import (
	"testing"
	"time"
)

// A worker that dies 5 times in 10 s is started with growing pauses, and never given up.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		every time.Duration
		rests []time.Duration // after each death
	}{
		{"in a row", time.Second, []time.Duration{0, 0, 0, 0, time.Second, 2 * time.Second, 4 * time.Second,
			8 * time.Second, 16 * time.Second, longRest, longRest}},
		{"now and then", 3 * time.Second, []time.Duration{0, 0, 0, 0, 0, 0, 0, 0}},
		{"rarely", time.Hour, []time.Duration{0, 0, 0, 0, 0, 0}},
	} {
		var p pace
		now := time.Now()
		for i, want := range tt.rests {
			if got := p.died(now); got != want {
				t.Errorf("%s: death %d: rest %v, want %v", tt.name, i+1, got, want)
			}
			now = now.Add(tt.every)
		}
	}
}

func TestPaceIsCalmAgain(t *testing.T) {
	t.Parallel()
	var p pace
	now := time.Now()
	for range fewDeaths + 2 {
		p.died(now)
	}
	now = now.Add(2 * calm)
	if rest := p.died(now); rest != 0 {
		t.Errorf("after a calm time: rest %v", rest)
	}
}
