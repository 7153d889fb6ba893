package codec

// The codec as the Recommendation's text has it, sample by sample: what the faster one is compared with.

// G.722 cuts the sound into two bands of 4 kHz by a quadrature mirror filter
// and codes the difference of each from what was predicted: the lower band by
// 6 bits, the higher by 2. A byte has the higher band's in front (RFC 3551 §4.5.2).

type plainLower struct{ plainBand }

func newPlainLower() plainLower { return plainLower{plainBand{plainScale: plainScale{step: 32}}} }

// encode gives the code of a sample: SUBTRA, QUANTL.
func (b *plainLower) encode(x int32) byte {
	e := saturated(x - b.next)
	steps := byte(b.steps(magnitude(e)))
	code := 61 - steps
	if e < 0 {
		code = 33 - steps // the two smallest are out of the row
		if steps < 2 {
			code = 63 - steps
		}
	}
	b.adapt(code)
	return code
}

// steps is the number of decision levels that a magnitude reaches.
func (b *plainLower) steps(magnitude int32) int {
	from, to := 0, lowerLast+1
	for from < to {
		middle := (from + to) / 2
		if magnitude < times(lowerLevels[middle]<<3, b.step) {
			to = middle
		} else {
			from = middle + 1
		}
	}
	return from
}

// adapt follows a code by its upper four bits alone, so that both sides agree
// whichever of the lower two is lost.
func (b *plainLower) adapt(code byte) {
	code >>= 2
	b.follow(times(b.step, lowerSteps4[code]))
	b.plainScale.adapt(lowerGrowth[code], 18432, 8)
}

// decode gives the sample of a code, of 8-mode bits: §1.3 table 1; mode 1, with
// all of 64 kbit/s for the sound, is the one that goes over RTP.
func (b *plainLower) decode(code byte, mode int) int32 {
	var level int32
	switch mode {
	case 1:
		level = lowerSteps6[code]
	case 2:
		level = lowerSteps5[code>>1]
	default:
		level = lowerSteps4[code>>2]
	}
	x := limited(saturated(b.next + times(b.step, level)))
	b.adapt(code)
	return x
}

type plainHigher struct{ plainBand }

func newPlainHigher() plainHigher { return plainHigher{plainBand{plainScale: plainScale{step: 8}}} }

// encode gives the code of a sample: SUBTRA, QUANTH.
func (b *plainHigher) encode(x int32) byte {
	e := saturated(x - b.next)
	code := byte(3)
	if magnitude(e) >= times(higherLevel<<3, b.step) {
		code = 2
	}
	if e < 0 {
		code -= 2
	}
	b.adapt(code)
	return code
}

func (b *plainHigher) adapt(code byte) int32 {
	d := times(b.step, higherSteps[code])
	b.follow(d)
	b.plainScale.adapt(higherGrowth[code], 22528, 10)
	return d
}

func (b *plainHigher) decode(code byte) int32 {
	predicted := b.next
	return limited(saturated(predicted + b.adapt(code)))
}

type plainEncoder struct {
	headroom uint // 0: samples are on the scale of G.722 itself
	lower    plainLower
	higher   plainHigher
	past     [24]int32 // samples, the newest last
}

func newPlainEncoder() *plainEncoder {
	return &plainEncoder{lower: newPlainLower(), higher: newPlainHigher()}
}

func (e *plainEncoder) Encode(dst []byte, src []int16) int {
	n := min(len(dst), len(src)/2)
	for i := range n {
		low, high := e.split(int32(src[2*i])>>e.headroom, int32(src[2*i+1])>>e.headroom)
		dst[i] = e.higher.encode(high)<<6 | e.lower.encode(low)
	}
	return n
}

// split takes two samples and gives one of each band: §5.2.1.
func (e *plainEncoder) split(first, second int32) (low, high int32) {
	copy(e.past[:22], e.past[2:])
	e.past[22], e.past[23] = first, second
	var even, odd int32
	for i, h := range mirror {
		odd += int32(h) * e.past[2*i]
		even += int32(h) * e.past[23-2*i]
	}
	return limited((even + odd) >> 14), limited((even - odd) >> 14)
}

