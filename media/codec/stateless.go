package codec

// Encode writes the payload for src and gives its length: a byte per sample,
// as many as fit into dst. An ID that is not Stateless writes nothing.
func Encode(id ID, dst []byte, src []int16) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch id {
	case PCMA:
		for i, x := range src {
			dst[i] = linearToA[uint16(x)>>4]
		}
	case PCMU:
		for i, x := range src {
			dst[i] = linearToMu[uint16(x)>>2]
		}
	default:
		return 0
	}
	return n
}

// Decode writes the samples of a payload and gives their number, as many as
// fit into dst. An ID that is not Stateless writes nothing.
func Decode(id ID, dst []int16, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch id {
	case PCMA:
		decode(&aToLinear, dst, src)
	case PCMU:
		decode(&muToLinear, dst, src)
	default:
		return 0
	}
	return n
}

func decode(table *[256]int16, dst []int16, src []byte) {
	for i, b := range src {
		dst[i] = table[b]
	}
}

// Transcode writes the payload src of one codec as that of another and gives
// its length, as much as fits. dst and src may be the same memory. Nothing is
// written when one of the two is not Stateless.
func Transcode(to ID, dst []byte, from ID, src []byte) int {
	n := min(len(dst), len(src))
	switch {
	case !to.Stateless() || !from.Stateless():
		return 0
	case to == from:
		return copy(dst, src)
	case to == PCMU:
		substitute(&aToMu, dst[:n], src[:n])
	default:
		substitute(&muToA, dst[:n], src[:n])
	}
	return n
}

func substitute(table *[256]byte, dst, src []byte) {
	for i, b := range src {
		dst[i] = table[b]
	}
}
