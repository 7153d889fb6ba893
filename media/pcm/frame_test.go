package pcm

import (
	"math"
	"testing"
)

func TestAddClips(t *testing.T) {
	tests := []struct{ a, b, want int16 }{
		{0, 0, 0},
		{1000, -300, 700},
		{math.MaxInt16, 1, math.MaxInt16},
		{math.MinInt16, -1, math.MinInt16},
		{20000, 20000, math.MaxInt16},
		{-20000, -20000, math.MinInt16},
		{math.MaxInt16, math.MinInt16, -1},
	}
	for _, test := range tests {
		var dst, src Frame
		dst[0], src[0] = test.a, test.b
		dst[FrameSamples-1], src[FrameSamples-1] = test.a, test.b
		Add(&dst, &src)
		if dst[0] != test.want || dst[FrameSamples-1] != test.want {
			t.Errorf("%d + %d = %d and %d, want %d", test.a, test.b, dst[0], dst[FrameSamples-1], test.want)
		}
		if src[0] != test.b {
			t.Errorf("src was changed to %d", src[0])
		}
	}
}

func TestScale(t *testing.T) {
	tests := []struct {
		in   int16
		gain Q12
		want int16
	}{
		{12345, Unity, 12345},
		{-12345, Unity, -12345},
		{12345, 0, 0},
		{1000, Unity / 2, 500},
		{1000, 2 * Unity, 2000},
		{1000, -Unity, -1000},
		{20000, 2 * Unity, math.MaxInt16},
		{-20000, 2 * Unity, math.MinInt16},
		{math.MinInt16, -Unity, math.MaxInt16},
		{math.MaxInt16, math.MaxInt32, math.MaxInt16},
		{math.MaxInt16, math.MinInt32, math.MinInt16},
		{1, Unity / 2, 1}, // rounded, not cut off
	}
	for _, test := range tests {
		f := Frame{0: test.in, FrameSamples - 1: test.in}
		Scale(&f, test.gain)
		if f[0] != test.want || f[FrameSamples-1] != test.want {
			t.Errorf("%d by %d: %d, want %d", test.in, test.gain, f[0], test.want)
		}
	}
}

func TestLevel(t *testing.T) {
	square, sine := make([]int16, Rate), make([]int16, Rate)
	for i := range square {
		square[i] = math.MaxInt16
		sine[i] = int16(math.Round(math.MaxInt16 * math.Sin(2*math.Pi*400*float64(i)/Rate)))
	}
	for name, test := range map[string]struct {
		in   []int16
		want float64
	}{"square": {square, 0}, "sine": {sine, -3.01}, "half": {[]int16{0, 1 << 14}, -9.03}} {
		if got := Level(test.in); math.Abs(got-test.want) > 0.01 {
			t.Errorf("%s: %.2f dBFS, want %.2f", name, got, test.want)
		}
	}
	if got := Level(make([]int16, 160)); !math.IsInf(got, -1) {
		t.Errorf("silence has %v dBFS", got)
	}
	if got := Level(nil); !math.IsInf(got, -1) {
		t.Errorf("no samples have %v dBFS", got)
	}
}

func TestNothingAllocates(t *testing.T) {
	var dst, src Frame
	n := testing.AllocsPerRun(100, func() {
		Add(&dst, &src)
		Scale(&dst, Unity/2)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	var dst, src Frame
	for b.Loop() {
		Add(&dst, &src)
	}
}
