package pcm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// murmur is sound that resembles no other: noise, softened, in syllables.
func murmur(seed uint64, n int) []int16 {
	r := rand.New(rand.NewPCG(seed, 1))
	out, x := make([]int16, n), 0.0
	for i := range out {
		x = 0.8*x + 3000*r.NormFloat64()
		syllable := 0.55 + 0.45*math.Sin(2*math.Pi*4*float64(i)/Rate+float64(seed))
		out[i] = int16(max(-32000, min(32000, x*syllable)))
	}
	return out
}

func delayed(x []int16, lag int) []int16 {
	if lag < 0 {
		return x[-lag:]
	}
	return append(make([]int16, lag), x...)
}

func TestCorrelateFindsTheLag(t *testing.T) {
	a := murmur(1, 8000)
	for _, lag := range []int{0, 1, 160, 1234, 3999, -1, -160, -3999} {
		b := delayed(a, lag)
		for i := range b {
			b[i] /= 3
		}
		got, r := Correlate(a, b, 4000)
		if got != lag || r < 0.99 {
			t.Errorf("lag %d: found %d with %.3f", lag, got, r)
		}
		a = murmur(1, 8000)
	}
}

func TestCorrelateAgreesWithItsDefinition(t *testing.T) {
	a, b := murmur(3, 300), murmur(4, 220)
	wantLag, want := 0, math.Inf(-1)
	for lag := -100; lag <= 100; lag++ {
		var ab, aa, bb float64
		overlap := 0
		for i, x := range a {
			if j := i + lag; j >= 0 && j < len(b) {
				y := float64(b[j])
				ab, aa, bb, overlap = ab+float64(x)*y, aa+float64(x)*float64(x), bb+y*y, overlap+1
			}
		}
		if r := ab / math.Sqrt(aa*bb); overlap >= 110 && r > want {
			wantLag, want = lag, r
		}
	}
	if lag, r := Correlate(a, b, 100); lag != wantLag || math.Abs(r-want) > 1e-9 {
		t.Errorf("lag %d, r %.6f; by definition %d, %.6f", lag, r, wantLag, want)
	}
}

func TestCorrelateTellsSpeakersApart(t *testing.T) {
	one, other := murmur(1, 16000), murmur(2, 16000)
	if _, r := Correlate(one, other, 4000); r > 0.2 {
		t.Errorf("strangers correlate with %.3f", r)
	}
	both := make([]int16, len(one))
	for i := range both {
		both[i] = Clip(int32(one[i])/2 + int32(delayed(other, 700)[i])/2)
	}
	if lag, r := Correlate(one, both, 4000); lag != 0 || r < 0.5 {
		t.Errorf("in a mix: lag %d, r %.3f", lag, r)
	}
	if lag, r := Correlate(other, both, 4000); lag != 700 || r < 0.5 {
		t.Errorf("in a mix, the other: lag %d, r %.3f", lag, r)
	}
}

func TestCorrelateFindsAPieceInTheWhole(t *testing.T) {
	whole := murmur(5, 56000)
	if lag, r := Correlate(whole, whole[30000:38000], 56000); lag != -30000 || r < 0.999 {
		t.Errorf("lag %d, r %.3f", lag, r)
	}
}

func TestCorrelateOfNothing(t *testing.T) {
	speech := murmur(1, 800)
	for name, test := range map[string][2][]int16{
		"both empty": {nil, nil}, "one empty": {speech, nil}, "silence": {speech, make([]int16, 800)},
		"both silent": {make([]int16, 10), make([]int16, 10)},
	} {
		if lag, r := Correlate(test[0], test[1], 100); lag != 0 || r != 0 {
			t.Errorf("%s: lag %d, r %v", name, lag, r)
		}
	}
	if _, r := Correlate([]int16{5}, []int16{7}, 10); r != 1 {
		t.Errorf("single samples of one sign: r %v", r)
	}
}

// What is next to silence resembles anything: it must not win over speech.
func TestCorrelatePassesOverNearSilence(t *testing.T) {
	a := append(murmur(1, 4000), make([]int16, 4000)...)
	for i := 4000; i < 8000; i++ {
		a[i] = 1
	}
	b := make([]int16, 4000)
	for i := range b {
		b[i] = 100
	}
	if lag, r := Correlate(a, b, 8000); r > 0.5 {
		t.Errorf("lag %d, r %.3f", lag, r)
	}
}

func FuzzCorrelate(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{1, 2, 3}, 5)
	f.Add([]byte{}, []byte{0}, -1)
	f.Fuzz(func(t *testing.T, a, b []byte, maxLag int) {
		lag, r := Correlate(widen(a), widen(b), maxLag)
		if math.IsNaN(r) || r < -1 || r > 1 {
			t.Fatalf("r is %v", r)
		}
		if lag != 0 && (lag > maxLag || lag < -maxLag) {
			t.Fatalf("lag %d beyond %d", lag, maxLag)
		}
	})
}

func widen(in []byte) []int16 {
	out := make([]int16, len(in))
	for i, b := range in {
		out[i] = int16(int8(b)) << 8
	}
	return out
}

func BenchmarkCorrelate(b *testing.B) {
	x, y := murmur(1, 64000), murmur(2, 64000)
	for b.Loop() {
		Correlate(x, y, 64000)
	}
}
