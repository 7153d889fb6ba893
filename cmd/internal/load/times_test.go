package load

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	var all times
	if all.summary() != nil {
		t.Error("nothing has a summary")
	}
	for i := 100; i > 0; i-- {
		all.add(time.Duration(i) * time.Millisecond)
	}
	if got, want := *all.summary(), (Spread{Count: 100, P50: 50, P90: 90, P99: 99, Max: 100}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestDelays(t *testing.T) {
	var a, b delays
	for i := range 1000 {
		d := time.Duration(i+1)*time.Millisecond - 50*time.Microsecond
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.add(5 * time.Second) // longer than the bins go
	a.merge(&b)
	if got, want := *a.summary(), (Spread{Count: 1001, P50: 501, P90: 901, P99: 991, Max: 5000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n := a.over(990 * time.Millisecond); n != 11 {
		t.Errorf("%d are 990 ms or more, want 11", n)
	}
	var early delays
	early.add(-time.Millisecond) // clocks of two machines
	if got := early.summary(); got.P50 != 0 || got.Count != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDelaysNeverExceedTheLongest(t *testing.T) {
	var d delays
	d.add(110 * time.Microsecond)
	if s := d.summary(); s.P99 > s.Max {
		t.Errorf("p99 %v, longest %v", s.P99, s.Max)
	}
}
