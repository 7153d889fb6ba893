package quality

import (
	"math"
	"testing"
	"time"
)

// TestDefaults: ITU-T G.107 §7.7, "With the default values ... R = 93.2", and Annex B.
func TestDefaults(t *testing.T) {
	r := R(Path{Coding: G711})
	if math.Abs(r-93.2) > 0.05 {
		t.Errorf("R %.3f, want 93.2", r)
	}
	if mos := MOS(r); math.Abs(mos-4.41) > 0.005 {
		t.Errorf("MOS %.3f, want 4.41", mos)
	}
}

// TestMOS: ITU-T G.107 Table B.1, the borders of the categories of G.109.
func TestMOS(t *testing.T) {
	for r, want := range map[float64]float64{90: 4.34, 80: 4.03, 70: 3.60, 60: 3.10, 50: 2.58, -1: 1, 0: 1, 3: 1,
		100: 4.5, 120: 4.5} {
		if got := MOS(r); math.Abs(got-want) > 0.0065 { // the table rounds 4.024 up
			t.Errorf("R %v: MOS %.3f, want %.2f", r, got, want)
		}
	}
	for r := 6.5; r < 100; r += 0.1 {
		if MOS(r+0.1) < MOS(r) {
			t.Fatalf("MOS falls at R %.1f", r)
		}
	}
}

// TestLossImpairment holds equation 7-29 against the impairments that listeners gave: ITU-T G.113 Appendix I
// lists them by loss in percent, for random loss.
func TestLossImpairment(t *testing.T) {
	g729a, g7231 := Coding{Ie: 11, Bpl: 19}, Coding{Ie: 15, Bpl: 16.1}
	for name, c := range map[string]struct {
		coding Coding
		want   map[float64]float64
		within float64
	}{
		"G.729A with VAD": {g729a, map[float64]float64{0: 11, 1: 15, 2: 19, 3: 23, 4: 26, 8: 36, 16: 49}, 1},
		"G.723.1 6.3 with VAD": {g7231, map[float64]float64{0: 15, 1: 19, 2: 24, 3: 27, 4: 32, 8: 41, 16: 55},
			1.2},
		"G.711 with Appendix I PLC": {G711PLC, map[float64]float64{0: 0, 2: 7, 3: 10, 5: 15, 7: 20, 10: 25, 15: 35,
			20: 45}, 3},
	} {
		for loss, want := range c.want {
			got := lossImpairment(Path{Coding: c.coding, Loss: loss / 100, BurstRatio: 1})
			if math.Abs(got-want) > c.within {
				t.Errorf("%s at %v %%: %.1f, want %v", name, loss, got, want)
			}
		}
	}
	if with, without := lossImpairment(Path{Coding: G711PLC, Loss: 0.05}),
		lossImpairment(Path{Coding: G711, Loss: 0.05}); without < 3*with {
		t.Errorf("without concealment %.1f, with it %.1f", without, with)
	}
}

// TestBurstsAreWorse: in §7.5 BurstR above 1 makes the same loss weigh more, below 1 it counts as random.
func TestBurstsAreWorse(t *testing.T) {
	at := func(burst float64) float64 {
		return lossImpairment(Path{Coding: G711PLC, Loss: 0.1, BurstRatio: burst})
	}
	if at(0) != at(1) || at(2) <= at(1) {
		t.Errorf("impairment %.2f, %.2f and %.2f at burst ratios 0, 1 and 2", at(0), at(1), at(2))
	}
	if got := at(2); math.Abs(got-95*10/(5+25.1)) > 1e-9 {
		t.Errorf("%.3f at burst ratio 2", got)
	}
}

// TestDelay holds §7.4 against the straight lines by which Cole and Rosenbluth (Voice over IP performance
// monitoring, 2001) sum it up: Id = 0.024 d, and 0.11 (d - 177.3) more beyond 177.3 ms.
func TestDelay(t *testing.T) {
	base := R(Path{Coding: G711})
	for d := 0.0; d <= 350; d += 10 {
		want := 0.024*d + 0.11*max(d-177.3, 0)
		got := base - R(Path{Coding: G711, Delay: time.Duration(d) * time.Millisecond})
		if math.Abs(got-want) > 2 {
			t.Errorf("%v ms cost %.1f, want about %.1f", d, got, want)
		}
	}
}

// TestIdd: in G.107 §7.4, "For Ta ≤ 100 ms: Idd = 0"; at 400 ms X is 2.
func TestIdd(t *testing.T) {
	want := 25 * (math.Pow(65, 1.0/6) - 3*math.Pow(1+64.0/729, 1.0/6) + 2)
	if got := absoluteDelay(400); absoluteDelay(100) != 0 || math.Abs(got-want) > 1e-9 {
		t.Errorf("%v at 100 ms, %v at 400 ms, want 0 and %v", absoluteDelay(100), got, want)
	}
}

// TestRange: whatever is put in, R stays in its range.
func TestRange(t *testing.T) {
	for _, p := range []Path{
		{Coding: G711, Loss: 1}, {Coding: G711, Loss: 7, BurstRatio: 1e9, Delay: time.Hour},
		{Loss: -1, Delay: -time.Second},
		{Coding: Coding{Ie: 200, Bpl: 1}},
	} {
		if r := R(p); !(r >= 0 && r <= 100) {
			t.Errorf("%+v: R %v", p, r)
		}
	}
}

func BenchmarkR(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		R(Path{Coding: G711PLC, Loss: 0.02, BurstRatio: 1.4, Delay: 150 * time.Millisecond})
	}
}
