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

// of lists the sounds of a mix.
func of(sounds ...[]int16) [][]int16 { return sounds }

func TestMix(t *testing.T) {
	for _, test := range []struct {
		name string
		in   [][]int16
		want int16
	}{
		{"nobody", nil, 0},
		{"one", of(level(-5)), -5},
		{"one at full scale", of(level(math.MinInt16)), math.MinInt16},
		{"two", of(level(100), level(3)), 103},
		{"two that just fit", of(level(-30000), level(-2768)), math.MinInt16},
		{"three", of(level(100), level(20), level(-3)), 117},
		{"four", of(level(100), level(20), level(3), level(1000)), 1123},
		// Sums that are clipped on the way would come to 2767.
		{"exact in between", of(level(30000), level(30000), level(-30000), level(-30000)), 0},
		{"of three too", of(level(32767), level(32767), level(-32768)), 32766},
	} {
		for _, samples := range []int{pcm.FrameSamples, 2 * pcm.FrameSamples, 7} {
			in := make([][]int16, len(test.in))
			for i, x := range test.in {
				in[i] = append(append([]int16{}, x...), x...)
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
	o.Mix(out, of(level(100), level(20)[:50]))
	if out[49] != 120 || out[50] != 100 || out[159] != 100 {
		t.Errorf("%v", out)
	}
}

// What fits is the exact sum, in any order, and a single talker is not touched.
func TestWhatFitsIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for parties := range 9 {
		in, out := make([][]int16, parties), make([]int16, 160)
		for i := range in {
			in[i] = make([]int16, 160)
			for k := range out {
				in[i][k] = int16(r.IntN(65536)-32768) / int16(parties)
			}
		}
		var o Output
		o.Mix(out, in)
		for k := range out {
			want := int16(0)
			for _, x := range in {
				want += x[k]
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
	soft, loud, out, o := of(level(1), level(2)), of(level(30000), level(20000), level(3)), make([]int16, 160), Output{}
	if n := testing.AllocsPerRun(100, func() { o.Mix(out, soft); o.Mix(out, loud) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func benchmark(b *testing.B, samples int, in [][]int16) {
	out, o := make([]int16, samples), Output{}
	for b.Loop() {
		o.Mix(out, in)
	}
}

func BenchmarkMixTwo(b *testing.B)   { benchmark(b, 160, of(level(1), level(2))) }
func BenchmarkMixThree(b *testing.B) { benchmark(b, 160, of(level(1), level(2), level(3))) }
func BenchmarkMixTwoWide(b *testing.B) {
	benchmark(b, 320, of(make([]int16, 320), make([]int16, 320)))
}
func BenchmarkMixTooLoud(b *testing.B) { benchmark(b, 160, of(level(20000), level(20000))) }
