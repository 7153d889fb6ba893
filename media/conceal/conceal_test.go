package conceal

import (
	"math"
	"math/rand/v2"
	"testing"
)

// losses says which frames are lost: 5 %, one by one or by a Gilbert model in bursts of
// three frames on average.
func losses(frames int, bursts bool, seed uint64) []bool {
	dice := rand.New(rand.NewPCG(seed, 5))
	lost := make([]bool, frames)
	for i := 3; i < frames; i++ {
		p := 0.05
		if bursts && lost[i-1] {
			p = 2. / 3
		} else if bursts {
			p = 0.05 / 3 / 0.95
		}
		lost[i] = dice.Float64() < p
	}
	return lost
}

// ready gives a concealer for a rate.
func ready(rate int) *Concealer {
	c := &Concealer{}
	c.Reset(rate)
	return c
}

// concealed is what is heard of sound of which frames are lost.
func concealed(sound []int16, rate int, lost []bool) []int16 {
	c, size := ready(rate), rate/50
	out := make([]int16, 0, len(sound))
	for i, gone := range lost {
		frame := append([]int16(nil), sound[i*size:(i+1)*size]...)
		past := out[max(0, len(out)-Past(rate)):]
		if gone {
			c.Cover(frame, past, Fade)
		} else if c.Covering() {
			c.Resume(frame, past)
		}
		out = append(out, frame...)
	}
	return out
}

func silenced(sound []int16, rate int, lost []bool) []int16 {
	out := append([]int16(nil), sound...)
	for i, gone := range lost {
		if gone {
			clear(out[i*rate/50 : (i+1)*rate/50])
		}
	}
	return out
}

// TestSpeech: of speech with 5 % loss, concealed frames are nearer to what was said than
// silence is, by waveform and by spectrum.
func TestSpeech(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		sound := speech(t, rate)
		sound = sound[:len(sound)/(rate/50)*(rate/50)]
		for _, bursts := range []bool{false, true} {
			var snr, distance [2]float64
			const seeds = 2
			for seed := range uint64(seeds) {
				lost := losses(len(sound)/(rate/50), bursts, seed)
				for i, got := range [][]int16{concealed(sound, rate, lost), silenced(sound, rate, lost)} {
					snr[i] += segmentalSNR(sound, got, rate, func(i int) bool { return lost[i] }) / seeds
					distance[i] += barkDistance(sound, got, rate) / seeds
				}
			}
			t.Logf("%d Hz, bursts %v: SNR of lost frames %.2f dB (silence %.2f), Bark distance of all %.3f dB (silence %.3f)",
				rate, bursts, snr[0], snr[1], distance[0], distance[1])
			// In a burst the waveform runs away from that of the voice; the spectrum does not.
			if !bursts && snr[0] < snr[1]+0.4 || snr[0] < snr[1]-0.6 || distance[0] > 0.8*distance[1] {
				t.Error("concealment is no better than silence")
			}
		}
	}
}

// voice is a sound with a period of its own: a pulse through a resonance.
func voice(rate int, hz float64, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		phase := math.Mod(float64(i)*hz/float64(rate), 1)
		out[i] = int16(12000 * math.Exp(-6*phase) * math.Sin(2*math.Pi*600/hz*phase))
	}
	return out
}

func TestPitch(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, hz := range []float64{70, 90, 115, 140, 180, 197} {
			x := voice(rate, hz, Past(rate))
			if got, want := float64(pitch(x, rate/1000)), float64(rate)/hz; math.Abs(math.Remainder(got, want)) > 2 {
				t.Errorf("%d Hz: a voice of %g Hz has a period of %v samples, want %.1f or twice that", rate, hz, got,
					want)
			}
		}
		if got := pitch(voice(rate, 400, Past(rate)), rate/1000); got%(rate/400) > 1 {
			t.Errorf("%d Hz: a voice of 400 Hz has a period of %d", rate, got)
		}
	}
}

