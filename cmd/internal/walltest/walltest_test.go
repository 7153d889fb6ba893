package walltest

import (
	"testing"
	"time"
)

// What has a monotonic reading is not moved, what has lost it is.
func TestNow(t *testing.T) {
	for _, by := range Steps {
		was := time.Now()
		is := Now(by)
		if d := is.Sub(was); d < 0 || d > time.Minute {
			t.Errorf("%v: %v have passed", by, d)
		}
		if d := is.Round(0).Sub(was.Round(0)) - by; d < 0 || d > time.Minute {
			t.Errorf("%v: the wall clock is off by %v", by, d)
		}
	}
}
