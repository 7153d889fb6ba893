package pcm

import "math"

// WideRate is the number of samples in a second of wideband sound.
const WideRate = 2 * Rate

// ResampleDelay is how many samples at WideRate (1.94 ms) the sound comes later
// out of an Upsampler or a Downsampler. Up and down again make as many samples
// at Rate.
const ResampleDelay = 2*side - 1

const (
	side    = 16         // taps on either side of the middle that are not zero
	history = 2*side - 1 // samples before the newest that the filter looks at
	chunk   = 160        // samples at Rate that are filtered in one go
)

// halfBand is one side of a half-band low-pass, twice every other tap, in Q15;
// the taps between are zero, and the middle is one half. Under a Kaiser window
// of β 5.5: flat within 0.05 dB to 3500 Hz, -6 dB at 4000, below -58 dB from
// 4500 and below -61 dB from 4600.
var halfBand = makeHalfBand()

func makeHalfBand() (taps [side]int64) {
	const beta = 5.5
	for i := range taps {
		x := float64(2*i + 1)
		window := bessel(beta*math.Sqrt(1-x*x/(4*side*side))) / bessel(beta)
		taps[i] = int64(math.Round(2 * math.Sin(math.Pi*x/2) / (math.Pi * x) * window * (1 << 15)))
	}
	return taps
}

// bessel is the modified Bessel function of the first kind and order 0, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

// past is what a filter remembers between two pieces.
type past [history]int16

// line is what a filter has of the past, and behind it room for a chunk.
type line [history + chunk]int16

// recall begins a line with the past.
func (l *line) recall(p *past) { copy(l[:history], p[:]) }

// keep is the past of what comes after the first n of a chunk.
func (l *line) keep(p *past, n int) { copy(p[:], l[n:]) }

// between is the sound half way between the samples i+15 and i+16, in Q15. Two sums, so that one need not wait for the
// other.
func (l *line) between(i int) int64 {
	w, t := (*[2 * side]int16)(l[i:]), &halfBand
	var sum, other int64
	for k := 0; k < side; k += 2 {
		sum += int64(t[k]) * (int64(w[side-1-k]) + int64(w[side+k]))
		other += int64(t[k+1]) * (int64(w[side-2-k]) + int64(w[side+1+k]))
	}
	return sum + other
}

// Upsampler brings a stream of sound from Rate to WideRate, ResampleDelay
// later. Pieces of any length may follow each other; nothing is heard where they meet. The zero
// value is ready and has heard silence. Owned by whoever owns the stream.
type Upsampler struct{ past past }

// Up writes two samples for each of src, as many as fit, and gives the number
// written. dst and src must not overlap.
func (u *Upsampler) Up(dst, src []int16) int {
	n := min(len(dst)/2, len(src))
	var l line
	for at := 0; at < n; at += chunk {
		part := src[at:min(at+chunk, n)]
		l.recall(&u.past)
		copy(l[history:], part)
		out := dst[2*at : 2*(at+len(part))]
		for i := range part {
			out[2*i] = clip64((l.between(i) + 1<<14) >> 15)
			out[2*i+1] = l[i+side]
		}
		l.keep(&u.past, len(part))
	}
	return 2 * n
}

// Downsampler brings a stream of sound from WideRate to Rate, ResampleDelay
// later. What is above 4 kHz is taken out, so that it does not fold down.
// Pieces of any even length may follow each other; nothing is heard where they meet. The zero
// value is ready and has heard silence. Owned by whoever owns the stream.
type Downsampler struct{ even, odd past }

// Down writes a sample for each two of src, as many as fit, and gives the
// number written; an odd one at the end of src is left out. dst and src may be
// the same memory.
func (d *Downsampler) Down(dst, src []int16) int {
	n := min(len(dst), len(src)/2)
	var even, odd line
	for at := 0; at < n; at += chunk {
		part := dst[at:min(at+chunk, n)]
		even.recall(&d.even)
		odd.recall(&d.odd)
		for i := range part {
			even[history+i], odd[history+i] = src[2*(at+i)], src[2*(at+i)+1]
		}
		for i := range part {
			middle := int64(odd[i+side-1]) << 15
			part[i] = clip64((middle + even.between(i) + 1<<15) >> 16)
		}
		even.keep(&d.even, len(part))
		odd.keep(&d.odd, len(part))
	}
	return n
}

func clip64(x int64) int16 { return int16(max(math.MinInt16, min(math.MaxInt16, x))) }
