package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live, scanned uint64
		want          int
	}{
		{0, 0, 2400}, {mb, mb, 2375}, {24 * mb, 0, 300}, {24 * mb, 12 * mb, 200}, {40 * mb, 40 * mb, 100},
		{48 * mb, 0, 100}, {1 << 30, 0, 100},
	} {
		if got := garbagePercent(c.live, c.scanned); got != c.want {
			t.Errorf("%d bytes live, %d looked through: %d %%, want %d", c.live, c.scanned, got, c.want)
		}
	}
}

// What a busy time has left is collected when it is quiet, a few times, and again after the next one.
func TestQuietCollections(t *testing.T) {
	var q quiet
	cycles := uint64(7)
	for i, c := range []struct {
		others uint64 // collections that others have caused
		held   uint64
		due    bool
	}{
		{0, quietHeld, false}, {0, quietHeld, true}, {0, quietHeld - 1, false}, {0, quietHeld, true},
		{2, quietHeld, false}, {0, quietHeld, true}, {0, quietHeld, true}, {0, quietHeld, true},
		{0, quietHeld, false}, {0, quietHeld, false}, {1, quietHeld, false}, {0, quietHeld, true},
	} {
		cycles += c.others
		if got := q.due(cycles, c.held); got != c.due {
			t.Fatalf("look %d: due %v", i, got)
		}
		if c.due {
			cycles++
		}
	}
}

// The floor holds from a collection on, is the floor with thousands of goroutines too, follows what lives, and is gone
// with the switch.
func TestCollectLater(t *testing.T) {
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d %%", what, percent())
			}
			runtime.GC()
		}
	}
	before := debug.SetGCPercent(usualPercent)
	defer debug.SetGCPercent(before)
	stop := collectLater()
	floor := func() bool {
		s := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(s)
		goal := s[0].Value.Uint64()
		return goal > heapFloor*8/10 && goal < heapFloor*12/10
	}
	await("a small heap", floor)
	parked, over := make(chan struct{}), sync.WaitGroup{}
	for range 2000 {
		over.Go(func() { deep(100, parked) })
	}
	await("many goroutines", floor)
	close(parked)
	over.Wait()
	lives := make([]byte, 2*heapFloor)
	await("a large one", func() bool { return percent() == usualPercent })
	runtime.KeepAlive(lives)
	await("small again", func() bool { return percent() > 150 })
	stop()
	for range 3 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if got := percent(); got != usualPercent {
		t.Errorf("after the end: %d %%", got)
	}
}

// deep takes room on the stack until it is over.
func deep(n int, over <-chan struct{}) {
	if n == 0 {
		<-over
		return
	}
	deep(n-1, over)
}
