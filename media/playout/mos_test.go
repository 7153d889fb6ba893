package playout

import (
	"math"

	"liandong/media/pcm"
	"liandong/media/pcm/pcmtest"
)

// The measure of the tests that say how good speech still is: what is said and what is heard are brought to the
// loudness of critical bands, and their differences become a mean opinion score, after the model of ITU-T P.862
// (PESQ) and with the mapping of P.862.1. It is not P.862: it has bands of one width in Bark, a threshold of hearing by
// a formula and no filter for the telephone's handset, so a score of it is comparable to others of it, in the same
// test, and to nothing else. As there each utterance is heard with the delay that it has: pauses may have another
// length than those that were made.

const (
	window     = 256 // samples at 8 kHz: 32 ms, half of which overlaps with the next
	hop        = window / 2
	bands      = 42
	bandWidth  = 0.36 // Bark
	whole      = bands * bandWidth
	mostLag    = pcm.Rate / 5
	stretch    = 16                   // windows that have one lag
	within     = 60 * pcm.Rate / 1000 // of the lag before, in an utterance
	loudTarget = 1e7                  // mean power of the speech, about 79 dB SPL
)

// opinion is the score, 1 to 4.5, of what is heard of said; both at 8 kHz.
func opinion(said, heard []int16) float64 {
	lags := lagsOf(said, heard)
	gain := loudTarget / speechPower(said)
	var even, uneven []float64
	for i, lag := range lags {
		from := i * hop
		if from+window > len(said) || from+lag < 0 || from+lag+window > len(heard) {
			continue
		}
		d, a := disturbance(loudness(said[from:from+window], gain), loudness(heard[from+lag:from+lag+window], gain))
		even, uneven = append(even, d), append(uneven, a)
	}
	raw := 4.5 - 0.1*overTime(even) - 0.0309*overTime(uneven)
	return 0.999 + 4/(1+math.Exp(-1.4945*raw+4.6607)) // P.862.1
}

// power of samples, mean.
func power(x []int16) (sum float64) {
	for _, s := range x {
		sum += float64(s) * float64(s)
	}
	return sum / float64(max(1, len(x)))
}

// speechPower is the mean power where somebody speaks.
func speechPower(x []int16) float64 {
	var sum float64
	n := 0
	for at := 0; at+hop <= len(x); at += hop {
		if p := power(x[at : at+hop]); p > 1e4 {
			sum += p
			n++
		}
	}
	return sum / float64(max(1, n))
}

// lagsOf says by how many samples each window of what is said is late in what is heard: one lag for each utterance, of
// 200 ms or more between pauses of as long, that of the greatest likeness; pauses have that of the utterance before.
func lagsOf(said, heard []int16) []int {
	const pause = 200 * pcm.Rate / 1000 / hop
	n := len(said) / hop
	lags := make([]int, n)
	lag, begun, quiet := 0, -1, 0
	settle := func(end int) {
		if end-begun >= pause/2 {
			lag = bestLag(said[begun*hop:min(len(said), end*hop)], heard, begun*hop, 0, mostLag)
		}
		for at := begun; at < end; at += stretch {
			to := min(end, at+stretch)
			if end-to < stretch/2 {
				to = end
			}
			if to-at >= stretch/2 { // the delay may change in the middle of an utterance
				lag = bestLag(said[at*hop:min(len(said), to*hop)], heard, at*hop, lag-within, lag+within)
			}
			for i := at; i < to; i++ {
				lags[i] = lag
			}
			if to == end {
				break
			}
		}
		begun = -1
	}
	for i := range n {
		lags[i] = lag
		if power(said[i*hop:(i+1)*hop]) > 1e4 {
			if quiet = 0; begun < 0 {
				begun = i
			}
		} else if quiet++; begun >= 0 && quiet == pause {
			settle(i - pause + 1)
			for k := i - pause + 1; k <= i; k++ {
				lags[k] = lag
			}
		}
	}
	if begun >= 0 {
		settle(n)
	}
	return lags
}

