package prompt

import "liandong/media/pcm"

// settling is more samples than the filter of pcm.Upsampler looks to either side.
const settling = 32

// double brings sound from 8 to 16 kHz, without the delay of the filter. What was before and
// what comes after is heard by the filter alone.
func double(samples, before, after []int16) []int16 {
	all := append(append(append([]int16{}, before...), samples...), after...)
	wide := make([]int16, 2*len(all))
	var u pcm.Upsampler
	u.Up(wide, all)
	return wide[2*len(before)+pcm.ResampleDelay:][:2*len(samples)]
}

// newLoop makes a clip whose end goes over into its beginning, at 16 kHz too.
func newLoop(samples []int16) Clip {
	end := samples[len(samples)-settling:]
	return newClip(samples, double(samples, end, samples[:settling]))
}
