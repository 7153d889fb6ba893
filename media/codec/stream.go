package codec

// Encoder codes one stream of sound. It is owned by whoever sends the stream.
type Encoder interface {
	// Encode writes the payload for src, samples at ID.Rate that follow those of
	// the call before, and gives its length in bytes. G.711 and G.722 code as
	// much as fits into dst, G.722 two samples to a byte. Opus takes 10 ms or a
	// multiple, up to 60 ms, and gives 0 for anything else or a dst without room.
	Encode(dst []byte, src []int16) int
}

// Decoder decodes one stream of payloads. It is owned by whoever receives it.
type Decoder interface {
	// Decode writes the samples of a payload, at ID.Rate, and gives their
	// number. Any bytes may come. G.711 and G.722 decode as many as fit into
	// dst; Opus gives 0 when dst is too small for all, or the payload corrupt.
	Decode(dst []int16, payload []byte) int
}

// NewEncoder begins a stream; nil for a codec that is not Known.
func NewEncoder(id ID) Encoder {
	switch {
	case id.Stateless():
		return g711(id)
	case id == G722:
		e := newG722Encoder()
		e.headroom = itsHeadroom
		return e
	case id == Opus:
		return newOpusEncoder()
	}
	return nil
}

// NewDecoder begins a stream; nil for a codec that is not Known.
func NewDecoder(id ID) Decoder {
	switch {
	case id.Stateless():
		return g711(id)
	case id == G722:
		d := newG722Decoder()
		d.headroom = itsHeadroom
		return d
	case id == Opus:
		return newOpusDecoder()
	}
	return nil
}

// g711 is the Encoder and the Decoder of a codec that has nothing to remember.
type g711 ID

func (g g711) Encode(dst []byte, src []int16) int { return Encode(ID(g), dst, src) }

func (g g711) Decode(dst []int16, payload []byte) int { return Decode(ID(g), dst, payload) }

// Concealer is a Decoder that can make up for lost packets: that of Opus.
type Concealer interface {
	// Conceal writes the sound that most likely went on, as many samples as dst
	// has but for a rest of less than 2.5 ms, and gives their number.
	Conceal(dst []int16) int
}
