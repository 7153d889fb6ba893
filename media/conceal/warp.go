package conceal

const (
	blend    = 5  // ms over which two places go over into each other
	leastLag = 2  // ms: less is not worth a blend
	grid     = 5  // ms between places that are tried
	quiet    = 40 // mean amplitude below which any two places are alike enough
)

// Longest is the most that Cut and Insert change at once, in samples at a rate: 15 ms.
func Longest(rate int) int { return maxPeriod * rate / 1000 }

// Cut makes x shorter by a pitch period, or in silence by anything, up to most
// samples, and says by how much; it moves the end of the sound to the front. It is 0
// when no two places are alike by at least fit, 1 for the same: then a later try will do.
func Cut(x []int16, rate, most int, fit float64) int {
	at, lag := place(x, rate, most, fit)
	if lag == 0 {
		return 0
	}
	n := blend * rate / 1000
	for i := range n {
		x[at+i] = mix(x[at+i], x[at+lag+i], i+1, n+1)
	}
	copy(x[at+n:], x[at+lag+n:])
	return lag
}

// Insert makes x[:n] longer by a pitch period in the same way, for which x must have room
// of Longest, and says by how much.
func Insert(x []int16, n, rate, most int, fit float64) int {
	at, lag := place(x[:n], rate, min(most, len(x)-n), fit)
	if lag == 0 {
		return 0
	}
	size := blend * rate / 1000
	copy(x[at+lag+size:], x[at+size:n])
	for i := size - 1; i >= 0; i-- { // backwards: with a lag of less than the blend they overlap
		x[at+lag+i] = mix(x[at+lag+i], x[at+i], i+1, size+1)
	}
	return lag
}

// place finds the two places in x that are most alike, at and lag samples later. lag is 0
// when none are.
func place(x []int16, rate, most int, fit float64) (at, lag int) {
	perMs := rate / 1000
	n, rough := blend*perMs, perMs/4
	for a := 0; a+leastLag*perMs+n <= len(x); a += grid * perMs {
		top := min(most, Longest(rate), len(x)-n-a)
		for l := leastLag * perMs; l <= top; l += rough {
			if f := match(x[a:a+n], x[a+l:], rough); f > fit {
				at, lag, fit = a, l, f
			}
		}
		if loudness(x[a:a+n]) < quiet && top >= leastLag*perMs && loudness(x[a+top:a+top+n]) < quiet {
			return a, top
		}
	}
	if lag > 0 {
		lag = refine(x, at, lag, n, rough, min(most, Longest(rate), len(x)-n-at))
	}
	return at, lag
}

// refine tries the lags between those of the rough search.
func refine(x []int16, at, rough, n, by, top int) int {
	lag, most := rough, -1.0
	for l := rough - by + 1; l <= min(top, rough+by-1); l++ {
		if f := match(x[at:at+n], x[at+l:], 1); f > most {
			lag, most = l, f
		}
	}
	return lag
}

// match is how well two places go over into each other: 1 for the same at the same loudness.
func match(a, b []int16, by int) float64 {
	both, powerA, powerB := products(a, b, by)
	return 2 * float64(both) / float64(powerA+powerB+1)
}

// loudness is the mean amplitude.
func loudness(x []int16) int {
	sum := 0
	for _, s := range x {
		sum += max(int(s), -int(s))
	}
	return sum / len(x)
}
