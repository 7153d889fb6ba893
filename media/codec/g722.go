package codec

import "math"

// G.722 cuts the sound into two bands of 4 kHz by a quadrature mirror filter
// and codes the difference of each from what was predicted: the lower band by
// 6 bits, the higher by 2. A byte has the higher band's in front (RFC 3551 §4.5.2).
//
// Each step of the Recommendation is here, to the bit, but not always as it
// stands there: see levels and, for a machine with SSE2, g722_amd64.s.

// encodePlain is encode where there are no instructions for many numbers at once.
func (b *bands) encodePlain(low, high int32) byte {
	code := b.quantize(low, high)
	b.adapt(code)
	return code
}

func (b *bands) quantize(low, high int32) byte {
	e := saturated(low - int32(b.next[0])) // SUBTRA, QUANTL
	code := lowerCodes[b.lower.levels(magnitude(e))<<1|int(uint32(e)>>31)]
	e = saturated(high - int32(b.next[1]))                               // QUANTH
	two := 3 + (times(higherLevel<<3, b.higher.step)-1-magnitude(e))>>31 // 2 when the magnitude is as large
	return code | byte(two-2*int32(uint32(e)>>31))<<6
}

// levels is the number of decision levels of the lower band that a magnitude reaches. All are multiples of the step; so
// how many steps it has says it but for one level, which is looked at exactly. Levels are cut off: one less is above
// them.
func (s *scale) levels(magnitude int32) int {
	bin := min(lowerBins-1, uint64(magnitude+1)*lowerInverse[s.log>>6&511]>>32)
	n := lowerReached[bin]
	return int(n + 1 + (magnitude-times(lowerLevels[n&31]<<3, s.step))>>31)
}

// adapt follows a code, of the lower band's six bits by the upper four alone, so that both sides agree whichever of the
// lower two is lost. It gives the difference that the higher band's stood for.
func (b *bands) adapt(code byte) (high int32) {
	high = times(b.higher.step, higherSteps[code>>6])
	b.predict(times(b.lower.step, lowerSteps4[code>>2&15]), high)
	b.rescale(code>>2&15, code>>6)
	return high
}

// rescale: LOGSCL, SCALEL and LOGSCH, SCALEH. The factor is 127/128.
func (b *bands) rescale(four, two byte) {
	l, h := &b.lower, &b.higher
	l.log = max(0, min(18432, l.log+(-l.log)>>7+lowerGrowth[four&15]))
	h.log = max(0, min(22528, h.log+(-h.log)>>7+higherGrowth[two&3]))
	l.step, h.step = lowerSteps[l.log>>6&511], higherStep[h.log>>6&511]
}

// decode gives the sample of each band of a code, that of the lower of 8-mode bits: §1.3 table 1; mode 1, with all of
// 64 kbit/s for the sound, is the one that goes over RTP.
func (b *bands) decode(code byte, mode int) (low, high int32) {
	level := lowerSteps6[code&63]
	switch mode {
	case 2:
		level = lowerSteps5[code>>1&31]
	case 3:
		level = lowerSteps4[code>>2&15]
	}
	low = int32(b.next[0]) + times(b.lower.step, level)
	high = int32(b.next[1])
	high += b.adapt(code)
	return limited(low), limited(high)
}

// magnitude of a negative number is one less than one thinks, as in QUANTL.
func magnitude(x int32) int32 { return x ^ x>>31 }

// itsHeadroom is by how many bits samples are smaller in G.722 than in G.711: its overload point is at +9 dBm0 (G.722
// §1.2), that of A-law at +3.14 dBm0 (G.711 table 5). 6.0 dB for 5.9: a desk that hears both hears them alike.
const itsHeadroom = 1

const (
	taps  = 2 * len(mirror)
	block = 160 // bytes, 20 ms, that are filtered at once
)

type g722Encoder struct {
	bands
	headroom uint            // 0: samples are on the scale of G.722 itself
	past     [taps - 2]int16 // samples, the newest last
}

func newG722Encoder() *g722Encoder { return &g722Encoder{bands: newBands()} }

func (e *g722Encoder) Encode(dst []byte, src []int16) int {
	n := min(len(dst), len(src)/2)
	for at := 0; at < n; at += block {
		part := dst[at:min(n, at+block)]
		var x [taps - 2 + 2*block]int16
		copy(x[:], e.past[:])
		copy(x[taps-2:], src[2*at:2*at+2*len(part)])
		copy(e.past[:], x[2*len(part):])
		var split [block][2]int16 // §5.2.1: of each band
		filter(split[:len(part)], &x, &splitter, uint64(e.headroom), 14, 1<<14-1)
		for i, s := range split[:len(part)] {
			part[i] = e.encode(int32(s[0]), int32(s[1]))
		}
	}
	return n
}

type g722Decoder struct {
	bands
	headroom uint // as of the encoder
	mode     int
	past     [taps - 2]int16 // difference and sum of the two bands, the newest last
}

func newG722Decoder() *g722Decoder { return &g722Decoder{bands: newBands(), mode: 1} }

func (d *g722Decoder) Decode(dst []int16, payload []byte) int {
	n := min(len(dst)/2, len(payload))
	for at := 0; at < n; at += block {
		part := payload[at:min(n, at+block)]
		var x [taps - 2 + 2*block]int16
		copy(x[:], d.past[:])
		for i, code := range part {
			low, high := d.decode(code, d.mode)
			x[taps-2+2*i], x[taps-1+2*i] = int16(low-high), int16(low+high)
		}
		copy(d.past[:], x[2*len(part):])
		var joined [block][2]int16 // §5.2.2
		filter(joined[:len(part)], &x, &joiner, 0, uint64(11-d.headroom), math.MaxInt16)
		for i, s := range joined[:len(part)] {
			dst[2*(at+i)], dst[2*(at+i)+1] = s[0], s[1]
		}
	}
	return 2 * n
}

// filterPlain is filter where there are no instructions for many numbers at once: of each two that follow it takes the
// taps numbers from there on, so many binary places off before, by either row of coefficients, and limits what comes.
func filterPlain(dst [][2]int16, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, before, places uint64, most int32) {
	for i := range dst {
		x := (*[taps]int16)(src[2*i:])
		var first, second int32
		for k, s := range x {
			s >>= before
			first += int32(c[0][k]) * int32(s)
			second += int32(c[1][k]) * int32(s)
		}
		dst[i][0] = int16(max(^most, min(most, first>>places)))
		dst[i][1] = int16(max(^most, min(most, second>>places)))
	}
}
