package exchange

import (
	"sync/atomic"
	"testing"
)

// TestSimulationWithBugs: the switch's own code panics in the middle of what a call has ordered, and in the middle of
// what a leg has said. All the same every call ends, nothing leaks, each stub is told to its end, and nobody is left in
// a conversation with a switch that has forgotten him.
func TestSimulationWithBugs(t *testing.T) {
	var got atomic.Uint64
	n := runSeeds(t, *seeds/25, withBugs, func(s *simulation) { got.Add(uint64(s.got)) })
	if got.Load() < n/4 {
		t.Errorf("%d bugs in %d seeds: the test no longer does its work", got.Load(), n)
	}
	t.Logf("%d panics got over", got.Load())
}

func withBugs(seed uint64, trace bool) *simulation {
	s := newSimulation(seed, trace)
	s.bugs = 0.02
	s.play()
	return s
}
