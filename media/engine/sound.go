package engine

import (
	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/prompt"
)

// sound is a frame for a leg: a payload, or samples at the rate of its packer. Good until
// the next leg's turn, and not to be written to.
type sound struct {
	coded   []byte
	samples []int16
}

// none says that there is nothing to send.
func (s sound) none() bool { return s.coded == nil && s.samples == nil }

// rate is that of the sound that the leg hears, in samples per second.
func (l *leg) rate() int { return l.stream.Codec.Rate() }

// of makes a sound of samples at the leg's rate.
func (l *leg) of(samples []int16) sound {
	if l.packer != nil {
		return sound{samples: samples}
	}
	coded := l.shard.coded[:]
	return sound{coded: coded[:codec.Encode(l.stream.Codec, coded, samples)]}
}

// clip is frame i of a clip, as it was encoded in advance where that can be.
func (l *leg) clip(c prompt.Clip, i int) sound {
	if l.packer != nil {
		return sound{samples: samplesOf(c, i, l.rate())}
	}
	return sound{coded: c.Encoded(l.stream.Codec, i)}
}

func samplesOf(c prompt.Clip, i, rate int) []int16 {
	if rate == pcm.WideRate {
		return c.Wide(i)
	}
	return c.Frame(i)[:]
}
