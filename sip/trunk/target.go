package trunk

import (
	"cmp"
	"net/netip"
	"slices"
)

// Target is one address that a trunk is called at.
type Target struct {
	Host     string         // host[:port] as it stands in the URIs of requests
	Addr     netip.AddrPort // where they go; zero: Host is still to be resolved
	Priority int            // RFC 2782: the lowest is tried first …
	Weight   int            // … and among equals each as often as its weight says
}

// String names the target in logs and metrics.
func (t Target) String() string {
	if t.Addr.IsValid() {
		return t.Addr.String()
	}
	return t.Host
}

// inTurn puts targets in the order in which they are to be tried: by priority,
// those of one priority drawn by weight (RFC 2782, "Weight").
func inTurn(targets []Target, rand func() uint64) []Target {
	left := slices.Clone(targets)
	slices.SortStableFunc(left, func(a, b Target) int {
		// "arranged in any order, except that all those with weight 0 are placed at
		// the beginning of the list", so that they have a small chance only
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(min(a.Weight, 1), min(b.Weight, 1)))
	})
	turn := make([]Target, 0, len(left))
	for len(left) > 0 {
		i := draw(left, rand)
		turn = append(turn, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return turn
}

// draw picks one of the first priority: "choose a uniform random number between
// 0 and the sum computed (inclusive), and select the RR whose running sum value
// is the first in the selected order which is greater than or equal to" it.
func draw(sorted []Target, rand func() uint64) int {
	sum := 0
	for _, t := range sorted {
		if t.Priority == sorted[0].Priority {
			sum += t.Weight
		}
	}
	n := int(rand() % uint64(sum+1))
	for i, t := range sorted {
		if n -= t.Weight; n <= 0 {
			return i
		}
	}
	return 0
}
