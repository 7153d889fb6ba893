package console

import (
	"testing"
	"time"

	"liandong/cmd/internal/trace"
)

// A call's curves have a line for each way of each party that anything is known of, on one scale of time; of a long
// call each point is the worst of its time.
func TestSoundCurves(t *testing.T) {
	began := time.Unix(1000, 0)
	v := func(f float64) *float64 { return &f }
	at := func(sec int, mos, loss float64) trace.Point {
		return trace.Point{At: began.Add(time.Duration(sec) * time.Second), MOS: &mos, Loss: &loss}
	}
	citizen := trace.Sound{Party: trace.Caller, Points: []trace.Point{at(3, 4, 0), at(8, 3, 2), at(21, 4, 1)}}
	citizen.Points[1].RemoteMOS = v(2.5)
	desk := trace.Sound{Party: "1101", Points: []trace.Point{at(4, 4.2, 0), at(15, 4.1, 0)}}
	all := soundOf([]trace.Sound{citizen, desk}, began, "zh")
	if len(all) != 2 || all[0].Unit != "mos" || all[1].Unit != "%" || len(all[0].Seconds) != 5 ||
		all[0].Seconds[4] != 20 {
		t.Fatalf("%+v", all)
	}
	names := []string{"市民 发出", "市民 听到", "1101 发出"}
	want := [][]*float64{{v(4), v(3), nil, nil, v(4)}, {nil, v(2.5), nil, nil, nil}, {v(4.2), nil, nil, v(4.1), nil}}
	for i, l := range all[0].Lines {
		if l.Name != names[i] {
			t.Errorf("line %d is %q", i, l.Name)
		}
		for j, p := range l.Values {
			if (p == nil) != (want[i][j] == nil) && !(i == 0 && j == 3) && !(i == 2 && j == 2) {
				t.Errorf("%s at %d: %v", l.Name, j, p)
			} else if p != nil && want[i][j] != nil && *p != *want[i][j] {
				t.Errorf("%s at %d: %v", l.Name, j, *p)
			}
		}
	}
	var long trace.Sound
	for i := range 2880 { // four hours
		long.Points = append(long.Points, at(5*i, 4, 0))
	}
	*long.Points[1000].MOS, *long.Points[1000].Loss = 1.5, 30
	for _, c := range soundOf([]trace.Sound{long}, began, "en") {
		if len(c.Seconds) > mostDrawn+1 || len(c.Lines) != 1 {
			t.Fatalf("%d points of %d lines", len(c.Seconds), len(c.Lines))
		}
		low, high := 9.0, 0.0
		for _, p := range c.Lines[0].Values {
			low, high = min(low, *p), max(high, *p)
		}
		if c.Unit == "mos" && low != 1.5 || c.Unit == "%" && high != 30 {
			t.Errorf("%s: from %v to %v: the worst is lost", c.Title, low, high)
		}
	}
	if got := soundOf(nil, began, "en"); len(got) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}
