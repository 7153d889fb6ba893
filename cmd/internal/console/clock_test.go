package console

import (
	"testing"
	"time"

	"liandong/cmd/internal/walltest"
)

// The wall clock is set while people are signed in and others guess passwords: nobody is signed out by it, who is idle
// is all the same, and pauses are as long as they were.
func TestWallClockIsSet(t *testing.T) {
	for _, step := range walltest.Steps {
		var s sessions
		cookie := s.begin("li", "hash", "", time.Now(), time.Hour)
		if _, ok := s.find(cookie, walltest.Now(step), time.Hour, true); !ok {
			t.Errorf("%v: signed out", step)
		}
		later := walltest.Now(-step).Add(59 * time.Minute)
		if _, ok := s.find(cookie, later, time.Hour, false); !ok {
			t.Errorf("%v: signed out after 59 minutes", step)
		}
		if _, ok := s.find(cookie, later.Add(2*time.Minute), time.Hour, false); ok {
			t.Errorf("%v: still there after an idle hour", step)
		}

		var f throttle
		for range freeTries + 3 {
			f.failed(time.Now(), "user li")
		}
		if wait := f.wait(walltest.Now(step), "user li"); wait <= 7*time.Second-time.Minute/60 || wait > 8*time.Second {
			t.Errorf("%v: a pause of %v", step, wait)
		}
		if wait := f.wait(walltest.Now(step).Add(9*time.Second), "user li"); wait > 0 {
			t.Errorf("%v: still %v to wait", step, wait)
		}
	}
}
