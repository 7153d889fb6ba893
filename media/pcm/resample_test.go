package pcm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sine is n samples of a tone, which is 10 dB below the limit.
func sine(hz float64, rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(10000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}

func up(in []int16) []int16 {
	var u Upsampler
	out := make([]int16, 2*len(in))
	u.Up(out, in)
	return out
}

func down(in []int16) []int16 {
	var d Downsampler
	out := make([]int16, len(in)/2)
	d.Down(out, in)
	return out
}

// gain is the strength in dB that one tone has in the settled part of x,
// against that of sine.
func gain(x []int16, hz float64, rate int) float64 {
	x = x[2*ResampleDelay:]
	var re, im float64
	for i, s := range x {
		turn := 2 * math.Pi * hz * float64(i) / float64(rate)
		re += float64(s) * math.Cos(turn)
		im += float64(s) * math.Sin(turn)
	}
	return 20 * math.Log10(2*math.Hypot(re, im)/float64(len(x))/10000)
}

// A second is measured, so that every whole frequency fits in and none leaks.
func TestPassBand(t *testing.T) {
	for hz := 50.0; hz <= 3500; hz += 50 {
		skip := 2 * ResampleDelay
		wide := up(sine(hz, Rate, Rate+skip))
		if g := gain(wide[:WideRate+skip], hz, WideRate); math.Abs(g) > 0.05 {
			t.Errorf("%v Hz goes up by %.3f dB", hz, g)
		}
		narrow := down(sine(hz, WideRate, WideRate+2*skip))
		if g := gain(narrow[:Rate+skip], hz, Rate); math.Abs(g) > 0.05 {
			t.Errorf("%v Hz goes down by %.3f dB", hz, g)
		}
	}
}

// Nothing that was not there: the image above 4 kHz on the way up, what folds
// down on the way down.
func TestStopBand(t *testing.T) {
	worstImage, worstAlias := math.Inf(-1), math.Inf(-1)
	for hz := 4500.0; hz < 8000; hz += 50 {
		limit := -61.0
		if hz < 4600 {
			limit = -58
		}
		skip, mirrored := 2*ResampleDelay, 8000-hz
		image := gain(up(sine(mirrored, Rate, Rate+skip))[:WideRate+skip], hz, WideRate)
		alias := gain(down(sine(hz, WideRate, WideRate+2*skip))[:Rate+skip], mirrored, Rate)
		if image > limit || alias > limit {
			t.Errorf("%v Hz: the image of %v Hz has %.1f dB, the alias %.1f dB, allowed %v", hz, mirrored, image, alias,
				limit)
		}
		if hz >= 4600 {
			worstImage, worstAlias = max(worstImage, image), max(worstAlias, alias)
		}
	}
	t.Logf("from 4600 Hz: images below %.1f dB, aliases below %.1f dB", worstImage, worstAlias)
}

// The delay is what the constant says, in each direction and there and back.
func TestResampleDelay(t *testing.T) {
	narrow, wide := sine(1000, Rate, 800), sine(1000, WideRate, 1600)
	near := func(got, want int16) bool { return math.Abs(float64(got)-float64(want)) <= 10 }
	for i, s := range up(narrow) {
		if i >= 3*ResampleDelay && !near(s, wide[i-ResampleDelay]) {
			t.Fatalf("up: sample %d is %d, want %d", i, s, wide[i-ResampleDelay])
		}
	}
	for i, s := range down(wide) {
		if i >= 3*ResampleDelay && !near(s, wide[2*i-ResampleDelay]) {
			t.Fatalf("down: sample %d is %d, want %d", i, s, wide[2*i-ResampleDelay])
		}
	}
	for i, s := range down(up(narrow)) {
		if i >= 3*ResampleDelay && !near(s, narrow[i-ResampleDelay]) {
			t.Fatalf("up and down: sample %d is %d, want %d", i, s, narrow[i-ResampleDelay])
		}
	}
	if ms := 1000.0 * ResampleDelay / WideRate; ms > 2 {
		t.Errorf("%v ms", ms)
	}
}

// The same sound in pieces of any length, so no click between them; and the
// whole of it is a clean tone, so no click in them.
func TestResampleHasNoSeam(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	narrow, wide := sine(440, Rate, 4000), sine(440, WideRate, 8000)
	wantUp, wantDown := up(narrow), down(wide)
	for _, most := range []int{1, 2, 7, 80, 160, 161, 480, 1000} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			var u Upsampler
			var d Downsampler
			var gotUp, gotDown []int16
			for at := 0; at < len(narrow); {
				n := min(1+r.IntN(most), len(narrow)-at)
				out := make([]int16, 2*n)
				gotUp = append(gotUp, out[:u.Up(out, narrow[at:at+n])]...)
				gotDown = append(gotDown, out[:d.Down(out, wide[2*at:2*(at+n)])]...)
				at += n
			}
			if !slices.Equal(gotUp, wantUp) || !slices.Equal(gotDown, wantDown) {
				t.Error("the pieces differ from the whole")
			}
		})
	}
	for i := range wantUp[3*ResampleDelay:] {
		i += 3 * ResampleDelay
		if diff := math.Abs(float64(wantUp[i]) - float64(wide[i-ResampleDelay])); diff > 10 {
			t.Fatalf("a click of %v in sample %d", diff, i)
		}
	}
}

