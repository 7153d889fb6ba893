package mixer

import (
	"math"
	"math/rand/v2"
	"testing"

	"liandong/media/pcm"
)

// voice is a talker at the top of what G.711 can carry: a fundamental with its harmonics,
// in syllables, so many a second; 0: it does not pause.
type voice struct {
	hz, peak, syllables float64
}

func (v voice) samples(rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		t := float64(i) / float64(rate)
		x := 0.6*math.Sin(2*math.Pi*v.hz*t) + 0.3*math.Sin(4*math.Pi*v.hz*t+1) + 0.2*math.Sin(6*math.Pi*v.hz*t+2)
		if v.syllables > 0 {
			x *= 0.5 - 0.5*math.Cos(2*math.Pi*v.syllables*t)
		}
		out[i] = int16(v.peak * x / 1.1)
	}
	return out
}

// mixed puts sounds of one length through an Output frame by frame.
func mixed(rate int, sounds ...[]int16) []int16 {
	frame := rate / 50
	out, o := make([]int16, len(sounds[0])), Output{}
	for at := 0; at+frame <= len(out); at += frame {
		in := make([][]int16, len(sounds))
		for i, s := range sounds {
			in[i] = s[at : at+frame]
		}
		o.Mix(out[at:at+frame], in)
	}
	return out
}

func summed(sounds ...[]int16) []float64 {
	sum := make([]float64, len(sounds[0]))
	for _, s := range sounds {
		for i, x := range s {
			sum[i] += float64(x)
		}
	}
	return sum
}

// distortion is what of out is no scaled clean sound, against all of it, in dB: the
// scale is fitted to each 10 ms, so that what is measured is not how loud it is.
func distortion(out []int16, clean []float64, rate int) float64 {
	var wrong, all float64
	for at, n := 0, rate/100; at+n <= len(out); at += n {
		var xy, xx, yy float64
		for i := at; i < at+n; i++ {
			x, y := clean[i], float64(out[i])
			xy, xx, yy = xy+x*y, xx+x*x, yy+y*y
		}
		if xx > 0 {
			wrong, all = wrong+yy-xy*xy/xx, all+yy
		}
	}
	return 10 * math.Log10(wrong/all)
}

// flat is the largest number of samples in a row at the end of the range.
func flat(out []int16) (longest int) {
	n := 0
	for _, x := range out {
		if n++; x < 32760 && x > -32760 {
			n = 0
		}
		longest = max(longest, n)
	}
	return longest
}

func clipped(sum []float64) []int16 {
	out := make([]int16, len(sum))
	for i, x := range sum {
		out[i] = pcm.Clip(int32(x))
	}
	return out
}

// TestThreeShout: three talkers at full level are not clipped, at either rate. Hard
// clipping of the same sum shows what the measure would say.
func TestThreeShout(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, syllables := range []float64{0, 3} {
			n := 4 * rate
			sounds := [][]int16{
				voice{130, 32000, syllables}.samples(rate, n), voice{171, 32000, syllables * 1.13}.samples(rate, n),
				voice{223, 32000, syllables * 0.9}.samples(rate, n),
			}
			sum, out := summed(sounds...), mixed(rate, sounds...)
			ours, hard := distortion(out, sum, rate), distortion(clipped(sum), sum, rate)
			if ours > -30 || ours > hard-15 {
				t.Errorf("%d Hz, %v syllables: distortion of %.1f dB; hard clipping has %.1f", rate, syllables, ours,
					hard)
			}
			// Once, when it comes, the sound may stay at the edge as it rises.
			if late := flat(out[rate:]); late > 2 {
				t.Errorf("%d Hz, %v syllables: %d samples in a row at the end of the range", rate, syllables, late)
			}
			t.Logf("%d Hz, %v syllables: distortion %.1f dB, hard clipping %.1f dB, flat %d of %d samples", rate,
				syllables, ours, hard, flat(out), flat(clipped(sum)))
		}
	}
}

