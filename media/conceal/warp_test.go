package conceal

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWarpVoice: a voice becomes shorter and longer by whole periods, and is the same voice.
func TestWarpVoice(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, hz := range []float64{80, 100, 160} {
			period := int(float64(rate) / hz)
			x := voice(rate, hz, rate/25)
			n := Cut(x, rate, Longest(rate), 0.9)
			if n == 0 || n%period != 0 {
				t.Fatalf("%d Hz: %d samples are cut out of a voice with a period of %d", rate, n, period)
			}
			same(t, x[:len(x)-n], rate, hz)

			x = append(voice(rate, hz, rate/25), make([]int16, Longest(rate))...)
			n = Insert(x, rate/25, rate, Longest(rate), 0.9)
			if n == 0 || n%period != 0 {
				t.Fatalf("%d Hz: %d samples are put into a voice with a period of %d", rate, n, period)
			}
			same(t, x[:rate/25+n], rate, hz)
		}
	}
}

func same(t *testing.T, x []int16, rate int, hz float64) {
	t.Helper()
	for i, want := range voice(rate, hz, len(x)) {
		if d := int(x[i]) - int(want); d > 30 || d < -30 {
			t.Fatalf("%d Hz: sample %d is %d off", rate, i, d)
		}
	}
}

// TestWarpLimits: no more than is asked for, nothing where no two places are alike, anything in silence.
func TestWarpLimits(t *testing.T) {
	x := voice(8000, 80, 400)
	if n := Cut(x, 8000, 99, 0.99); n != 0 {
		t.Errorf("%d samples are cut, but a period of 100 is more than was asked for", n)
	}
	if n := Cut(x, 8000, 100, 0.9); n != 100 {
		t.Errorf("%d samples are cut, want the period of 100", n)
	}
	noise, dice := make([]int16, 400), rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = int16(dice.Uint32())
	}
	if n := Cut(noise, 8000, 120, 0.9); n != 0 {
		t.Errorf("%d samples of noise are cut", n)
	}
	if n := Cut(make([]int16, 400), 8000, 77, 0.9); n != 77 {
		t.Errorf("%d samples of silence are cut, want 77", n)
	}
	if n := Insert(make([]int16, 400), 280, 8000, 200, 0.9); n != 120 {
		t.Errorf("%d samples of silence are put in, want 120", n)
	}
	for n := range 60 {
		if got := Cut(make([]int16, n), 8000, 120, 0); got > n {
			t.Errorf("%d of %d samples are cut", got, n)
		}
	}
}

// TestWarpedSpeech: speech that is cut as often as a tenth of it, and put in again, has the
// spectrum that it had.
func TestWarpedSpeech(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		sound := speech(t, rate)
		step := rate / 10
		var out []int16
		cut, put := 0, 0
		for at := 0; at+step <= len(sound); at += step {
			part := append([]int16(nil), sound[at:at+step]...)
			n := len(part) - Cut(part, rate, Longest(rate), 0.85)
			cut += step - n
			part = append(part[:n], make([]int16, Longest(rate))...)
			if n < step {
				more := Insert(part, n, rate, step-n, 0.5)
				n, put = n+more, put+more
			}
			for n < step { // keep in step, so that the windows compare the same words
				part[n] = sound[at+n]
				n++
			}
			out = append(out, part[:step]...)
		}
		plain := 0.
		for i := range out {
			plain = math.Max(plain, math.Abs(float64(out[i])))
		}
		d := barkDistance(sound[:len(out)], out, rate)
		t.Logf("%d Hz: %.1f %% cut, %.1f %% put in, Bark distance %.2f dB", rate, 100*float64(cut)/float64(len(out)),
			100*float64(put)/float64(len(out)), d)
		if cut < len(out)/20 || d > 6 {
			t.Errorf("%d Hz: warped speech is another sound: %.2f dB off", rate, d)
		}
	}
}
