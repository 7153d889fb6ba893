//go:build opus

package codec

const (
	opusMostFrames = 5   // of 10 ms in a packet of ours: 50 ms
	opusMostBytes  = 300 // of such a frame: ten times what it has on average
)

// packOpus puts packets of one frame each into one packet, RFC 6716 §3.2.5, and
// gives its length; 0 when dst has no room, or when the frames are not of one
// configuration, as a packet's must be.
func packOpus(dst []byte, frames [][]byte) int {
	need := 2
	for _, f := range frames {
		if len(f) == 0 || f[0] != frames[0][0] || f[0]&3 != 0 {
			return 0
		}
		need += len(f) + 1 // no more: a length has up to two bytes, one for the TOC that goes
	}
	if len(dst) < need {
		return 0
	}
	const differ = 0x80 // the frames are of different lengths
	out := append(dst[:0], frames[0][0]|3, differ|byte(len(frames)))
	for _, f := range frames[:len(frames)-1] {
		out = appendOpusLength(out, len(f)-1)
	}
	for _, f := range frames {
		out = append(out, f[1:]...)
	}
	return len(out)
}

// appendOpusLength: RFC 6716 §3.2.1.
func appendOpusLength(dst []byte, n int) []byte {
	if n < 252 {
		return append(dst, byte(n))
	}
	first := 252 + n&3
	return append(dst, byte(first), byte((n-first)/4))
}
