//go:build !amd64

package codec

// follow takes the differences that the codes of both bands stood for, and predicts anew.
func (p *predictor) follow(low, high int32) { p.followPlain(low, high) }

func filter(dst [][2]int16, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, places uint64) {
	filterPlain(dst, src, c, places)
}
