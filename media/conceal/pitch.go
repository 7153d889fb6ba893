package conceal

import "math"

const compared = 12 // ms of the newest sound, in which a period is looked for

// pitch finds the period of the end of past, in samples: the lag at which the sound
// is most like itself. First roughly, at 4 kHz, then among the neighbours.
func pitch(past []int16, perMs int) int {
	rough := perMs / 4
	lag := best(past, minPeriod*perMs, maxPeriod*perMs, rough, perMs)
	return best(past, max(minPeriod*perMs, lag-rough+1), min(maxPeriod*perMs, lag+rough-1), 1, perMs)
}

func best(past []int16, from, to, by, perMs int) int {
	n := min(compared*perMs, len(past)-to)
	newest := past[len(past)-n:]
	lag, most := from, math.Inf(-1)
	for l := from; l <= to; l += by {
		if fit := likeness(newest, past[len(past)-n-l:], by); fit > most {
			lag, most = l, fit
		}
	}
	return lag
}

// likeness is the normalised correlation of a with as much of b, 1 for the same at
// any loudness; 0 where there is nothing but silence. Every by-th sample is looked at.
func likeness(a, b []int16, by int) float64 {
	product, powerA, powerB := products(a, b, by)
	if powerA == 0 || powerB == 0 {
		return 0
	}
	return float64(product) / math.Sqrt(float64(powerA)*float64(powerB))
}

// products of a with b and of each with itself.
func products(a, b []int16, by int) (both, powerA, powerB int64) {
	b = b[:len(a)]
	for i := 0; i < len(a); i += by {
		x, y := int64(a[i]), int64(b[i])
		both += x * y
		powerA += x * x
		powerB += y * y
	}
	return both, powerA, powerB
}
