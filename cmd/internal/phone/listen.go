package phone

import (
	"math"
	"time"
)

// Tone is a sine at a third of full scale: speech for phones in tests, one frequency each.
func Tone(hz float64, d time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*8000))
	for i := range pcm {
		pcm[i] = int16(11000 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return pcm
}

// Share is the part of the sound's power that lies at one frequency, 0 to 1 (Goertzel). Silence gives 0.
func Share(pcm []int16, hz float64) float64 {
	w := 2 * math.Pi * hz / 8000
	coeff, s1, s2, power := 2*math.Cos(w), 0.0, 0.0, 0.0
	for _, x := range pcm {
		v := float64(x)
		s1, s2 = v+coeff*s1-s2, s1
		power += v * v
	}
	if power < float64(len(pcm))*100 { // below 10 of 32767: silence
		return 0
	}
	return 2 * (s1*s1 + s2*s2 - coeff*s1*s2) / (power * float64(len(pcm)))
}

// Loudness is the root mean square, 0 to 32767.
func Loudness(pcm []int16) float64 {
	sum := 0.0
	for _, x := range pcm {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum / float64(max(1, len(pcm))))
}

// Likeness is how well what was heard matches some place of a loop of speech, 0 to 1: the highest normalised
// correlation over all places, on the sound below 1 kHz. Half a second heard is enough to tell voices apart;
// in a mix of n voices of like loudness each comes out near 1/√n.
func Likeness(heard, speech []int16) float64 {
	a, b := low(heard), low(speech)
	if len(a) == 0 || len(b) == 0 || Loudness(heard) < 10 {
		return 0
	}
	for n := len(b); len(b) < n+len(a); {
		b = append(b, b[:n]...) // the loop, once round
	}
	var aa, bb, best float64
	for i := range a {
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	for lag := 0; lag+len(a) < len(b); lag++ {
		ab := 0.0
		for i, v := range a {
			ab += v * b[lag+i]
		}
		if bb > 0 {
			best = max(best, ab/math.Sqrt(aa*bb))
		}
		bb += b[lag+len(a)]*b[lag+len(a)] - b[lag]*b[lag]
	}
	return best
}

// low takes every fourth sample of a running mean, without its direct part.
func low(pcm []int16) []float64 {
	out := make([]float64, len(pcm)/4)
	mean := 0.0
	for i := range out {
		for _, x := range pcm[4*i : 4*i+4] {
			out[i] += float64(x)
		}
		mean += out[i] / float64(len(out))
	}
	for i := range out {
		out[i] -= mean
	}
	return out
}
