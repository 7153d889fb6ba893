package engine

import (
	"math"

	"liandong/media/codec"
	"liandong/media/pcm"
)

const (
	fadeSamples = pcm.Rate / 200     // 5 ms
	wideFade    = pcm.WideRate / 200 // the same
	smallStep   = 64                 // -54 dBFS: nobody hears it as a click
)

// falling is half a cosine from 1 to 0, with fifteen binary places, at pcm.WideRate.
var falling = makeFalling()

func makeFalling() (f [wideFade]int32) {
	for i := range f {
		f[i] = int32(math.Round((0.5 + 0.5*math.Cos(math.Pi*float64(i)/wideFade)) * (1 << 15)))
	}
	return f
}

// fallen is falling at sample i of a rate.
func fallen(i, rate int) int32 { return falling[i*(pcm.WideRate/rate)] }

// crossfade joins two sounds that a party hears one after the other without a click: within
// 5 ms the old one fades out and the new one in. A clip that is cut off goes on that long;
// what else ended is held at its last sample. Nothing else is computed. Owned by the leg.
type crossfade struct {
	due   bool     // the next frame is of another sound
	clip  bool     // tails are of this crossfade
	alone bool     // and were all that was heard
	begun bool     // something was sent
	codec codec.ID // G.711
	coded byte     // the last that was sent, when codec is not 0
	held  int16    // and otherwise; 0 behind what only passed through
	tails *tails   // nil before the first of them
}

// tails are the end of a clip that is cut off, at both rates.
type tails struct {
	narrow [fadeSamples]int16
	wide   [wideFade]int16
}

// cut notes how a clip would have gone on that was heard alone, or in a mix.
func (s *crossfade) cut(next *pcm.Frame, wide []int16, alone bool) {
	s.due, s.clip, s.alone = true, true, alone
	if s.tails == nil {
		s.tails = &tails{}
	}
	for i := range s.tails.narrow {
		s.tails.narrow[i] = int16(int32(next[i]) * fallen(i, pcm.Rate) >> 15)
	}
	for i := range s.tails.wide {
		s.tails.wide[i] = int16(int32(wide[i]) * fallen(i, pcm.WideRate) >> 15)
	}
}

// at gives the tail of a rate.
func (t *tails) at(rate int) []int16 {
	if rate == pcm.WideRate {
		return t.wide[:]
	}
	return t.narrow[:]
}

// takeTail gives the end of a clip to a mix that goes on without it.
func (s *crossfade) takeTail(rate int) ([]int16, bool) {
	if !s.clip {
		return nil, false
	}
	s.due, s.clip = false, false
	return s.tails.at(rate), true
}

// blend gives a payload with its beginning blended with what was sent before, which is then in
// scratch. Only G.711 can be changed in a part: the rest passes through as it is.
func (s *crossfade) blend(id codec.ID, payload, scratch []byte) []byte {
	if s.due && s.begun && id.Stateless() {
		payload = s.blended(id, payload, scratch)
	}
	s.due, s.clip = false, false
	if len(payload) == 0 {
		return payload
	}
	s.begun = true
	if s.codec, s.held = 0, 0; id.Stateless() {
		s.codec, s.coded = id, payload[len(payload)-1]
	}
	return payload
}

// passed notes what the last byte was of a payload that was sent elsewhere, as blend would have.
func (s *crossfade) passed(id codec.ID, last byte) {
	s.begun, s.codec, s.held = true, 0, 0
	if id.Stateless() {
		s.codec, s.coded = id, last
	}
}

func (s *crossfade) blended(id codec.ID, payload, scratch []byte) []byte {
	var sound [fadeSamples]int16
	n := codec.Decode(id, sound[:], payload)
	if !s.fade(sound[:n], pcm.Rate) {
		return payload
	}
	copy(scratch, payload)
	codec.Encode(id, scratch, sound[:n])
	return scratch[:len(payload)]
}

// blendSamples is blend before the encoder, for a frame of samples.
func (s *crossfade) blendSamples(samples []int16, rate int, scratch []int16) []int16 {
	if s.due && s.begun {
		blended := scratch[:copy(scratch, samples)]
		if s.fade(blended[:rate/200], rate) {
			samples = blended
		}
	}
	s.due, s.clip, s.begun = false, false, true
	s.codec, s.held = 0, samples[len(samples)-1]
	return samples
}

// last is the last sample that was sent.
func (s *crossfade) last() int16 {
	if s.codec == 0 {
		return s.held
	}
	var x [1]int16
	codec.Decode(s.codec, x[:], []byte{s.coded})
	return x[0]
}

// fade goes over into sound; false: it was so near that nothing had to be done.
func (s *crossfade) fade(sound []int16, rate int) bool {
	if len(sound) == 0 {
		return false
	}
	held, goesOn := s.last(), s.clip && s.alone
	if step := int(held) - int(sound[0]); !goesOn && -smallStep <= step && step <= smallStep {
		return false
	}
	for i, x := range sound {
		down := fallen(i, rate)
		old := int32(held) * down >> 15
		if goesOn {
			old = int32(s.tails.at(rate)[i])
		}
		sound[i] = int16(old + int32(x)*(1<<15-down)>>15)
	}
	return true
}
