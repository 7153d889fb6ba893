package keeper

import (
	"testing"
	"time"

	"liandong/cmd/internal/walltest"
)

// The wall clock is set while a worker dies in a row: it rests as it would, and is calm again after as long.
func TestWallClockIsSet(t *testing.T) {
	for _, step := range walltest.Steps {
		var p pace
		for i := range fewDeaths {
			p.died(walltest.Now(time.Duration(i%2) * step))
		}
		if rest := p.died(walltest.Now(step)); rest != 2*firstRest {
			t.Errorf("%v: a rest of %v", step, rest)
		}
		if rest := p.died(walltest.Now(-step).Add(calm + 3*firstRest)); rest != 0 {
			t.Errorf("%v: a rest of %v after a calm minute", step, rest)
		}
	}
}
