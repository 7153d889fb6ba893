package record

import (
	"liandong/media/codec"
	"liandong/media/pcm"
)

// voice turns what one party sends into A-law at 8 kHz, in the order in which it comes. Owned by
// the writer.
type voice struct {
	codec   codec.ID // of decoder
	decoder codec.Decoder
	down    pcm.Downsampler
	out     [maxPayload]byte
}

// alaw gives the sound of a payload, good until the next call; empty when there is none in it.
// A-law stays as it is, bit by bit.
func (v *voice) alaw(id codec.ID, payload []byte) []byte {
	if id.Stateless() {
		return v.out[:codec.Transcode(codec.PCMA, v.out[:], id, payload)]
	}
	if id != v.codec {
		*v = voice{codec: id, decoder: codec.NewDecoder(id)}
	}
	if v.decoder == nil {
		return nil
	}
	var sound [2 * maxPayload]int16 // the longest payload of a codec with two samples to a byte
	n := v.decoder.Decode(sound[:], payload)
	if id.Rate() == pcm.WideRate {
		n = v.down.Down(sound[:n/2], sound[:n])
	}
	return v.out[:codec.Encode(codec.PCMA, v.out[:], sound[:n])]
}