// TestSteadyVoice: a voice that is the same before and after a gap goes on through it
// without a step, for 10 ms without becoming softer, and is gone after 60 ms.
func TestSteadyVoice(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, hz := range []float64{80, 100, 160} { // periods of whole samples
			x := voice(rate, hz, rate/2)
			c, at, frame := ready(rate), rate/4+13, rate/50
			gap := make([]int16, 5*frame)
			for i := range 5 {
				c.Cover(gap[i*frame:(i+1)*frame], x[:at], Fade)
			}
			for i := range rate / 100 {
				if d := int(gap[i]) - int(x[at+i]); d > 30 || d < -30 {
					t.Fatalf("%d Hz: sample %d of a voice of %g Hz is %d off", rate, i, hz, d)
				}
			}
			for i, s := range gap[3*frame:] {
				if s != 0 {
					t.Fatalf("%d Hz: sample %d after 60 ms is %d", rate, i, s)
				}
			}
			for i := rate / 100; i < 3*frame; i++ {
				want := float64(x[at+i]) * float64(3*frame-i) / float64(3*frame-rate/100)
				if d := float64(gap[i]) - want; math.Abs(d) > 600 {
					t.Fatalf("%d Hz: sample %d of a voice of %g Hz is %.0f off what it should fade to", rate, i, hz, d)
				}
			}
		}
	}
}

// TestJoin: what follows a gap is blended in and then untouched.
func TestJoin(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for gap := range 6 {
			c, x := ready(rate), voice(rate, 100, rate/2)
			frame := rate / 50
			for range gap {
				c.Cover(make([]int16, frame), x, Fade)
			}
			next := make([]int16, frame)
			for i := range next {
				next[i] = 5000
			}
			c.Resume(next, x)
			if c.Covering() {
				t.Error("the gap is not over")
			}
			blended := 0
			for i, s := range next {
				if s != 5000 {
					blended = i + 1
				}
			}
			want := min(rate/400+4*max(0, 2*gap-1)*rate/1000, rate/100)
			if blended > want || blended < want*8/10 {
				t.Errorf("%d Hz: after %d frames %d samples are blended, want %d", rate, gap, blended, want)
			}
		}
	}
}

// TestShortPast: a gap right at the beginning, and in silence, and after full scale.
func TestShortPast(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, past := range [][]int16{nil, make([]int16, 3), make([]int16, 2000), loud(2000), loud(77)} {
			c := ready(rate)
			out := make([]int16, rate/50)
			for range 5 {
				c.Cover(out, past, Fade)
			}
			c.Resume(out, past)
			c.Resume(out, past)
		}
	}
}

func loud(n int) []int16 {
	x := make([]int16, n)
	for i := range x {
		x[i] = math.MinInt16
		if i%77 < 40 {
			x[i] = math.MaxInt16
		}
	}
	return x
}

// FuzzConceal: gaps of any length in any sound end in bounds and in silence.
func FuzzConceal(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250, 9}, uint8(3), true)
	f.Add([]byte{255, 0, 128, 127}, uint8(200), false)
	f.Fuzz(func(t *testing.T, in []byte, gap uint8, wide bool) {
		rate := 8000
		if wide {
			rate = 16000
		}
		past := make([]int16, 0, 4*len(in))
		for i := range 4 * len(in) {
			past = append(past, int16(in[i%len(in)])<<8|int16(i))
		}
		c := ready(rate)
		out := make([]int16, int(gap)*3+1)
		c.Cover(out, past, Fade)
		c.Cover(out[:len(out)/2], past, Fade)
		c.Resume(out, past)
		n := len(past) - Cut(past, rate, int(gap), 0.5)
		grown := append(past[:n:n], make([]int16, Longest(rate))...)
		if more := Insert(grown, n, rate, int(gap), 0.5); more < 0 || more > max(int(gap), 0) {
			t.Errorf("%d samples more, want up to %d", more, gap)
		}
	})
}

func TestNothingAllocates(t *testing.T) {
	x := voice(8000, 110, 2000)
	c, out := ready(8000), make([]int16, 160)
	n := testing.AllocsPerRun(100, func() {
		c.Cover(out, x, Fade)
		c.Cover(out, x, Fade)
		c.Resume(out, x)
		Cut(x[:400], 8000, 120, 0.5)
		Insert(x[:500], 380, 8000, 120, 0.5)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCover(b *testing.B) {
	x := voice(8000, 110, 2000)
	c, out := ready(8000), make([]int16, 160)
	for b.Loop() {
		c.Cover(out, x, Fade)
		c.Resume(out, x)
	}
}

func BenchmarkCut(b *testing.B) {
	x := voice(8000, 110, 400)
	for b.Loop() {
		Cut(x, 8000, 120, 0.5)
	}
}
