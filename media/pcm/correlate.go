package pcm

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// quiet is the part of its mean power that a stretch must have to be compared:
// what is next to silence resembles anything.
const quiet = 0.01

// Correlate looks for a in b and says where it fits best and how well: b is a,
// lag samples later, with the normalised cross-correlation r, 1 for the same
// sound at any loudness, about 0 for other sound. Lags from -maxLag to maxLag are
// tried as far as half of the shorter one overlaps. r is 0 when nothing can be
// compared. It is for tests and for proofs: it allocates and takes n·log n.
func Correlate(a, b []int16, maxLag int) (lag int, r float64) {
	overlap := (min(len(a), len(b)) + 1) / 2
	if overlap == 0 {
		return 0, 0
	}
	products, powerA, powerB := products(a, b), newPower(a), newPower(b)
	best := math.Inf(-1)
	for l := max(-maxLag, overlap-len(a)); l <= min(maxLag, len(b)-overlap); l++ {
		from, to := max(0, -l), min(len(a), len(b)-l)
		pa, okA := powerA.between(from, to)
		pb, okB := powerB.between(from+l, to+l)
		if !okA || !okB {
			continue
		}
		if fit := products[l&(len(products)-1)] / math.Sqrt(pa*pb); fit > best {
			lag, best = l, fit
		}
	}
	if math.IsInf(best, -1) {
		return 0, 0
	}
	return lag, max(-1, min(1, best))
}

// power has the sums of the squares up to each sample.
type power struct {
	upTo []float64
	mean float64
}

func newPower(x []int16) power {
	p := power{upTo: make([]float64, len(x)+1)}
	for i, s := range x {
		p.upTo[i+1] = p.upTo[i] + float64(s)*float64(s)
	}
	p.mean = p.upTo[len(x)] / float64(len(x))
	return p
}

func (p power) between(from, to int) (sum float64, ok bool) {
	sum = p.upTo[to] - p.upTo[from]
	return sum, sum > 0 && sum >= quiet*p.mean*float64(to-from)
}

// products has at lag, modulo its length, the sum of a[i]*b[i+lag]: by the
// Fourier transform, a product of spectra.
func products(a, b []int16) []float64 {
	n := 1 << bits.Len(uint(len(a)+len(b)))
	fa, fb := spectrum(a, n), spectrum(b, n)
	for i := range fa {
		fa[i] = cmplx.Conj(fa[i]) * fb[i]
	}
	transform(fa)
	out := make([]float64, n)
	for i, x := range fa {
		out[-i&(n-1)] = real(x) / float64(n) // backwards: the inverse transform by the forward one
	}
	return out
}

func spectrum(x []int16, n int) []complex128 {
	out := make([]complex128, n)
	for i, s := range x {
		out[i] = complex(float64(s), 0)
	}
	transform(out)
	return out
}

// transform is the Fourier transform in place, radix 2; len(x) is a power of two.
func transform(x []complex128) {
	shift := 64 - bits.TrailingZeros(uint(len(x)))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= len(x); size *= 2 {
		turn := make([]complex128, size/2)
		for k := range turn {
			turn[k] = cmplx.Rect(1, -2*math.Pi*float64(k)/float64(size))
		}
		for from := 0; from < len(x); from += size {
			butterflies(x[from:from+size], turn)
		}
	}
}

func butterflies(x, turn []complex128) {
	low, high := x[:len(turn)], x[len(turn):]
	for k, w := range turn {
		a, b := low[k], high[k]*w
		low[k], high[k] = a+b, a-b
	}
}
