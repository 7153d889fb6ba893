package codec

// G.722 cuts the sound into two bands of 4 kHz by a quadrature mirror filter
// and codes the difference of each from what was predicted: the lower band by
// 6 bits, the higher by 2. A byte has the higher band's in front (RFC 3551 §4.5.2).

type lowerBand struct{ band }

func newLowerBand() lowerBand { return lowerBand{band{scale: scale{step: 32}}} }

// encode gives the code of a sample: SUBTRA, QUANTL.
func (b *lowerBand) encode(x int32) byte {
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
func (b *lowerBand) steps(magnitude int32) int {
	for i, level := range lowerLevels {
		if magnitude < times(level<<3, b.step) {
			return i
		}
	}
	return len(lowerLevels)
}

// adapt follows a code by its upper four bits alone, so that both sides agree
// whichever of the lower two is lost.
func (b *lowerBand) adapt(code byte) {
	code >>= 2
	b.follow(times(b.step, lowerSteps4[code]))
	b.scale.adapt(lowerGrowth[code], 18432, 8)
}

// decode gives the sample of a code, of 8-mode bits: §1.3 table 1; mode 1, with
// all of 64 kbit/s for the sound, is the one that goes over RTP.
func (b *lowerBand) decode(code byte, mode int) int32 {
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

type higherBand struct{ band }

func newHigherBand() higherBand { return higherBand{band{scale: scale{step: 8}}} }

// encode gives the code of a sample: SUBTRA, QUANTH.
func (b *higherBand) encode(x int32) byte {
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

func (b *higherBand) adapt(code byte) int32 {
	d := times(b.step, higherSteps[code])
	b.follow(d)
	b.scale.adapt(higherGrowth[code], 22528, 10)
	return d
}

func (b *higherBand) decode(code byte) int32 {
	predicted := b.next
	return limited(saturated(predicted + b.adapt(code)))
}

// magnitude of a negative number is one less than one thinks, as in QUANTL.
func magnitude(x int32) int32 { return x ^ x>>31 }

type g722Encoder struct {
	lower  lowerBand
	higher higherBand
	past   [24]int32 // samples, the newest last
}

func newG722Encoder() *g722Encoder {
	return &g722Encoder{lower: newLowerBand(), higher: newHigherBand()}
}

func (e *g722Encoder) Encode(dst []byte, src []int16) int {
	n := min(len(dst), len(src)/2)
	for i := range n {
		low, high := e.split(int32(src[2*i]), int32(src[2*i+1]))
		dst[i] = e.higher.encode(high)<<6 | e.lower.encode(low)
	}
	return n
}

// split takes two samples and gives one of each band: §5.2.1.
func (e *g722Encoder) split(first, second int32) (low, high int32) {
	copy(e.past[:22], e.past[2:])
	e.past[22], e.past[23] = first, second
	var even, odd int32
	for i, h := range mirror {
		odd += h * e.past[2*i]
		even += h * e.past[23-2*i]
	}
	return limited((even + odd) >> 14), limited((even - odd) >> 14)
}

type g722Decoder struct {
	lower  lowerBand
	higher higherBand
	mode   int
	diff   [12]int32 // of the two bands, the newest last
	sum    [12]int32
}

func newG722Decoder() *g722Decoder {
	return &g722Decoder{lower: newLowerBand(), higher: newHigherBand(), mode: 1}
}

func (d *g722Decoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst)/2, len(payload))
	for i, code := range payload[:n] {
		low, high := d.lower.decode(code&0x3f, d.mode), d.higher.decode(code>>6)
		dst[2*i], dst[2*i+1] = d.join(low, high)
	}
	return 2 * n
}

// join takes a sample of each band and gives the two of the whole: §5.2.2.
func (d *g722Decoder) join(low, high int32) (first, second int16) {
	copy(d.diff[:11], d.diff[1:])
	copy(d.sum[:11], d.sum[1:])
	d.diff[11], d.sum[11] = low-high, low+high
	var x, y int32
	for i, h := range mirror {
		x += h * d.diff[11-i]
		y += h * d.sum[i]
	}
	return int16(saturated(x >> 11)), int16(saturated(y >> 11))
}
