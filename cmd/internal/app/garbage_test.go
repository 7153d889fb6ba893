package app

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 9600, 1 << 20: 9500, 24 << 20: 300, 47 << 20: 104, 48 << 20: 100, 1 << 30: 100,
	} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}

// The floor holds from a collection on, follows what lives, and is gone with the switch.
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
	await("a small heap", func() bool { return percent() > 150 })
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
