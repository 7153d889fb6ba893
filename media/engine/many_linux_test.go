package engine

import (
	"fmt"
	"testing"
)

// BenchmarkManyCalls shows by how much a party's 20 ms cost more when there are many: what is on top of the cost of ten
// calls is the wait for memory that the cache does not hold. The transport does next to nothing.
func BenchmarkManyCalls(b *testing.B) {
	for _, parties := range []int{2, 3} {
		for _, calls := range []int{10, 200, 1000} {
			b.Run(fmt.Sprintf("parties=%d/calls=%d", parties, calls), func(b *testing.B) {
				m := newManyCalls(b, calls, parties)
				for range 500 {
					m.tick()
				}
				before := processTime()
				for b.Loop() {
					m.tick()
				}
				b.ReportMetric(float64((processTime()-before).Nanoseconds())/float64(b.N*calls*parties), "cpu-ns/leg")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
