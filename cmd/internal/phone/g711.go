package phone

import "math/bits"

// Codec is a G.711 law, or G.722, by its static RTP payload type (RFC 3551 §6).
type Codec uint8

// The two laws, and wideband, which stands in SDP with a clock of 8 kHz (RFC 3551 §4.5.2).
const (
	PCMU Codec = 0
	PCMA Codec = 8
	G722 Codec = 9
)

// String is the name in SDP.
func (c Codec) String() string {
	switch c {
	case PCMA:
		return "PCMA"
	case G722:
		return "G722"
	}
	return "PCMU"
}

// Encode appends the G.711 codes of 8 kHz samples to dst.
func (c Codec) Encode(dst []byte, src []int16) []byte {
	for _, s := range src {
		if c == PCMA {
			dst = append(dst, toALaw(s))
		} else {
			dst = append(dst, toMuLaw(s))
		}
	}
	return dst
}

// Decode appends the samples of G.711 codes to dst.
func (c Codec) Decode(dst []int16, src []byte) []int16 {
	for _, b := range src {
		if c == PCMA {
			dst = append(dst, fromALaw(b))
		} else {
			dst = append(dst, fromMuLaw(b))
		}
	}
	return dst
}

// toALaw is ITU-T G.711 table 1: 13 bits to sign, segment and four bits of step, even bits inverted.
func toALaw(s int16) byte {
	sign, v := byte(0x80), int(s)>>3
	if v < 0 {
		sign, v = 0, -v-1
	}
	seg := max(0, bits.Len(uint(v>>5)))
	code := byte(seg << 4)
	if seg < 2 {
		code |= byte(v>>1) & 0x0f
	} else {
		code |= byte(v>>seg) & 0x0f
	}
	return (sign | code) ^ 0x55
}

func fromALaw(b byte) int16 {
	b ^= 0x55
	v, seg := int16(b&0x0f)<<4+8, b>>4&7
	if seg > 0 {
		v = (v + 0x100) << (seg - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}

// toMuLaw is ITU-T G.711 table 2: bias 33 on 14 bits, all bits inverted.
func toMuLaw(s int16) byte {
	sign, v := byte(0), int(s)
	if v < 0 {
		sign, v = 0x80, ^v // ITU-T G.191: the ones' complement
	}
	v >>= 2
	v = min(v+33, 8191)
	seg := bits.Len(uint(v >> 6))
	return ^(sign | byte(seg<<4) | byte(v>>(seg+1))&0x0f)
}

func fromMuLaw(b byte) int16 {
	b = ^b
	v := (int16(b&0x0f)<<3+0x84)<<(b>>4&7) - 0x84
	if b&0x80 != 0 {
		return -v
	}
	return v
}