// TestNoPumping: a quiet steady talker is not made softer and louder by the syllables of two
// loud ones.
func TestNoPumping(t *testing.T) {
	const rate, n, hz = 8000, 6 * 8000, 1700.
	quiet := make([]int16, n)
	for i := range quiet {
		quiet[i] = int16(2000 * math.Sin(2*math.Pi*hz*float64(i)/rate))
	}
	one, other := voice{130, 30000, 3}.samples(rate, n), voice{160, 30000, 3}.samples(rate, n)
	if flat(clipped(summed(one, other, quiet))) < 3 {
		t.Fatal("the loud ones are not loud enough to tell")
	}
	out := mixed(rate, quiet, one, other)
	low, high := math.Inf(1), 0.
	for at := rate; at+400 <= n; at += 400 { // 50 ms, after the first second
		a := amplitude(out[at:at+400], hz, rate)
		low, high = min(low, a), max(high, a)
	}
	depth := 20 * math.Log10(high/low)
	t.Logf("depth %.2f dB", depth)
	if depth > 0.7 {
		t.Errorf("the quiet talker goes up and down by %.1f dB", depth)
	}
}

// amplitude of one frequency (Goertzel).
func amplitude(x []int16, hz, rate float64) float64 {
	var re, im float64
	for i, s := range x {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re, im = re+w*float64(s)*cos, im+w*float64(s)*sin
	}
	return math.Hypot(re, im)
}

// TestRelease: the gain waits for a second, rises by no more than 2 dB in any second, and comes
// back to where sound is passed on exactly.
func TestRelease(t *testing.T) {
	var o Output
	out, loud, soft := make([]int16, 160), of(level(30000), level(30000), level(30000)), of(level(8000))
	for range 5 {
		o.Mix(out, loud)
	}
	start := out[159]
	if start < 32700 {
		t.Fatalf("the sum has come to %d, want the ceiling", start)
	}
	var gains []float64
	for range 600 {
		o.Mix(out, soft)
		gains = append(gains, 20*math.Log10(float64(out[159])/8000))
	}
	if g := gains[45]; math.Abs(g-20*math.Log10(32767./90000)) > 0.1 {
		t.Errorf("after 0.9 s the gain is %.2f dB", g)
	}
	for i := range gains[50:] {
		if up := gains[i+50] - gains[i]; up > 2 || up < 0 {
			t.Fatalf("the gain moves by %.2f dB in the second from %d ms", up, i*20)
		}
	}
	if last := gains[len(gains)-1]; last != 0 || o.cut != 0 {
		t.Errorf("after 12 s the gain is %.3f dB", last)
	}
}

// TestAttack: whatever comes, and with whatever gain before, no sample leaves the range, and
// a sound that rises evenly does not jump.
func TestAttack(t *testing.T) {
	for start := range 160 {
		var o Output
		out, ramp := make([]int16, 320), make([]int16, 320)
		for i := range ramp {
			ramp[i] = int16(max(0, min(31000, 400*(i-start))))
		}
		o.Mix(out[:160], of(ramp[:160], ramp[:160], ramp[:160]))
		o.Mix(out[160:], of(ramp[160:], ramp[160:], ramp[160:]))
		for i := 1; i < len(out); i++ {
			step := int(out[i]) - int(out[i-1])
			if out[i] < 0 || step > 1300 || step < -1900 {
				t.Fatalf("from %d on: sample %d goes from %d to %d", start, i, out[i-1], out[i])
			}
		}
	}
}

func TestNothingWrapsRound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var o Output
	out := make([]int16, 160)
	for range 2000 {
		in := make([][]int16, 1+r.IntN(12))
		scale := 1 + r.IntN(8)
		for i := range in {
			in[i] = make([]int16, 160)
			for k := range out {
				in[i][k] = int16(r.Uint32()) / int16(scale)
			}
		}
		o.Mix(out, in)
		for k := range out {
			sum := int32(0)
			for _, x := range in {
				sum += int32(x[k])
			}
			if sum > 40 && out[k] < 0 || sum < -40 && out[k] > 0 {
				t.Fatalf("sample %d: sum %d comes as %d", k, sum, out[k])
			}
		}
	}
}
