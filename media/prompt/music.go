package prompt

import (
	"math"
	"time"

	"liandong/media/pcm"
)

// The music is our own: eight bars of a simple tune over long notes, made
// of plain sines so that it survives G.711. It loops without a break, since
// what rings on past its end is laid over its beginning, and it is nowhere
// silent: who waits must hear that the line is alive.
const (
	beat      = 500 * time.Millisecond
	tuneLevel = 2600 // amplitude of a note: three together stay at about -20 dBFS
)

// tune has a note per beat and ground one per four, in semitones above A3 (220 Hz).
var (
	tune = [...]int{
		3, 7, 10, 12, 15, 12, 10, 7,
		5, 8, 12, 15, 17, 15, 12, 8,
		3, 7, 10, 15, 19, 15, 12, 10,
		7, 10, 12, 10, 7, 5, 3, 0,
	}
	ground = [...]int{-9, -5, -7, -4, -9, -2, -5, -2}
)

func music() []int16 {
	sum := make([]float64, len(tune)*count(beat))
	for i, note := range tune {
		pluck(sum, i*count(beat), note, 4*count(beat), 0.6)
	}
	for i, note := range ground {
		pluck(sum, 4*i*count(beat), note, 6*count(beat), 1.8)
	}
	out := make([]int16, len(sum))
	for i, x := range sum {
		out[i] = pcm.Clip(int32(math.Round(x)))
	}
	return out
}

// pluck adds a note that fades, falling to a third in so many seconds. Its fading and its turning are steps from
// sample to sample: a start waits for it.
func pluck(sum []float64, at, note, length int, seconds float64) {
	hz := 220 * math.Pow(2, float64(note)/12)
	stepSin, stepCos := math.Sincos(turns(hz, 1))
	sin, cos := 0.0, 1.0
	fade, fall := float64(tuneLevel), math.Exp(-1/(seconds*pcm.Rate))
	for i := range length {
		swell := min(1, float64(min(i, length-1-i))/float64(count(20*time.Millisecond)))
		sum[(at+i)%len(sum)] += fade * swell * (sin + 0.25*2*sin*cos) // and its octave, sin 2x
		sin, cos = sin*stepCos+cos*stepSin, cos*stepCos-sin*stepSin
		fade *= fall
	}
}
