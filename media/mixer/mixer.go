// Package mixer makes what the parties of a conference hear: each the sum of
// all the others.
//
// It is arithmetic only: no clock, no goroutine, no state and no allocation.
// Sums are exact and are clipped once, at the end, so the result does not
// depend on the order of the parties.
package mixer

import "liandong/media/pcm"

type sum [pcm.FrameSamples]int32

func (s *sum) add(f *pcm.Frame) {
	for i, x := range f {
		s[i] += int32(x)
	}
}

// Sum sets out to all of in together. A nil frame is a party who is not heard.
func Sum(out *pcm.Frame, in []*pcm.Frame) {
	var all sum
	for _, f := range in {
		if f != nil {
			all.add(f)
		}
	}
	for i, x := range all {
		out[i] = pcm.Clip(x)
	}
}

// Minus sets out[i] to the sum of all of in but in[i]: nobody hears himself. A
// nil frame is a party who is not heard but hears. out must be as long as in,
// and no frame of in may lie in out.
func Minus(out []pcm.Frame, in []*pcm.Frame) {
	var all sum
	for _, f := range in {
		if f != nil {
			all.add(f)
		}
	}
	for i, own := range in {
		all.without(own, &out[i])
	}
}

func (s *sum) without(own, out *pcm.Frame) {
	if own == nil {
		for i, x := range s {
			out[i] = pcm.Clip(x)
		}
		return
	}
	for i, x := range s {
		out[i] = pcm.Clip(x - int32(own[i]))
	}
}