// bestLag is found roughly by every fourth sample, and then among the neighbours.
func bestLag(said, heard []int16, at, from, to int) int {
	best, most := 0, math.Inf(-1)
	try := func(lag, by int) {
		if at+lag < 0 || at+lag+len(said) > len(heard) {
			return
		}
		var both, own float64
		for i := 0; i < len(said); i += by {
			x, y := float64(said[i]), float64(heard[at+lag+i])
			both += x * y
			own += y * y
		}
		if like := both / math.Sqrt(own+1); like > most {
			best, most = lag, like
		}
	}
	for lag := from; lag <= to; lag += 2 {
		try(lag, 5)
	}
	rough := best
	most = math.Inf(-1)
	for lag := rough - 3; lag <= rough+3; lag++ {
		try(lag, 1)
	}
	return best
}

// loud is the power in each critical band, and the loudness that it has: P.862 §10.2.1.3, .7.
type loud struct{ power, loudness [bands]float64 }

func loudness(x []int16, gain float64) (l loud) {
	spectrum := make([]complex128, window)
	for i, s := range x {
		spectrum[i] = complex(float64(s)*(0.5-0.5*math.Cos(2*math.Pi*float64(i)/window)), 0)
	}
	pcmtest.FFT(spectrum)
	for k := 1; k < window/2; k++ {
		hz := float64(k) * pcm.Rate / window
		if band := int(bark(hz) / bandWidth); band < bands {
			p := spectrum[k]
			l.power[band] += (real(p)*real(p) + imag(p)*imag(p)) * gain * 2.764344e-5 // Sp: a power for a sound level
		}
	}
	for band := range bands {
		threshold := hearing((float64(band) + 0.5) * bandWidth)
		if p := l.power[band]; p > threshold {
			l.loudness[band] = 0.1866055 * math.Pow(threshold/0.5, 0.23) * (math.Pow(0.5+0.5*p/threshold, 0.23) - 1)
		}
	}
	return l
}

func bark(hz float64) float64 { return 7 * math.Asinh(hz/650) }

// hearing is the power at the threshold of hearing: Terhardt's formula.
func hearing(bark float64) float64 {
	khz := 0.65 * math.Sinh(bark/7)
	return math.Pow(10, (3.64*math.Pow(khz, -0.8)-6.5*math.Exp(-0.6*(khz-3.3)*(khz-3.3)))/10)
}

// disturbance of a window, and that of it which was added to what was said, and so disturbs more: P.862 §10.2.1.8 on.
func disturbance(said, heard loud) (even, uneven float64) {
	var total float64
	for i := range bands {
		total += said.power[i]
		d := heard.loudness[i] - said.loudness[i]
		masked := 0.25 * min(heard.loudness[i], said.loudness[i])
		d = math.Copysign(max(0, math.Abs(d)-masked), d)
		even += math.Pow(math.Abs(d)*bandWidth, 3)
		ratio := math.Pow((heard.power[i]+50)/(said.power[i]+50), 1.2)
		if ratio >= 3 {
			uneven += math.Abs(d) * min(12, ratio) * bandWidth
		}
	}
	weight := math.Pow((total+1e5)/1e7, 0.04)
	return min(45, math.Cbrt(even/whole)*whole/weight), min(45, uneven/weight)
}

// overTime makes one figure of those of all windows: a short bad stretch counts more than its share, P.862 §10.2.1.14.
func overTime(d []float64) float64 {
	const split = 20
	var squares float64
	n := 0
	for at := 0; at < len(d); at += split / 2 {
		part := d[at:min(len(d), at+split)]
		var sum float64
		for _, x := range part {
			sum += math.Pow(x, 6)
		}
		squares += math.Pow(sum/float64(len(part)), 2./6)
		n++
	}
	return math.Sqrt(squares / float64(max(1, n)))
}
