package codec

import "math/bits"

// The tables. A-law looks at the upper 12 bits of a sample, µ-law at the upper 14.
var (
	aToLinear  = table(aExpand)
	muToLinear = table(muExpand)
	linearToA  = aCompressTable()
	linearToMu = muCompressTable()
	aToMu      = between(&aToLinear, func(x int16) byte { return linearToMu[uint16(x)>>2] })
	muToA      = between(&muToLinear, func(x int16) byte { return linearToA[uint16(x)>>4] })
)

func table(expand func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = expand(byte(i))
	}
	return t
}

func aCompressTable() (t [1 << 12]byte) {
	for i := range t {
		t[i] = aCompress(int16(i << 4))
	}
	return t
}

func muCompressTable() (t [1 << 14]byte) {
	for i := range t {
		t[i] = muCompress(int16(i << 2))
	}
	return t
}

func between(expand *[256]int16, compress func(int16) byte) (t [256]byte) {
	for i := range t {
		t[i] = compress(expand[i])
	}
	return t
}

// aCompress codes a sample by G.711 table 1. The even bits are inverted, as on the wire.
func aCompress(x int16) byte {
	sign := byte(0x80)
	if x < 0 {
		x, sign = ^x, 0
	}
	magnitude := uint16(x) >> 4 // 11 bits
	code := byte(magnitude)     // as it is in the lowest segment
	if length := bits.Len16(magnitude); length > 4 {
		code = byte(length-4)<<4 | byte(magnitude>>(length-5))&0x0f
	}
	return (code | sign) ^ 0x55
}

// aExpand gives the middle of the interval that a code stands for.
func aExpand(code byte) int16 {
	code ^= 0x55
	segment := code >> 4 & 7
	x := int16(code&0x0f)<<4 + 8
	if segment > 0 {
		x = (x + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 {
		return -x
	}
	return x
}

const muBias = 33 // G.711 table 2: makes every segment begin at a power of two

// muCompress codes a sample by G.711 table 2. All bits are inverted, as on the wire.
func muCompress(x int16) byte {
	sign := byte(0)
	if x < 0 {
		x, sign = ^x, 0x80
	}
	magnitude := min(uint16(x)>>2+muBias, 0x1fff) // 13 bits
	segment := bits.Len16(magnitude) - 6          // the bias leaves no fewer than 6
	code := byte(segment)<<4 | byte(magnitude>>(segment+1))&0x0f
	return ^(code | sign)
}

// muExpand gives the middle of the interval that a code stands for.
func muExpand(code byte) int16 {
	code = ^code
	segment := code >> 4 & 7
	x := (int16(code&0x0f)<<1+muBias)<<segment - muBias
	if code&0x80 != 0 {
		return -x << 2
	}
	return x << 2
}
