// Package mixer makes what one party of a call hears out of the sound of the
// others, and follows who of them talks.
//
// It is arithmetic only: no clock, no goroutine and no allocation. A frame is
// 20 ms whatever its rate, 160 samples at 8 kHz or 320 at 16 kHz, and all times
// are counted in frames.
package mixer

import "liandong/media/pcm"

// maxSamples is the longest frame: 20 ms at 16 kHz.
const maxSamples = 2 * pcm.FrameSamples

// Output is the mix that one party hears; the zero Output is ready. It remembers
// by how much loud sums are made softer.
type Output struct {
	cut  int64 // 1 - gain, with gainBits binary places; 0: what fits goes out as it is
	hold uint8 // frames until the gain may rise again
}

// Mix sets out, a frame of at most 320 samples, to the sum of the sounds in in. Where
// one of them ends before the frame does, silence follows. Sums are exact and made
// softer where they do not fit, once, at the end: the order of in does not matter.
// Samples must not lie in out.
func (o *Output) Mix(out []int16, in [][]int16) {
	if o.cut == 0 && add(out, in) {
		return
	}
	var all [maxSamples]int32
	sum := all[:len(out)]
	for _, x := range in {
		accumulate(sum, x)
	}
	o.level(out, sum)
}

// add is the common case: at most three sounds, whose sum fits. When it
// gives false, out is not the mix.
func add(out []int16, in [][]int16) bool {
	for i := range in {
		if len(in[i]) < len(out) {
			return false
		}
	}
	switch len(in) {
	case 0:
		clear(out)
	case 1:
		copy(out, in[0])
	case 2:
		return add2(out, in[0], in[1])
	case 3:
		return add3(out, in[0], in[1], in[2])
	default:
		return false
	}
	return true
}

// add2 and add3 look at all the sums at once: moved up by half of the range, those
// that fit have no bit beyond the sixteenth.
func add2(out, a, b []int16) bool {
	a, b = a[:len(out)], b[:len(out)]
	var seen int32
	for i := range out {
		sum := int32(a[i]) + int32(b[i])
		seen |= sum + 1<<15
		out[i] = int16(sum)
	}
	return seen>>16 == 0
}

func add3(out, a, b, c []int16) bool {
	a, b, c = a[:len(out)], b[:len(out)], c[:len(out)]
	var seen int32
	for i := range out {
		sum := int32(a[i]) + int32(b[i]) + int32(c[i])
		seen |= sum + 1<<15
		out[i] = int16(sum)
	}
	return seen>>16 == 0
}

func accumulate(sum []int32, in []int16) {
	n := min(len(sum), len(in))
	sum = sum[:n]
	for i, x := range in[:n] {
		sum[i] += int32(x)
	}
}
