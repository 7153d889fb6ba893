package codec

import "math"

// bands is what encoder and decoder know of the two sub-bands, the same on both sides.
type bands struct {
	predictor
	lower, higher scale
}

func newBands() bands {
	return bands{lower: scale{step: lowerSteps[0]}, higher: scale{step: higherStep[0]}}
}

// scale says how coarse a band's code is: G.722 block 3.
type scale struct {
	log  int32 // of the step, 11 binary places; never negative
	step int32 // what a code's level is multiplied by
}

// predictor foretells the next sample of each band by two poles and six zeros: G.722 block 4. All are numbers of 16
// bits, the lower band's and the higher's in turn, the newest of the past first: so both are followed at once.
type predictor struct {
	b     [16]int16
	d     [16]int16 // twice the differences from the prediction
	a     [4]int16
	p     [4]int16 // partially reconstructed: the zeros' part alone
	r     [4]int16 // twice the reconstructed samples
	zeros [2]int16 // the part of the prediction that the zeros make
	next  [2]int16 // the prediction, SL and SH
}

// predictPlain is predict where there are no instructions for many numbers at once.
func (p *predictor) predictPlain(low, high int32) {
	p.predictBand(0, low)
	p.predictBand(1, high)
}

// predictBand takes the difference that the code of one band stood for, and predicts anew.
func (p *predictor) predictBand(band int, d int32) {
	r := saturated(int32(p.next[band]) + d)
	p.adaptPoles(band, saturated(d+int32(p.zeros[band])))
	zeros := p.adaptZeros(band, d)
	p.r[2+band], p.r[band] = p.r[band], int16(saturated(2*r))
	poles := times(int32(p.r[band]), int32(p.a[band])) + times(int32(p.r[2+band]), int32(p.a[2+band])) // FILTEP
	p.zeros[band], p.next[band] = int16(zeros), int16(saturated(saturated(poles)+zeros))               // PREDIC
}

// adaptPoles: UPPOL2, UPPOL1. The factors are 127/128 and 255/256.
func (p *predictor) adaptPoles(band int, partial int32) {
	a1, a2 := int32(p.a[band]), int32(p.a[2+band])
	turn, turn2 := signsDiffer(partial, int32(p.p[band])), signsDiffer(partial, int32(p.p[2+band]))
	push := saturated(signed(saturated(4*a1), ^turn))
	a2 = max(-12288, min(12288, push>>7+signed(128, turn2)+a2+(-a2)>>7))
	limit := 15360 - a2 // keeps the filter stable
	a1 = max(-limit, min(limit, signed(192, turn)+a1+(-a1)>>8))
	p.a[band], p.a[2+band] = int16(a1), int16(a2)
	p.p[2+band], p.p[band] = p.p[band], int16(partial)
}

// adaptZeros: UPZERO, and at once FILTEZ, whose sum goes from the oldest to the newest, as each part of it is
// saturated.
func (p *predictor) adaptZeros(band int, d int32) (sum int32) {
	lean := (-d | d) >> 31 & 128 // none when d is 0
	past, newer := 0, 0
	for i := 10 + band; i >= 0; i -= 2 {
		past, newer = int(p.d[i]), int(saturated(2*d))
		if i > 1 {
			newer = int(p.d[i-2])
		}
		b := int32(p.b[i])
		b += (-b)>>8 + signed(lean, signsDiffer(d, int32(past)))
		p.b[i], p.d[i] = int16(b), int16(newer)
		sum = saturated(sum + saturated(times(int32(newer), b)))
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
