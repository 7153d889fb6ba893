package ledger

import (
	"testing"
	"time"
)

// Steps of the wall clock by ±5 s, ±2 h and ±1 year move no alarm, and one that stays is taken over after a quarter of
// an hour; a clock that only drifts is followed.
func TestClockSteps(t *testing.T) {
	start := time.Date(2024, 4, 3, 12, 0, 0, 0, china)
	const year = 365 * 24 * time.Hour
	for _, step := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour, year,
		-year} {
		var s steady
		wall := func(run time.Duration) time.Time { return start.Add(run) }
		at := func(run, off time.Duration) time.Duration {
			now, _ := s.at(wall(run).Add(off), run)
			return now.Sub(wall(run))
		}
		for run := time.Duration(0); run < time.Hour; run += time.Second {
			off := time.Duration(0)
			if run >= 10*time.Minute && run < 20*time.Minute { // it is set, and set right again
				off = step
			}
			if d := at(run, off); d != 0 {
				t.Fatalf("step %v: after %v off by %v", step, run, d)
			}
		}
		for run := time.Hour; run < 2*time.Hour; run += time.Second {
			want := time.Duration(0)
			if run >= time.Hour+stepHolds {
				want = step
			}
			if d := at(run, step); d != want {
				t.Fatalf("step %v stays: after %v off by %v", step, run, d)
			}
		}
	}
	var s steady
	for run := time.Duration(0); run < 24*time.Hour; run += time.Second { // 100 ppm
		off := run / 10_000
		if now, _ := s.at(start.Add(run+off), run); now != start.Add(run+off) {
			t.Fatalf("drift: %v", now)
		}
	}
}
