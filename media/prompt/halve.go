package prompt

import (
	"math"

	"liandong/media/pcm"
)

// halfTaps is one side of the low-pass filter that keeps sound above 4 kHz from folding down.
const halfTaps = 31

// lowPass is a half-band filter in Q15 under a Blackman window: centre first,
// then one side, the other is the same.
var lowPass = makeLowPass()

func makeLowPass() (taps [halfTaps + 1]int32) {
	for i := range taps {
		x := float64(i)
		h := 0.47 // cut off at 3760 Hz of 8000
		if i > 0 {
			h = math.Sin(math.Pi*0.47*x) / (math.Pi * x)
		}
		w := math.Pi * x / (halfTaps + 1)
		taps[i] = int32(math.Round(h * (0.42 + 0.5*math.Cos(w) + 0.08*math.Cos(2*w)) * (1 << 15)))
	}
	return taps
}

// halve brings sound from 16 to 8 kHz.
func halve(samples []int16) []int16 {
	out := make([]int16, (len(samples)+1)/2)
	for i := range out {
		out[i] = filtered(samples, 2*i)
	}
	return out
}

func filtered(samples []int16, at int) int16 {
	sum := int64(samples[at]) * int64(lowPass[0])
	for k := 1; k <= halfTaps; k++ {
		if at-k >= 0 {
			sum += int64(samples[at-k]) * int64(lowPass[k])
		}
		if at+k < len(samples) {
			sum += int64(samples[at+k]) * int64(lowPass[k])
		}
	}
	return pcm.Clip(int32((sum + 1<<14) >> 15))
}
