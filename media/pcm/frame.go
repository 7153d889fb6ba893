// Package pcm is sound as the switch handles it between two wires: frames of
// 20 ms whose level is measured, sounds that are looked for in others, noise,
// and streams that are brought from one rate to the other.
//
// A sample is linear 16-bit PCM, mono, at Rate unless it says WideRate.
// Everything here is pure and allocates nothing, but for Correlate.
package pcm

import (
	"math"
	"time"
)

const (
	// Rate is the number of samples in a second.
	Rate = 8000
	// FrameTime is how long a frame is, and so how often one is due.
	FrameTime = 20 * time.Millisecond
	// FrameSamples is the one place that says how large a frame is.
	FrameSamples = int(Rate * FrameTime / time.Second)
)

// Frame is FrameTime of sound.
type Frame [FrameSamples]int16

// Clip brings a sum into the range of a sample.
func Clip(x int32) int16 { return int16(max(math.MinInt16, min(math.MaxInt16, x))) }

// Level is the mean power of the samples in dBFS: 0 for a full-scale square
// wave, -3 for a full-scale sine, -Inf for digital silence or no samples.
func Level(samples []int16) float64 {
	if len(samples) == 0 {
		return math.Inf(-1)
	}
	var sum int64
	for _, s := range samples {
		sum += int64(s) * int64(s)
	}
	return 10 * math.Log10(float64(sum)/float64(len(samples))/(1<<30))
}
