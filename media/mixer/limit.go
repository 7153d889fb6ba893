package mixer

import (
	"math"

	"liandong/media/pcm"
)

// The limiter. It looks through the frame before it goes out and lowers the gain
// in time, so that nothing is clipped, and raises it again so slowly, after such
// a pause, that it does not follow syllables: nobody's voice swells and fades
// because somebody else's does.
const (
	gainBits = 30
	unity    = int64(1) << gainBits
	ceiling  = math.MaxInt16
	blocks   = 8  // of 2.5 ms, the time that the gain takes to fall
	holding  = 50 // frames: a second without sums as loud as before
	release  = 8  // 1/256 a frame: 1.7 dB a second
	near     = 3  // peaks that come within 1/8 of the ceiling, 1 dB, prolong the hold
)

// level brings the sums into the range of a sample.
func (o *Output) level(out []int16, sum []int32) {
	var needs [blocks]int64
	lowest := unity
	for i := range needs {
		needs[i] = need(sum[i*len(sum)/blocks : (i+1)*len(sum)/blocks])
		lowest = min(lowest, needs[i])
	}
	gain := unity - o.cut
	if risen := o.risen(gain, lowest); risen > gain {
		slide(out, sum, gain, risen)
		o.cut = unity - risen
		return
	}
	for i, want := range needs {
		from, to := i*len(sum)/blocks, (i+1)*len(sum)/blocks
		if i+1 < blocks {
			want = min(want, needs[i+1]) // be there before the loud one begins
		}
		want = min(want, gain)
		slide(out[from:to], sum[from:to], gain, want)
		gain = want
	}
	o.cut = unity - gain
}

// need is the highest gain with which all of a block fits.
func need(block []int32) int64 {
	var peak int32
	for _, x := range block {
		peak = max(peak, x^x>>31) // -32768 is as large as 32767 here: both fit
	}
	if peak <= ceiling {
		return unity
	}
	return ceiling * unity / int64(peak)
}

// risen is the gain at the end of a frame in which it need not fall.
func (o *Output) risen(gain, lowest int64) int64 {
	higher := min(unity, gain+gain>>release)
	switch {
	case gain == unity && lowest == unity:
	case lowest < min(unity, gain+gain>>near):
		o.hold = holding
	case o.hold > 0:
		o.hold--
	case lowest >= higher:
		return higher
	}
	return gain
}

// slide writes the samples with a gain that goes evenly from one value to another.
// Only the beginning of a frame can be too loud before it is there; the gain then falls
// as fast as the sound rises.
func slide(out []int16, sum []int32, from, to int64) {
	if from == unity && to == unity {
		for i, x := range sum {
			out[i] = pcm.Clip(x)
		}
		return
	}
	gain, step := from, (to-from)/int64(max(1, len(sum)))
	for i, x := range sum {
		if gain += step; step < 0 {
			gain = max(gain, to)
		}
		y := scaled(x, gain)
		if y^y>>63 > ceiling {
			gain = min(gain, need(sum[i:i+1]))
			y = scaled(x, gain)
		}
		out[i] = pcm.Clip(int32(y))
	}
}

func scaled(x int32, gain int64) int64 { return (int64(x)*gain + unity/2) >> gainBits }
