package codec

// G.722 cuts the sound into two bands of 4 kHz by a quadrature mirror filter
// and codes the difference of each from what was predicted: the lower band by
// 6 bits, the higher by 2. A byte has the higher band's in front (RFC 3551 §4.5.2).
//
// Each step of the Recommendation is here, to the bit, but not always as it
// stands there: see split, follow and steps.

type lowerBand struct{ band }

func newLowerBand() lowerBand { return lowerBand{band{step: lowerSteps[0]}} }

// encode gives the code of a sample: SUBTRA, QUANTL.
func (b *lowerBand) encode(x int32) byte {
	e := saturated(x - b.next)
	code := lowerCodes[b.steps(magnitude(e))<<1|int(uint32(e)>>31)]
	b.adapt(code)
	return code
}

// steps is the number of decision levels that a magnitude reaches. All levels are multiples of the step; so how many
// steps it has says it but for one level, which is looked at exactly. Levels are cut off: one less is above them.
func (b *lowerBand) steps(magnitude int32) int {
	bin := min(lowerBins-1, uint64(magnitude+1)*lowerInverse[b.log>>6]>>32)
	n := lowerReached[bin]
	if magnitude >= times(lowerLevels[n]<<3, b.step) {
		n++
	}
	return int(n)
}

// adapt follows a code by its upper four bits alone, so that both sides agree
// whichever of the lower two is lost.
func (b *lowerBand) adapt(code byte) {
	code = code >> 2 & 15
	b.follow(times(b.step, lowerSteps4[code]))
	b.log = max(0, min(18432, b.log+(-b.log)>>7+lowerGrowth[code])) // LOGSCL: 127/128 of it
	b.step = lowerSteps[b.log>>6]                                   // SCALEL
}

// decode gives the sample of a code, of 8-mode bits: §1.3 table 1; mode 1, with
// all of 64 kbit/s for the sound, is the one that goes over RTP.
func (b *lowerBand) decode(code byte, mode int) int32 {
	level := lowerSteps6[code&63]
	switch mode {
	case 2:
		level = lowerSteps5[code>>1&31]
	case 3:
		level = lowerSteps4[code>>2&15]
	}
	x := limited(saturated(b.next + times(b.step, level)))
	b.adapt(code)
	return x
}

type higherBand struct{ band }

func newHigherBand() higherBand { return higherBand{band{step: higherStep[0]}} }

// encode gives the code of a sample: SUBTRA, QUANTH.
func (b *higherBand) encode(x int32) byte {
	e := saturated(x - b.next)
	code := 3 + (times(higherLevel<<3, b.step)-1-magnitude(e))>>31 // 2 when the magnitude is as large
	code -= 2 * int32(uint32(e)>>31)
	b.adapt(byte(code))
	return byte(code)
}

func (b *higherBand) adapt(code byte) int32 {
	code &= 3
	d := times(b.step, higherSteps[code])
	b.follow(d)
	b.log = max(0, min(22528, b.log+(-b.log)>>7+higherGrowth[code])) // LOGSCH
	b.step = higherStep[b.log>>6]                                    // SCALEH
	return d
}

func (b *higherBand) decode(code byte) int32 {
	predicted := b.next
	return limited(saturated(predicted + b.adapt(code)))
}

// magnitude of a negative number is one less than one thinks, as in QUANTL.
func magnitude(x int32) int32 { return x ^ x>>31 }

// itsHeadroom is by how many bits samples are smaller in G.722 than in G.711: its overload point is at +9 dBm0 (G.722
// §1.2), that of A-law at +3.14 dBm0 (G.711 table 5). 6.0 dB for 5.9: a desk that hears both hears them alike.
const itsHeadroom = 1

const (
	taps  = len(mirror)
	block = 160 // bytes, 20 ms, that are filtered at once
)

type g722Encoder struct {
	headroom uint // 0: samples are on the scale of G.722 itself
	lower    lowerBand
	higher   higherBand
	past     [2*taps - 2]int16 // samples, the newest last, by headroom smaller
}

func newG722Encoder() *g722Encoder {
	return &g722Encoder{lower: newLowerBand(), higher: newHigherBand()}
}

func (e *g722Encoder) Encode(dst []byte, src []int16) int {
	n := min(len(dst), len(src)/2)
	var low, high [block]int32
	for at := 0; at < n; at += block {
		part := dst[at:min(n, at+block)]
		e.split(low[:len(part)], high[:len(part)], src[2*at:])
		for i := range part {
			part[i] = e.higher.encode(high[i])<<6 | e.lower.encode(low[i])
		}
	}
	return n
}

