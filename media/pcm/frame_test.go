package pcm

import (
	"math"
	"testing"
)

func TestClip(t *testing.T) {
	for in, want := range map[int32]int16{
		0: 0, -300: -300, math.MaxInt16: math.MaxInt16, math.MinInt16: math.MinInt16,
		math.MaxInt16 + 1: math.MaxInt16, math.MinInt16 - 1: math.MinInt16, math.MaxInt32: math.MaxInt16,
		math.MinInt32: math.MinInt16,
	} {
		if got := Clip(in); got != want {
			t.Errorf("Clip(%d) = %d, want %d", in, got, want)
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
