package mixer

import (
	"math"
	"math/rand/v2"
	"testing"

	"liandong/media/pcm"
)

func level(x int16) []int16 {
	f := make([]int16, pcm.FrameSamples)
	for i := range f {
		f[i] = x
	}
	return f
}

// as gives sounds in a mix as they are.
func as(sounds ...[]int16) (in []Input) {
	for _, s := range sounds {
		in = append(in, Input{s, pcm.Unity})
	}
	return in
}

func TestMix(t *testing.T) {
	for _, test := range []struct {
		name string
		in   []Input
		want int16
	}{
		{"nobody", nil, 0},
		{"one", as(level(-5)), -5},
		{"one at full scale", as(level(math.MinInt16)), math.MinInt16},
		{"two", as(level(100), level(3)), 103},
		{"two that just fit", as(level(-30000), level(-2768)), math.MinInt16},
		{"three", as(level(100), level(20), level(-3)), 117},
		{"four", as(level(100), level(20), level(3), level(1000)), 1123},
		{"one muted", []Input{{level(100), 0}, {level(7), pcm.Unity}}, 7},
		{"all muted", []Input{{level(100), 0}}, 0},
		{"softer", []Input{{level(100), pcm.Unity / 2}, {level(7), pcm.Unity}}, 57},
		{"louder", []Input{{level(-100), 4 * pcm.Unity}}, -400},
		// Sums that are clipped on the way would come to 2767.
		{"exact in between", as(level(30000), level(30000), level(-30000), level(-30000)), 0},
		{"of three too", as(level(32767), level(32767), level(-32768)), 32766},
	} {
		for _, samples := range []int{pcm.FrameSamples, 2 * pcm.FrameSamples, 7} {
			in := make([]Input, len(test.in))
			for i, x := range test.in {
				in[i] = Input{append(append([]int16{}, x.Samples...), x.Samples...), x.Gain}
			}
			out, o := make([]int16, samples), Output{}
			for i := range out {
				out[i] = 99 // what was there before is gone
			}
			o.Mix(out, in)
			for i, x := range out {
				if x != test.want {
					t.Fatalf("%s: sample %d of %d is %d, want %d", test.name, i, samples, x, test.want)
				}
			}
		}
	}
}

func TestSoundThatEndsEarly(t *testing.T) {
	out, o := make([]int16, 160), Output{}
	o.Mix(out, as(level(100), level(20)[:50]))
	if out[49] != 120 || out[50] != 100 || out[159] != 100 {
		t.Errorf("%v", out)
	}
}

// What fits is the exact sum, in any order, and a single talker is not touched.
func TestWhatFitsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for parties := range 9 {
		in, out := make([]Input, parties), make([]int16, 160)
		for i := range in {
			in[i] = Input{make([]int16, 160), pcm.Unity}
			for k := range out {
				in[i].Samples[k] = int16(r.IntN(65536)-32768) / int16(parties)
			}
		}
		var o Output
		o.Mix(out, in)
		for k := range out {
			want := int16(0)
			for _, x := range in {
				want += x.Samples[k]
			}
			if out[k] != want {
				t.Fatalf("%d parties: sample %d is %d, want %d", parties, k, out[k], want)
			}
		}
		if o != (Output{}) {
			t.Errorf("%d parties: the limiter has come in", parties)
		}
	}
}

func TestMixAllocatesNothing(t *testing.T) {
	soft, loud, out, o := as(level(1), level(2)), as(level(30000), level(20000), level(3)), make([]int16, 160), Output{}
	if n := testing.AllocsPerRun(100, func() { o.Mix(out, soft); o.Mix(out, loud) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchmark(b *testing.B, samples int, in []Input) {
	out, o := make([]int16, samples), Output{}
	for b.Loop() {
		o.Mix(out, in)
	}
}

func BenchmarkMixTwo(b *testing.B)   { benchmark(b, 160, as(level(1), level(2))) }
func BenchmarkMixThree(b *testing.B) { benchmark(b, 160, as(level(1), level(2), level(3))) }
func BenchmarkMixTwoWide(b *testing.B) {
	benchmark(b, 320, as(make([]int16, 320), make([]int16, 320)))
}
func BenchmarkMixTuned(b *testing.B) {
	benchmark(b, 160, []Input{{level(1), pcm.Unity}, {level(2), 5000}})
}
func BenchmarkMixTooLoud(b *testing.B) { benchmark(b, 160, as(level(20000), level(20000))) }
