package mixer

import (
	"math"
	"math/rand/v2"
	"testing"

	"liandong/media/pcm"
)

func full(x int16) *pcm.Frame {
	f := new(pcm.Frame)
	for i := range f {
		f[i] = x
	}
	return f
}

func same(t *testing.T, what string, f *pcm.Frame, want int16) {
	t.Helper()
	for i, x := range f {
		if x != want {
			t.Errorf("%s: sample %d is %d, want %d", what, i, x, want)
			return
		}
	}
}

func TestMinus(t *testing.T) {
	tests := []struct {
		name string
		in   []*pcm.Frame
		want []int16
	}{
		{"nobody", nil, nil},
		{"alone", []*pcm.Frame{full(100)}, []int16{0}},
		{"two", []*pcm.Frame{full(100), full(7)}, []int16{7, 100}},
		{"three", []*pcm.Frame{full(100), full(20), full(3)}, []int16{23, 103, 120}},
		{"one not heard", []*pcm.Frame{full(100), nil, full(3)}, []int16{3, 103, 100}},
		{"none heard", []*pcm.Frame{nil, nil}, []int16{0, 0}},
		{"too loud", []*pcm.Frame{full(30000), full(30000), full(30000)}, []int16{math.MaxInt16, math.MaxInt16, math.MaxInt16}},
		{"too loud below", []*pcm.Frame{full(-30000), full(-30000), nil}, []int16{-30000, -30000, math.MinInt16}},
		// Clipped sums would leave the third hearing 2767 of the second.
		{"exact in between", []*pcm.Frame{full(30000), full(30000), full(-30000)}, []int16{0, 0, math.MaxInt16}},
		{"loud ones cancel", []*pcm.Frame{full(32767), full(32767), full(-32768), full(-32768)}, []int16{-32768, -32768, 32766, 32766}},
	}
	for _, test := range tests {
		out := make([]pcm.Frame, len(test.in))
		for i := range out {
			out[i] = *full(99) // what was there before is gone
		}
		Minus(out, test.in)
		for i := range out {
			same(t, test.name, &out[i], test.want[i])
		}
	}
}

func TestSum(t *testing.T) {
	tests := []struct {
		name string
		in   []*pcm.Frame
		want int16
	}{
		{"nobody", nil, 0},
		{"one", []*pcm.Frame{full(-5)}, -5},
		{"one not heard", []*pcm.Frame{full(100), nil, full(3)}, 103},
		{"too loud", []*pcm.Frame{full(30000), full(30000)}, math.MaxInt16},
		{"in any order", []*pcm.Frame{full(30000), full(30000), full(-30000)}, 30000},
	}
	for _, test := range tests {
		out := full(99)
		Sum(out, test.in)
		same(t, test.name, out, test.want)
	}
}

// Minus is Sum over everyone else, whatever the sound and however many there are.
func TestMinusIsTheSumOfTheOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for parties := range 12 {
		in := make([]*pcm.Frame, parties)
		for i := range in {
			if r.IntN(5) == 0 {
				continue
			}
			in[i] = new(pcm.Frame)
			for k := range in[i] {
				in[i][k] = int16(r.Uint32())
			}
		}
		out := make([]pcm.Frame, parties)
		Minus(out, in)
		for i := range out {
			others := append(append([]*pcm.Frame{}, in[:i]...), in[i+1:]...)
			var want pcm.Frame
			if Sum(&want, others); out[i] != want {
				t.Fatalf("%d parties: party %d does not hear the sum of the others", parties, i)
			}
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	in, out := []*pcm.Frame{full(1), nil, full(3)}, make([]pcm.Frame, 3)
	n := testing.AllocsPerRun(100, func() {
		Minus(out, in)
		Sum(&out[0], in[1:])
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMinusOfThree(b *testing.B) {
	in, out := []*pcm.Frame{full(1), full(2), full(3)}, make([]pcm.Frame, 3)
	for b.Loop() {
		Minus(out, in)
	}
}
