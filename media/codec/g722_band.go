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
// block 4. The newest of the past comes first.
type predictor struct {
	next  int32 // the prediction, SL or SH
	zeros int32 // the part of it that the zeros make
	a     [2]int32
	b     [6]int32
	r     [2]int32 // reconstructed samples
	p     [2]int32 // partially reconstructed: the zeros' part alone
	d     [7]int32 // differences from the prediction; the first is the one that is followed
}

// follow takes the difference that the code stood for, and predicts anew.
func (p *predictor) follow(d int32) {
	reconstructed := saturated(p.next + d)
	p.adaptPoles(saturated(d + p.zeros))
	p.adaptZeros(d)
	p.r[1], p.r[0] = p.r[0], reconstructed
	poles := times(saturated(2*p.r[0]), p.a[0]) + times(saturated(2*p.r[1]), p.a[1]) // FILTEP
	p.next = saturated(saturated(poles) + p.zeros)                                   // PREDIC
}

// adaptPoles: UPPOL2, UPPOL1.
func (p *predictor) adaptPoles(partial int32) {
	turn, turn2 := signsDiffer(partial, p.p[0]), signsDiffer(partial, p.p[1])
	push := saturated(signed(saturated(4*p.a[0]), ^turn))
	p.a[1] = max(-12288, min(12288, push>>7+signed(128, turn2)+times(p.a[1], 32512)))
	limit := 15360 - p.a[1] // keeps the filter stable
	p.a[0] = max(-limit, min(limit, signed(192, turn)+times(p.a[0], 32640)))
	p.p[1], p.p[0] = p.p[0], partial
}

// adaptZeros: UPZERO, and at once FILTEZ, whose sum goes from the oldest to the
// newest, as each part of it is saturated.
func (p *predictor) adaptZeros(d int32) {
	lean := int32(128)
	if d == 0 {
		lean = 0
	}
	p.d[0] = d
	var sum int32
	for i := 6; i > 0; i-- {
		b := times(p.b[i-1], 32640) + signed(lean, signsDiffer(d, p.d[i]))
		p.b[i-1], p.d[i] = b, p.d[i-1]
		sum = saturated(sum + times(saturated(2*p.d[i]), b))
	}
	p.zeros = sum
}

// signsDiffer is -1 where one of two numbers is negative and the other not, else 0.
func signsDiffer(x, y int32) int32 { return (x ^ y) >> 31 }

// signed is x, or -x where turn is -1. There is no branch, as nobody could foretell it.
func signed(x, turn int32) int32 { return (x ^ turn) - turn }

// times multiplies two 16-bit numbers, one of which has 15 binary places.
func times(x, y int32) int32 { return x * y >> 15 }

func saturated(x int32) int32 { return max(math.MinInt16, min(math.MaxInt16, x)) }

// limited is what goes through the mirror filter: 15 bits, G.722 LIMIT.
func limited(x int32) int32 { return max(-1<<14, min(1<<14-1, x)) }
