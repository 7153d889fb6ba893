//go:build !opus

// A package with cgo (tag opus) has no assembly of its own.

package codec

// encode gives the code of a sample of each band.
func (b *bands) encode(low, high int32) byte {
	beyond := encodeBoth(&b.predictor, both(low, high), uint32(b.lower.step), uint32(b.higher.step))
	code := lowerCodes[(29-beyond>>8)<<1&62|beyond>>2&1]
	two := byte(2 + beyond>>1&1 - beyond>>2&2)
	b.rescale(code>>2, two)
	return two<<6 | code
}

// predict takes the differences that the codes of both bands stood for, and predicts anew.
func (p *predictor) predict(low, high int32) { predictBoth(p, both(low, high)) }

func both(low, high int32) uint32 { return uint32(uint16(low)) | uint32(high)<<16 }

// predictBoth is predictPlain by SSE2, which every such machine has.
//
//go:noescape
func predictBoth(p *predictor, d uint32)

// encodeBoth is encodePlain but for the code itself and rescale, by a sample and the step of each band. beyond: how
// many of the lower band's decision levels are not reached, 8 bits up; bit 1: that of the higher is not; 2 and 3: the
// signs of the differences.
//
//go:noescape
func encodeBoth(p *predictor, x, lower, higher uint32) (beyond uint32)

func filter(dst [][2]int16, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, before, places uint64, most int32) {
	if len(dst) > 0 {
		filterPairs(&dst[0], len(dst), src, c, before, places, uint32(most))
	}
}

// filterPairs is filterPlain by SSE2.
//
//go:noescape
func filterPairs(
	dst *[2]int16, n int, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, before, places uint64, most uint32,
)