// split takes pairs of samples and gives one of each band: §5.2.1. Both halves of a word of 64 bits hold a sum of 32:
// every coefficient is multiplied with two samples at once, those of two pairs.
func (e *g722Encoder) split(low, high []int32, src []int16) {
	var x [2*taps - 2 + 2*block + 2]int16
	n := 2 * len(low)
	at := copy(x[:], e.past[:])
	for i, s := range src[:n] {
		x[at+i] = s >> e.headroom
	}
	copy(e.past[:], x[n:])
	var two [2*taps - 2 + 2*block]int64 // of each sample, and of that a pair later
	for i := range two[:at+n] {
		two[i] = int64(x[i]) + int64(x[i+2])<<32
	}
	for i := 0; i < len(low); i += 2 {
		w := (*[2 * taps]int64)(two[2*i:])
		var even, odd int64
		odd = 3*w[0] - 11*w[2] + 12*w[4] + 32*w[6] - 210*w[8] + 951*w[10] +
			3876*w[12] - 805*w[14] + 362*w[16] - 156*w[18] + 53*w[20] - 11*w[22]
		even = 3*w[23] - 11*w[21] + 12*w[19] + 32*w[17] - 210*w[15] + 951*w[13] +
			3876*w[11] - 805*w[9] + 362*w[7] - 156*w[5] + 53*w[3] - 11*w[1]
		low[i], high[i] = limited((int32(even)+int32(odd))>>14), limited((int32(even)-int32(odd))>>14)
		if i+1 < len(low) {
			first, second := upper(even), upper(odd)
			low[i+1], high[i+1] = limited((first+second)>>14), limited((first-second)>>14)
		}
	}
}

// upper is the sum in the upper half of a word; that in the lower half may be negative.
func upper(x int64) int32 { return int32((x - int64(int32(x))) >> 32) }

type g722Decoder struct {
	headroom uint // as of the encoder
	lower    lowerBand
	higher   higherBand
	mode     int
	diff     [taps - 1]int32 // of the two bands, the newest last
	sum      [taps - 1]int32
}

func newG722Decoder() *g722Decoder {
	return &g722Decoder{lower: newLowerBand(), higher: newHigherBand(), mode: 1}
}

func (d *g722Decoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst)/2, len(payload))
	var diff, sum [taps - 1 + block + 1]int32
	for at := 0; at < n; at += block {
		part := payload[at:min(n, at+block)]
		copy(diff[:], d.diff[:])
		copy(sum[:], d.sum[:])
		for i, code := range part {
			low, high := d.lower.decode(code&0x3f, d.mode), d.higher.decode(code>>6)
			diff[taps-1+i], sum[taps-1+i] = low-high, low+high
		}
		copy(d.diff[:], diff[len(part):])
		copy(d.sum[:], sum[len(part):])
		d.join(dst[2*at:2*at+2*len(part)], &diff, &sum)
	}
	return 2 * n
}

// join takes samples of each band and gives pairs of the whole: §5.2.2. As in split a word holds two sums.
func (d *g722Decoder) join(dst []int16, diff, sum *[taps + block]int32) {
	var two [2][taps - 1 + block]int64
	n := len(dst)/2 + taps - 1
	for i := range two[0][:n] {
		two[0][i] = int64(diff[i]) + int64(diff[i+1])<<32
		two[1][i] = int64(sum[i]) + int64(sum[i+1])<<32
	}
	places := 11 - d.headroom
	for i := 0; i < len(dst)/2; i += 2 {
		v, w := (*[taps]int64)(two[0][i:]), (*[taps]int64)(two[1][i:])
		x := 3*v[11] - 11*v[10] + 12*v[9] + 32*v[8] - 210*v[7] + 951*v[6] +
			3876*v[5] - 805*v[4] + 362*v[3] - 156*v[2] + 53*v[1] - 11*v[0]
		y := 3*w[0] - 11*w[1] + 12*w[2] + 32*w[3] - 210*w[4] + 951*w[5] +
			3876*w[6] - 805*w[7] + 362*w[8] - 156*w[9] + 53*w[10] - 11*w[11]
		dst[2*i], dst[2*i+1] = int16(saturated(int32(x)>>places)), int16(saturated(int32(y)>>places))
		if 2*i+3 < len(dst) {
			dst[2*i+2], dst[2*i+3] = int16(saturated(upper(x)>>places)), int16(saturated(upper(y)>>places))
		}
	}
}
