package pcm

import (
	"math"
	"testing"
)

func TestNoiseLevel(t *testing.T) {
	for _, want := range []float64{-5, -20, -40, -60, -78} {
		var n Noise
		n.SetLevel(want)
		sound := make([]int16, Rate)
		n.Fill(sound[:100])
		n.Fill(sound[100:])
		if got := Level(sound); math.Abs(got-want) > 0.7 {
			t.Errorf("noise of %v dBFS has %.2f", want, got)
		}
		if _, r := Correlate(sound[:4000], sound[4000:], 3000); r > 0.1 {
			t.Errorf("noise of %v dBFS comes again: %.2f", want, r)
		}
	}
	for _, quiet := range []float64{-127, math.Inf(-1)} {
		var n Noise
		n.SetLevel(quiet)
		sound := make([]int16, 100)
		if n.Fill(sound); !math.IsInf(Level(sound), -1) {
			t.Errorf("noise of %v dBFS is heard", quiet)
		}
	}
	var n Noise
	n.SetLevel(20)
	sound := make([]int16, Rate)
	if n.Fill(sound); math.Abs(Level(sound)+4.77) > 0.2 {
		t.Errorf("the loudest noise has %v dBFS", Level(sound))
	}
}
