package conceal

import (
	"math"
	"slices"
	"testing"

	"liandong/media/pcm/pcmtest"
)

// speech is the switch's own announcements one behind the other, half a minute at 8 kHz, or
// the same brought to 16 kHz.
func speech(t testing.TB, rate int) []int16 {
	t.Helper()
	out := pcmtest.Speech(t)
	if rate == 16000 {
		return doubled(out)
	}
	return out
}

// doubled puts a sample between any two, by a windowed sinc of 16.
func doubled(x []int16) []int16 {
	out := make([]int16, 2*len(x))
	for i := range x {
		out[2*i] = x[i]
		var sum float64
		for k := -8; k < 8; k++ {
			if at := i - k; at >= 0 && at < len(x) {
				d := float64(k) + 0.5
				sum += float64(x[at]) * math.Sin(math.Pi*d) / (math.Pi * d) * (0.5 + 0.5*math.Cos(math.Pi*d/8.5))
			}
		}
		out[2*i+1] = int16(max(-32768, min(32767, sum)))
	}
	return out
}

// segmentalSNR is the mean over frames of 20 ms in which somebody speaks, each held within
// -10 to 35 dB, in dB.
func segmentalSNR(want, got []int16, rate int, chosen func(frame int) bool) float64 {
	var sum float64
	n, size := 0, rate/50
	for i := 0; (i+1)*size <= len(want); i++ {
		signal, noise := 0.0, 1.0
		for k := i * size; k < (i+1)*size; k++ {
			signal += float64(want[k]) * float64(want[k])
			d := float64(want[k]) - float64(got[k])
			noise += d * d
		}
		if signal/float64(size) > 1e4 && chosen(i) {
			sum += max(-10, min(35, 10*math.Log10(signal/noise)))
			n++
		}
	}
	return sum / float64(n)
}

// barkDistance is how far the spectra are apart: the root mean square, over Bark bands, of the
// difference of their levels in dB, and the mean of that over windows of 32 ms in which somebody speaks.
// Levels of less than 40 dB below the speech are heard as that.
func barkDistance(want, got []int16, rate int) float64 {
	size := rate * 32 / 1000
	var sum float64
	n := 0
	for at := 0; at+size <= len(want); at += size / 2 {
		a, b := want[at:at+size], got[at:at+size]
		if !speaks(a) {
			continue
		}
		n++
		if !slices.Equal(a, b) {
			sum += apart(bark(a, rate), bark(b, rate))
		}
	}
	return sum / float64(n)
}

func speaks(x []int16) bool {
	var power float64
	for _, s := range x {
		power += float64(s) * float64(s)
	}
	return power/float64(len(x)) > 1e4
}

func apart(a, b []float64) float64 {
	floor, square := slices.Max(a)-40, 0.
	for i := range a {
		d := max(a[i], floor) - max(b[i], floor)
		square += d * d
	}
	return math.Sqrt(square / float64(len(a)))
}

// bark is the level of a window in each critical band up to half the rate, in dB.
func bark(x []int16, rate int) []float64 {
	spectrum := make([]complex128, len(x)) // 256 or 512
	for i, s := range x {
		spectrum[i] = complex(float64(s)*(0.5-0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))), 0)
	}
	pcmtest.FFT(spectrum)
	bands := make([]float64, int(toBark(float64(rate)/2)))
	for i := range len(x) / 2 {
		if band := int(toBark(float64(i*rate) / float64(len(x)))); band < len(bands) {
			bands[band] += real(spectrum[i])*real(spectrum[i]) + imag(spectrum[i])*imag(spectrum[i])
		}
	}
	for i, power := range bands {
		bands[i] = 10 * math.Log10(power/float64(len(x))+1)
	}
	return bands
}

// toBark is Traunmüller's formula.
func toBark(hz float64) float64 { return max(0, 26.81*hz/(1960+hz)-0.53) }
