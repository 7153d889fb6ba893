package phone

import (
	"liandong/media/codec"
	"liandong/media/pcm"
)

// g722 is a phone's wideband: what it says and hears at 8 kHz goes through the codec at 16 kHz. The zero value is
// ready. Owned by the media.
type g722 struct {
	up   pcm.Upsampler
	down pcm.Downsampler
	enc  codec.Encoder
	dec  codec.Decoder
}

func (g *g722) encode(src []int16) []byte {
	if g.enc == nil {
		g.enc = codec.NewEncoder(codec.G722)
	}
	wide, out := make([]int16, 2*len(src)), make([]byte, len(src))
	g.up.Up(wide, src)
	return out[:g.enc.Encode(out, wide)]
}

func (g *g722) decode(src []byte) []int16 {
	if g.dec == nil {
		g.dec = codec.NewDecoder(codec.G722)
	}
	wide, out := make([]int16, 2*len(src)), make([]int16, len(src))
	n := g.dec.Decode(wide, src)
	return out[:g.down.Down(out, wide[:n])]
}

// encode is what is sent for 8 kHz samples.
func (m *media) encode(src []int16) []byte {
	if m.codec == G722 {
		return m.wide.encode(src)
	}
	return m.codec.Encode(nil, src)
}

// decode is what a payload sounds like at 8 kHz.
func (m *media) decode(c Codec, payload []byte) []int16 {
	if c == G722 {
		return m.wide.decode(payload)
	}
	return c.Decode(nil, payload)
}
