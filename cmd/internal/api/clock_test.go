package api

import (
	"net/netip"
	"testing"
	"time"

	"liandong/cmd/internal/walltest"
)

// The wall clock is set between two requests for one key press, and between refusals: a press is one press for 2 s, and
// another afterwards; refusals are logged as often as before.
func TestWallClockIsSet(t *testing.T) {
	for _, step := range walltest.Steps {
		var o once
		n := 0
		press := func(at time.Time) { _ = o.do(at, "1101", "handover", func() error { n++; return nil }) }
		press(time.Now())
		if press(walltest.Now(step)); n != 1 {
			t.Errorf("%v: a request that came twice is two presses", step)
		}
		if press(walltest.Now(step).Add(sameKey)); n != 2 {
			t.Errorf("%v: %d presses", step, n)
		}

		var a audit
		from := netip.MustParseAddr("192.0.2.1")
		if !a.due(from, time.Now()) || a.due(from, walltest.Now(step)) ||
			!a.due(from, walltest.Now(step).Add(refusedEvery)) {
			t.Errorf("%v: refusals are not logged once a second", step)
		}
	}
}
