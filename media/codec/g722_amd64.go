package codec

// follow takes the differences that the codes of both bands stood for, and predicts anew.
func (p *predictor) follow(low, high int32) { followBoth(p, uint32(uint16(low))|uint32(high)<<16) }

// followBoth is followPlain by SSE2, which every such machine has. d: that of the lower band, and 16 bits up that of
// the higher.
//
//go:noescape
func followBoth(p *predictor, d uint32)

func filter(dst [][2]int16, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, places uint64) {
	if len(dst) > 0 {
		filterPairs(&dst[0], len(dst), src, c, places)
	}
}

// filterPairs is filterPlain by SSE2.
//
//go:noescape
func filterPairs(dst *[2]int16, n int, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, places uint64)
