package prompt

import (
	"math"
	"math/rand/v2"
	"sync"

	"liandong/media/pcm"
)

const (
	comfortSeconds = 3
	comfortLevel   = 8.2 // root mean square; with what G.711 adds, -65 dBm0
)

// Comfort is the noise of a quiet line, a loop without a break, for who is connected and has
// nothing to hear: a line that is dead silent is taken for a broken one. It is about -65 dBm0,
// even, and no tone is in it. No playlist has it: it is no clip to be chosen.
func Comfort() Clip { return comfort() }

// comfort is noise with less treble than white noise has, softened round the loop's end.
var comfort = sync.OnceValue(func() Clip {
	r := rand.New(rand.NewPCG(65, 8000)) // the same in each process: it can be tested
	white := make([]float64, comfortSeconds*pcm.Rate)
	for i := range white {
		white[i] = r.NormFloat64()
	}
	taps := [...]float64{1, 0.6, 0.3}
	scale := comfortLevel / math.Sqrt(1+0.36+0.09)
	samples := make([]int16, len(white))
	for i := range samples {
		x := 0.0
		for k, tap := range taps {
			x += tap * white[(i+len(white)-k)%len(white)]
		}
		samples[i] = int16(math.Round(scale * x))
	}
	return newLoop(samples)
})