// The loudest sound is clipped, never wrapped round.
func TestResampleClips(t *testing.T) {
	square := make([]int16, 1600)
	for i := range square {
		square[i] = math.MaxInt16
		if i/40%2 == 1 {
			square[i] = math.MinInt16
		}
	}
	for name, c := range map[string]struct {
		got []int16
		at  func(i int) int
	}{
		"up":   {up(square), func(i int) int { return (i - ResampleDelay) / 2 }},
		"down": {down(square), func(i int) int { return 2*i - ResampleDelay }},
	} {
		clipped := 0
		for i, s := range c.got {
			at := c.at(i)
			if at < 4 || at%40 < 4 || at%40 >= 36 { // close to the edges of the square
				continue
			}
			if (s > 0) != (square[at] > 0) {
				t.Fatalf("%s: sample %d is %d where %d was", name, i, s, square[at])
			}
			if s == math.MaxInt16 || s == math.MinInt16 {
				clipped++
			}
		}
		if clipped == 0 {
			t.Errorf("%s: nothing was clipped", name)
		}
	}
}

func TestResampleAsMuchAsFits(t *testing.T) {
	var u Upsampler
	var d Downsampler
	for _, c := range []struct{ dst, src, up, down int }{
		{0, 5, 0, 0}, {5, 0, 0, 0}, {5, 5, 4, 2}, {10, 5, 10, 2}, {1, 9, 0, 1}, {3, 7, 2, 3}, {2000, 700, 1400, 350},
	} {
		dst, src := make([]int16, c.dst), make([]int16, c.src)
		if n := u.Up(dst, src); n != c.up {
			t.Errorf("%d up into %d: %d", c.src, c.dst, n)
		}
		if n := d.Down(dst, src); n != c.down {
			t.Errorf("%d down into %d: %d", c.src, c.dst, n)
		}
	}
}

func TestDownInPlace(t *testing.T) {
	in := sine(700, WideRate, 1000)
	want := down(in)
	var d Downsampler
	if n := d.Down(in, in); !slices.Equal(in[:n], want) {
		t.Error("differs")
	}
}

func TestResamplingAllocatesNothing(t *testing.T) {
	var u Upsampler
	var d Downsampler
	narrow, wide := make([]int16, 160), make([]int16, 320)
	if n := testing.AllocsPerRun(100, func() { u.Up(wide, narrow); d.Down(narrow, wide) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUp(b *testing.B) { // 20 ms
	var u Upsampler
	narrow, wide := sine(440, Rate, 160), make([]int16, 320)
	for b.Loop() {
		u.Up(wide, narrow)
	}
}

func BenchmarkDown(b *testing.B) { // 20 ms
	var d Downsampler
	narrow, wide := make([]int16, 160), sine(440, WideRate, 320)
	for b.Loop() {
		d.Down(narrow, wide)
	}
}
