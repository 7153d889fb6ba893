package prompt

import (
	"math"
	"testing"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// dBm0 of a level in dBFS: a sine at full scale has +3.14 dBm0 in A-law (G.711 §4) and
// -3.01 dBFS here.
func dBm0(level float64) float64 { return level + 3.01 + 3.14 }

func TestComfortNoise(t *testing.T) {
	c := Comfort()
	if c.Duration().Seconds() < 1 {
		t.Errorf("the loop has %v", c.Duration())
	}
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU} {
		sound := make([]int16, c.Len()*pcm.FrameSamples)
		for i := range c.Len() {
			codec.Decode(id, sound[i*pcm.FrameSamples:], c.Encoded(id, i))
		}
		if level := dBm0(pcm.Level(sound)); math.Abs(level+65) > 1 {
			t.Errorf("%v: %.1f dBm0", id, level)
		}
		for i := range c.Len() {
			if level := dBm0(pcm.Level(sound[i*pcm.FrameSamples:][:pcm.FrameSamples])); math.Abs(level+65) > 3 {
				t.Errorf("%v: frame %d has %.1f dBm0: it is not even", id, i, level)
			}
		}
		for hz := 50.; hz < 4000; hz += 2 {
			if p := power(sound[:pcm.Rate], hz); p > 0.01 { // white noise has a few times 1/4000
				t.Errorf("%v: %.4f of the power is at %.0f Hz: a tone", id, p, hz)
			}
		}
	}
	for i := range 1600 {
		if x := sampleOf(c, i); x > 50 || x < -50 {
			t.Fatalf("sample %d is %d", i, x)
		}
	}
}

func sampleOf(c Clip, i int) int16 { return c.Frame(i / pcm.FrameSamples)[i%pcm.FrameSamples] }
