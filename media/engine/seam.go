package engine

import (
	"math"

	"liandong/media/codec"
	"liandong/media/pcm"
)

const (
	fadeSamples = pcm.Rate / 200 // 5 ms
	smallStep   = 64             // -54 dBFS: nobody hears it as a click
)

// falling is half a cosine from 1 to 0, with fifteen binary places.
var falling = makeFalling()

func makeFalling() (f [fadeSamples]int32) {
	for i := range f {
		f[i] = int32(math.Round((0.5 + 0.5*math.Cos(math.Pi*float64(i)/fadeSamples)) * (1 << 15)))
	}
	return f
}

// seam joins two sounds that a party hears one after the other without a click: within
// 5 ms the old one fades out and the new one in. A clip that is cut off goes on that long;
// what else ended is held at its last sample. Nothing else is computed. Owned by the leg.
type seam struct {
	due   bool // the next frame is of another sound
	clip  bool // tail is there
	alone bool // and was all that was heard
	last  byte // of what was sent
	codec codec.ID
	tail  [fadeSamples]int16
}

// cut notes how a clip would have gone on that was heard alone, or in a mix.
func (s *seam) cut(next *pcm.Frame, alone bool) {
	s.due, s.clip, s.alone = true, true, alone
	for i, w := range falling {
		s.tail[i] = int16(int32(next[i]) * w >> 15)
	}
}

// takeTail gives the end of a clip to a mix that goes on without it.
func (s *seam) takeTail() ([]int16, bool) {
	if !s.clip {
		return nil, false
	}
	s.due, s.clip = false, false
	return s.tail[:], true
}

// join gives a payload with its beginning joined to what was sent before, which is then in
// scratch. Only G.711 can be changed in a part.
func (s *seam) join(id codec.ID, payload, scratch []byte) []byte {
	if s.due && id.Stateless() && s.codec != 0 {
		payload = s.joined(id, payload, scratch)
	}
	s.due, s.clip = false, false
	if len(payload) > 0 && id.Stateless() {
		s.last, s.codec = payload[len(payload)-1], id
	}
	return payload
}

func (s *seam) joined(id codec.ID, payload, scratch []byte) []byte {
	var sound [fadeSamples]int16
	n := codec.Decode(id, sound[:], payload)
	if !s.fade(sound[:n]) {
		return payload
	}
	copy(scratch, payload)
	codec.Encode(id, scratch, sound[:n])
	return scratch[:len(payload)]
}

// fade goes over into sound; false: it was so near that nothing had to be done.
func (s *seam) fade(sound []int16) bool {
	var held [1]int16
	codec.Decode(s.codec, held[:], []byte{s.last})
	goesOn := s.clip && s.alone
	if step := int(held[0]) - int(sound[0]); !goesOn && -smallStep <= step && step <= smallStep {
		return false
	}
	for i, x := range sound {
		old := int32(s.tail[i])
		if !goesOn {
			old = int32(held[0]) * falling[i] >> 15
		}
		sound[i] = int16(old + int32(x)*(1<<15-falling[i])>>15)
	}
	return true
}
