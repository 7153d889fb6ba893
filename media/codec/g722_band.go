package codec

import "math"

// band is what encoder and decoder know of one sub-band, the same on both
// sides: how the next sample is predicted and how coarse the code is.
type band struct {
	predictor
	scale
}

// scale is the adaptive quantizer's: G.722 block 3.
type scale struct {
	log  int32 // 11 binary places; never negative
	step int32 // what a code's level is multiplied by
}

// adapt follows a code by its growth. LOGSCL, SCALEL; top and shift differ in the higher band.
func (q *scale) adapt(growth, top int32, shift uint) {
	q.log = max(0, min(top, times(q.log, 32512)+growth))
	q.step = powers[q.log>>6&31] << (q.log >> 11) >> shift << 2
}

// predictor foretells a band's next sample by two poles and six zeros: G.722
// block 4. Index 0 is the newest.
type predictor struct {
	next  int32 // the prediction, SL or SH
	zeros int32 // the part of it that the zeros make
	a     [2]int32
	b     [6]int32
	r     [2]int32 // reconstructed samples
	p     [2]int32 // partially reconstructed: the zeros' part alone
	d     [6]int32 // differences from the prediction
}

// follow takes the difference that the code stood for, and predicts anew.
func (p *predictor) follow(d int32) {
	reconstructed := saturated(p.next + d)
	p.adaptPoles(saturated(d + p.zeros))
	p.adaptZeros(d)
	p.r[1], p.r[0] = p.r[0], reconstructed
	p.predict()
}

// adaptPoles: UPPOL2, UPPOL1.
func (p *predictor) adaptPoles(partial int32) {
	push, lean := saturated(4*p.a[0]), int32(192)
	if sameSign(partial, p.p[0]) {
		push = saturated(-push)
	} else {
		lean = -lean
	}
	pull := int32(-128)
	if sameSign(partial, p.p[1]) {
		pull = 128
	}
	p.a[1] = max(-12288, min(12288, push>>7+pull+times(p.a[1], 32512)))
	limit := 15360 - p.a[1] // keeps the filter stable
	p.a[0] = max(-limit, min(limit, lean+times(p.a[0], 32640)))
	p.p[1], p.p[0] = p.p[0], partial
}

// adaptZeros: UPZERO.
func (p *predictor) adaptZeros(d int32) {
	lean := int32(128)
	if d == 0 {
		lean = 0
	}
	for i, before := range p.d {
		if sameSign(d, before) {
			p.b[i] = times(p.b[i], 32640) + lean
		} else {
			p.b[i] = times(p.b[i], 32640) - lean
		}
	}
	copy(p.d[1:], p.d[:5])
	p.d[0] = d
}

// predict: FILTEP, FILTEZ, PREDIC. The order of the sums is that of the
// Recommendation, as each is saturated.
func (p *predictor) predict() {
	poles := saturated(times(saturated(2*p.r[0]), p.a[0]) + times(saturated(2*p.r[1]), p.a[1]))
	p.zeros = 0
	for i := 5; i >= 0; i-- {
		p.zeros = saturated(p.zeros + times(saturated(2*p.d[i]), p.b[i]))
	}
	p.next = saturated(poles + p.zeros)
}

// times multiplies two 16-bit numbers, one of which has 15 binary places.
func times(x, y int32) int32 { return x * y >> 15 }

func saturated(x int32) int32 { return max(math.MinInt16, min(math.MaxInt16, x)) }

// limited is what goes through the mirror filter: 15 bits, G.722 LIMIT.
func limited(x int32) int32 { return max(-1<<14, min(1<<14-1, x)) }

func sameSign(x, y int32) bool { return x^y >= 0 }
