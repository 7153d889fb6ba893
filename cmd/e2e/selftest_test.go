package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// The switch calls itself, line by line: it says so in its metrics, and nowhere else. No desk rings, no event is told,
// no call is counted.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	l := startSwitch(t, m.Addr(), "selftest.every=1s", "networks.lab.allow=127.0.0.64/26")
	eventually(t, "both lines are tested", func() bool {
		page := l.page(t, "/metrics")
		return strings.Contains(page, `liandong_selftest_ok{hotline="110"} 1`) &&
			strings.Contains(page, `liandong_selftest_ok{hotline="12345"} 1`)
	})
	time.Sleep(time.Second)
	page := l.page(t, "/metrics")
	if !strings.Contains(page, "\nliandong_calls_total 0\n") {
		t.Error("the switch counts its own calls")
	}
	if calls := l.page(t, "/v1/calls"); strings.TrimSpace(calls) != "[]" {
		t.Errorf("the switch shows its own calls: %s", calls)
	}
	if events := wholeStream(t, l.redis, "liandong:calls"); len(events) > 0 {
		t.Errorf("events are told: %v", events)
	}
	if strings.Contains(l.log.String(), "ALARM") {
		t.Error("a fault is logged")
	}
}