type plainDecoder struct {
	headroom uint // as of the encoder
	lower    plainLower
	higher   plainHigher
	mode     int
	diff     [12]int32 // of the two bands, the newest last
	sum      [12]int32
}

func newPlainDecoder() *plainDecoder {
	return &plainDecoder{lower: newPlainLower(), higher: newPlainHigher(), mode: 1}
}

func (d *plainDecoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst)/2, len(payload))
	for i, code := range payload[:n] {
		low, high := d.lower.decode(code&0x3f, d.mode), d.higher.decode(code>>6)
		dst[2*i], dst[2*i+1] = d.join(low, high)
	}
	return 2 * n
}

// join takes a sample of each band and gives the two of the whole: §5.2.2.
func (d *plainDecoder) join(low, high int32) (first, second int16) {
	copy(d.diff[:11], d.diff[1:])
	copy(d.sum[:11], d.sum[1:])
	d.diff[11], d.sum[11] = low-high, low+high
	var x, y int32
	for i, h := range mirror {
		x += int32(h) * d.diff[11-i]
		y += int32(h) * d.sum[i]
	}
	places := 11 - d.headroom
	return int16(saturated(x >> places)), int16(saturated(y >> places))
}

// band is what encoder and decoder know of one sub-band, the same on both
// sides: how the next sample is predicted and how coarse the code is.
type plainBand struct {
	plainPredictor
	plainScale
}

// scale is the adaptive quantizer's: G.722 block 3.
type plainScale struct {
	log  int32 // 11 binary places; never negative
	step int32 // what a code's level is multiplied by
}

// adapt follows a code by its growth. LOGSCL, SCALEL; top and shift differ in the higher band.
func (q *plainScale) adapt(growth, top int32, shift uint) {
	q.log = max(0, min(top, times(q.log, 32512)+growth))
	q.step = powers[q.log>>6&31] << (q.log >> 11) >> shift << 2
}

// predictor foretells a band's next sample by two poles and six zeros: G.722
// block 4. The newest of the past comes first.
type plainPredictor struct {
	next  int32 // the prediction, SL or SH
	zeros int32 // the part of it that the zeros make
	a     [2]int32
	b     [6]int32
	r     [2]int32 // reconstructed samples
	p     [2]int32 // partially reconstructed: the zeros' part alone
	d     [7]int32 // differences from the prediction; the first is the one that is followed
}

// follow takes the difference that the code stood for, and predicts anew.
func (p *plainPredictor) follow(d int32) {
	reconstructed := saturated(p.next + d)
	p.adaptPoles(saturated(d + p.zeros))
	p.adaptZeros(d)
	p.r[1], p.r[0] = p.r[0], reconstructed
	poles := times(saturated(2*p.r[0]), p.a[0]) + times(saturated(2*p.r[1]), p.a[1]) // FILTEP
	p.next = saturated(saturated(poles) + p.zeros)                                   // PREDIC
}

// adaptPoles: UPPOL2, UPPOL1.
func (p *plainPredictor) adaptPoles(partial int32) {
	turn, turn2 := signsDiffer(partial, p.p[0]), signsDiffer(partial, p.p[1])
	push := saturated(signed(saturated(4*p.a[0]), ^turn))
	p.a[1] = max(-12288, min(12288, push>>7+signed(128, turn2)+times(p.a[1], 32512)))
	limit := 15360 - p.a[1] // keeps the filter stable
	p.a[0] = max(-limit, min(limit, signed(192, turn)+times(p.a[0], 32640)))
	p.p[1], p.p[0] = p.p[0], partial
}

// adaptZeros: UPZERO, and at once FILTEZ, whose sum goes from the oldest to the
// newest, as each part of it is saturated.
func (p *plainPredictor) adaptZeros(d int32) {
	lean := int32(128)
	if d == 0 {
		lean = 0
	}
	p.d[0] = d
	var sum int32
	for i := 6; i > 0; i-- {
		b := times(p.b[i-1], 32640) + signed(lean, signsDiffer(d, p.d[i]))
		p.b[i-1], p.d[i] = b, p.d[i-1]
		sum = saturated(sum + saturated(times(saturated(2*p.d[i]), b)))
	}
	p.zeros = sum
}
