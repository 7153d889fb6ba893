package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The heap of a switch with few calls is small, and a collector that lets it double would mark all of it again every
// few dozen calls, in the time of somebody's call set-up. So it may grow to heapFloor before, whatever lives of it;
// from half of that on all is as always.
const heapFloor = 96 << 20 // bytes

// usualPercent is how much garbage there may be, in % of what lives, before it is collected: GOGC's default.
const usualPercent = 100

// garbagePercent is how much there may be for the heap to grow to heapFloor, when so many bytes of it live and, with
// them, so many are looked through for pointers: stacks and globals, which the collector counts as if they were heap.
func garbagePercent(live, scanned uint64) int {
	if live >= heapFloor/2 {
		return usualPercent
	}
	const least = 4 << 20 // the collector takes no heap for smaller
	return max(usualPercent, int(100*(heapFloor-live)/max(live+scanned, least)))
}

// collection is garbage itself, by which the end of a collection is seen.
type collection struct {
	percent int
	done    <-chan struct{} // closed: it is the last (the pointer also keeps it out of blocks that small objects share)
}

// collectLater has the floor hold until it is told to stop. Where GOGC says another share that holds.
func collectLater() (stop func()) {
	if before := debug.SetGCPercent(usualPercent); before != usualPercent {
		debug.SetGCPercent(before)
		return func() {}
	}
	done := make(chan struct{})
	(&collection{usualPercent, done}).over()
	var watch sync.WaitGroup
	watch.Go(func() { settle(done) })
	return func() {
		close(done)
		watch.Wait()
		debug.SetGCPercent(usualPercent)
	}
}

// After a busy time nobody makes the garbage that would have what is left of it collected, and the runtime itself comes
// for it two minutes later. So it is collected once it is quiet, and once more when calls that have ended then are
// forgotten: their memory is given back within a minute.
const (
	quietLook = 15 * time.Second
	quietMost = 3             // collections in a row that nobody else has caused
	quietHeld = 2 * heapFloor // bytes of memory had from the machine, below which all may stay as it is
)

// quiet is what settle knows.
type quiet struct {
	cycles uint64 // collections up to the last look, and the one that it has caused
	own    int    // in a row
}

// due says that a collection is to be caused: nobody has for a whole look, and so many bytes are had.
func (q *quiet) due(cycles, held uint64) bool {
	if cycles != q.cycles {
		*q = quiet{cycles: cycles}
		return false
	}
	if held < quietHeld || q.own == quietMost {
		return false
	}
	q.own++
	q.cycles++
	return true
}

func settle(done <-chan struct{}) {
	look := time.NewTicker(quietLook)
	defer look.Stop()
	m := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	for q := (quiet{}); ; {
		select {
		case <-done:
			return
		case <-look.C:
		}
		metrics.Read(m)
		if q.due(m[0].Value.Uint64(), m[1].Value.Uint64()-m[2].Value.Uint64()) {
			runtime.GC()
		}
	}
}

// over sets what holds by the last collection until the next is over, which this waits for as garbage does.
func (c *collection) over() {
	select {
	case <-c.done:
		return
	default:
	}
	heap := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(heap)
	p := garbagePercent(heap[0].Value.Uint64(), heap[1].Value.Uint64()+heap[2].Value.Uint64())
	if 10*p > 11*c.percent || 11*p < 10*c.percent { // it stops all goroutines for a moment
		c.percent = p
		debug.SetGCPercent(p)
	}
	runtime.SetFinalizer(c, (*collection).over)
}
