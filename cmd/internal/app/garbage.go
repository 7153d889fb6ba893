package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The heap of a switch with few calls is small, and a collector that lets it double would mark all of it again every
// few dozen calls, in the time of somebody's call set-up. So it may grow to heapFloor before, whatever lives of it;
// from half of that on all is as always.
const heapFloor = 96 << 20 // bytes

// usualPercent is how much garbage there may be, in % of what lives, before it is collected: GOGC's default.
const usualPercent = 100

// garbagePercent is that of a heap of which so many bytes live.
func garbagePercent(live uint64) int {
	if live >= heapFloor/2 {
		return usualPercent
	}
	return int(100 * (heapFloor - live) / max(live, 1<<20))
}

// collection is garbage itself, by which the end of a collection is seen.
type collection struct{ percent int }

// collectLater has the floor hold from the next collection on until it is told to stop. Where GOGC says another share
// that holds.
func collectLater() (stop func()) {
	if before := debug.SetGCPercent(usualPercent); before != usualPercent {
		debug.SetGCPercent(before)
		return func() {}
	}
	done := make(chan struct{})
	c := &collection{percent: usualPercent}
	runtime.SetFinalizer(c, func(c *collection) { c.over(done) })
	return func() {
		close(done)
		debug.SetGCPercent(usualPercent)
	}
}

// over sets what holds until the next collection is over, which this waits for as garbage does.
func (c *collection) over(done <-chan struct{}) {
	select {
	case <-done:
		return
	default:
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	p := garbagePercent(live[0].Value.Uint64())
	if 10*p > 11*c.percent || 11*p < 10*c.percent { // it stops all goroutines for a moment
		c.percent = p
		debug.SetGCPercent(p)
	}
	runtime.SetFinalizer(c, func(c *collection) { c.over(done) })
}
