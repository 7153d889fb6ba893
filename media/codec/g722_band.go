package codec

import "math"

// band is what encoder and decoder know of one sub-band, the same on both
// sides: how coarse the code is, G.722 block 3, and how the next sample is
// predicted, block 4, by two poles and six zeros. Of the past the newest comes first.
type band struct {
	log  int32 // of the step, 11 binary places; never negative
	step int32 // what a code's level is multiplied by

	next   int32 // the prediction, SL or SH
	zeros  int32 // the part of it that the zeros make
	a1, a2 int32
	r1, r2 int32 // twice the reconstructed samples
	p1, p2 int32 // partially reconstructed: the zeros' part alone
	b      [6]int32
	d      [6]int32 // twice the differences from the prediction
}

// follow takes the difference that the code stood for, and predicts anew.
func (p *band) follow(d int32) {
	r := saturated(p.next + d)
	p.adaptPoles(saturated(d + p.zeros))
	p.adaptZeros(d)
	p.r2, p.r1 = p.r1, saturated(2*r)
	poles := times(p.r1, p.a1) + times(p.r2, p.a2) // FILTEP
	p.next = saturated(saturated(poles) + p.zeros) // PREDIC
}

// adaptPoles: UPPOL2, UPPOL1. The factors are 127/128 and 255/256.
func (p *band) adaptPoles(partial int32) {
	turn, turn2 := signsDiffer(partial, p.p1), signsDiffer(partial, p.p2)
	push := saturated(signed(saturated(4*p.a1), ^turn))
	p.a2 = max(-12288, min(12288, push>>7+signed(128, turn2)+p.a2+(-p.a2)>>7))
	limit := 15360 - p.a2 // keeps the filter stable
	p.a1 = max(-limit, min(limit, signed(192, turn)+p.a1+(-p.a1)>>8))
	p.p2, p.p1 = p.p1, partial
}

// adaptZeros: UPZERO, and at once FILTEZ, whose sum goes from the oldest to the
// newest, as each part of it is saturated. That matters next to never: it is summed
// plainly, and again when one part was too large.
func (p *band) adaptZeros(d int32) {
	lean := (-d | d) >> 31 & 128 // none when d is 0
	b, past := &p.b, &p.d
	twice := saturated(2 * d)
	b6 := b[5] + (-b[5])>>8 + signed(lean, signsDiffer(d, past[5]))
	b5 := b[4] + (-b[4])>>8 + signed(lean, signsDiffer(d, past[4]))
	b4 := b[3] + (-b[3])>>8 + signed(lean, signsDiffer(d, past[3]))
	b3 := b[2] + (-b[2])>>8 + signed(lean, signsDiffer(d, past[2]))
	b2 := b[1] + (-b[1])>>8 + signed(lean, signsDiffer(d, past[1]))
	b1 := b[0] + (-b[0])>>8 + signed(lean, signsDiffer(d, past[0]))
	s6 := times(past[4], b6)
	s5 := s6 + times(past[3], b5)
	s4 := s5 + times(past[2], b4)
	s3 := s4 + times(past[1], b3)
	s2 := s3 + times(past[0], b2)
	s1 := s2 + times(twice, b1)
	past[5], past[4], past[3], past[2], past[1], past[0] = past[4], past[3], past[2], past[1], past[0], twice
	b[5], b[4], b[3], b[2], b[1], b[0] = b6, b5, b4, b3, b2, b1
	p.zeros = s1
	const half = 1 << 15
	if uint32(s6+half)|uint32(s5+half)|uint32(s4+half)|uint32(s3+half)|uint32(s2+half)|uint32(s1+half) >= 2*half {
		p.zeros = p.saturatedZeros()
	}
}

// saturatedZeros is the sum of adaptZeros as it stands in the Recommendation.
func (p *band) saturatedZeros() (sum int32) {
	for i := 5; i >= 0; i-- {
		sum = saturated(sum + times(p.d[i], p.b[i]))
	}
	return sum
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
