package prompt

import (
	"math"
	"testing"
)

// TestWide: a clip at 16 kHz sounds as it does at 8 kHz, at the same time, and one that was made at
// 16 kHz is the file's own sound.
func TestWide(t *testing.T) {
	c, err := one(t, riff(fmtChunk(tagPCM, 1, 16, 8000), dataChunk(sine(1000, 8000, 8000))))
	if err != nil {
		t.Fatal(err)
	}
	alike(t, "from 8 kHz", wideOf(c)[320:15000], sine(1000, 16000, 16000)[320:15000], 40)
	file := sine(6000, 16000, 16000)
	if c, err = one(t, riff(fmtChunk(tagPCM, 1, 16, 16000), dataChunk(file))); err != nil {
		t.Fatal(err)
	}
	alike(t, "from 16 kHz", wideOf(c), file, 0)
}

func alike(t *testing.T, name string, got, want []int16, most float64) {
	t.Helper()
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > most {
			t.Fatalf("%s: sample %d is %d, want %d", name, i, got[i], want[i])
		}
	}
}

func wideOf(c Clip) (out []int16) {
	for i := range c.Len() {
		out = append(out, c.Wide(i)...)
	}
	return out
}

// TestWideLoop: what goes over from its end into its beginning does so at 16 kHz too.
func TestWideLoop(t *testing.T) {
	c := newLoop(sine(1000, 8000, 1600))
	alike(t, "a loop", wideOf(c), sine(1000, 16000, 3200), 40)
	if cap(c.Wide(0)) != wideSamples {
		t.Error("appending to a frame would write into the next")
	}
}

// TestSoundThatEndsWithinAFrame fades, so that it does not click; a whole number of frames is
// left as it is.
func TestSoundThatEndsWithinAFrame(t *testing.T) {
	for _, rate := range []uint32{8000, 16000} {
		for _, n := range []int{800, 840} {
			samples := make([]int16, n*int(rate)/8000)
			for i := range samples {
				samples[i] = 8000
			}
			c, err := one(t, riff(fmtChunk(tagPCM, 1, 16, rate), dataChunk(samples)))
			if err != nil {
				t.Fatal(err)
			}
			sound, largest := flat(c), 0.
			for i := 400; i < len(sound)-1; i++ {
				largest = max(largest, math.Abs(float64(sound[i+1])-float64(sound[i])))
			}
			if n == 840 && largest > 400 || n == 800 && rate == 8000 && largest > 0 {
				t.Errorf("%d samples at %d Hz: a step of %.0f", n, rate, largest)
			}
		}
	}
}
