package playout

import (
	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/pcm"
)

// decode puts a packet's sound on the tape. Where it does not go on with what is
// there, because something is missing, was concealed, or the codec is another one,
// the two are blended.
func (p *Playout) decode(s jitter.Sound) {
	crossfade := p.crossfade || s.Broken || p.conceal.Covering()
	if s.Codec != p.codec {
		crossfade = crossfade || p.codec != 0
		p.change(s.Codec)
	}
	dst, past := p.tape.room(p.samples(s.Skip+s.Span) * max(1, p.codec.Rate()/p.tape.rate))
	n := p.convert(dst, s.Payload)
	if n == 0 { // the codec can make nothing of it
		p.cover(p.samples(s.Span), false)
		return
	}
	if skip := min(n, p.samples(s.Skip)); skip > 0 {
		n = copy(dst, dst[skip:n])
	}
	switch {
	case p.last == jitter.Empty:
		p.rise(dst[:n])
	case crossfade:
		p.conceal.Resume(dst[:n], past)
	}
	p.crossfade = false
	p.tape.add(n, true)
}

// rise lets sound out of silence begin without a click: who is heard from now on may be in
// the middle of a word.
func (p *Playout) rise(sound []int16) {
	n := min(len(sound), p.tape.rate/500) // 2 ms
	for i := range n {
		sound[i] = int16(int(sound[i]) * (i + 1) / (n + 1))
	}
}

// change begins to decode another codec. Its decoder begins anew, as the sender's coder most
// likely does; the state of another time would make a noise.
func (p *Playout) change(id codec.ID) {
	p.codec, p.decoder = id, codec.NewDecoder(id)
	p.up, p.down = pcm.Upsampler{}, pcm.Downsampler{}
}

// convert decodes a payload to the rate of the tape.
func (p *Playout) convert(dst []int16, payload []byte) int {
	own := p.codec.Rate()
	switch {
	case own == p.tape.rate:
		return p.decoder.Decode(dst, payload)
	case own > p.tape.rate:
		return p.down.Down(dst, dst[:p.decoder.Decode(dst, payload)])
	}
	n := 0
	var narrow [pcm.FrameSamples]int16
	for len(payload) > 0 { // G.711: a byte is a sample
		part := narrow[:codec.Decode(p.codec, narrow[:], payload)]
		payload = payload[len(part):]
		n += p.up.Up(dst[n:], part)
	}
	return n
}
