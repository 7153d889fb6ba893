package load

import (
	"math"
	"slices"
	"time"
)

// times is a handful of durations: set-up times, key to ring. The zero value is ready.
type times []time.Duration

func (t *times) add(d time.Duration) { *t = append(*t, d) }

// summary is the percentiles by nearest rank; nil when there are none.
func (t times) summary() *Spread {
	if len(t) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(t))
	rank := func(p float64) float64 { return ms(sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]) }
	return &Spread{Count: len(sorted), P50: rank(0.5), P90: rank(0.9), P99: rank(0.99), Max: ms(sorted[len(sorted)-1])}
}

const (
	binWidth = 100 * time.Microsecond
	bins     = 20000 // 2 s
)

// delays is millions of durations from 0 to 2 s in bins of 0.1 ms; longer ones are in the last bin, the longest is kept
// as it is. Percentiles are the upper ends of their bins.
type delays struct {
	bin   [bins]uint32
	count int
	max   time.Duration
}

func (d *delays) add(x time.Duration) {
	d.bin[min(bins-1, max(0, x/binWidth))]++
	d.count++
	d.max = max(d.max, x)
}

func (d *delays) merge(o *delays) {
	for i, n := range o.bin {
		d.bin[i] += n
	}
	d.count += o.count
	d.max = max(d.max, o.max)
}

// over counts those that are longer than x, a multiple of 0.1 ms, or just as long.
func (d *delays) over(x time.Duration) (n int) {
	for _, b := range d.bin[x/binWidth:] {
		n += int(b)
	}
	return n
}

func (d *delays) summary() *Spread {
	if d.count == 0 {
		return nil
	}
	return &Spread{Count: d.count, P50: d.rank(0.5), P90: d.rank(0.9), P99: d.rank(0.99), Max: ms(d.max)}
}

// rank never says more than the longest there was.
func (d *delays) rank(p float64) float64 {
	need, seen := int(math.Ceil(p*float64(d.count))), 0
	for i, n := range d.bin {
		if seen += int(n); seen >= need {
			return ms(min(d.max, time.Duration(i+1)*binWidth))
		}
	}
	return ms(d.max)
}

// ms is milliseconds to the nearest tenth.
func ms(d time.Duration) float64 { return math.Round(float64(d)/1e5) / 10 }
