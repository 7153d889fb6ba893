//go:build !amd64 || opus

package codec

// encode gives the code of a sample of each band.
func (b *bands) encode(low, high int32) byte { return b.encodePlain(low, high) }

// predict takes the differences that the codes of both bands stood for, and predicts anew.
func (p *predictor) predict(low, high int32) { p.predictPlain(low, high) }

func filter(dst [][2]int16, src *[taps - 2 + 2*block]int16, c *[2][taps]int16, before, places uint64, most int32) {
	filterPlain(dst, src, c, before, places, most)
}
