package engine

import (
	"math"
	"sync/atomic"
)

// Histogram counts observations by size, as Prometheus does.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64 // by upper bound, each with all below it
}

// QualityStats are a network's legs, each 5 s of one leg an observation.
type QualityStats struct {
	RTT     Histogram // s
	In, Out DirectionStats
}

// DirectionStats are one of the two directions; Out is what the parties report.
type DirectionStats struct {
	Loss   Histogram // ratio
	Jitter Histogram // s
	MOS    Histogram // of conversation
}

var (
	lossBounds   = []float64{0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2}
	jitterBounds = []float64{0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2}
	rttBounds    = []float64{0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1}
	mosBounds    = []float64{1.5, 2, 2.6, 3.1, 3.6, 4, 4.3} // from 2.6 on the borders of ITU-T G.109
)

// tally is one histogram of one shard, which alone adds to it.
type tally struct {
	bounds []float64 // upper, ascending
	counts []atomic.Uint64
	total  atomic.Uint64
	sum    atomic.Uint64 // bits of a float64
}

func newTally(bounds []float64) *tally {
	return &tally{bounds: bounds, counts: make([]atomic.Uint64, len(bounds))}
}

func (t *tally) observe(x float64) {
	t.total.Add(1)
	t.sum.Store(math.Float64bits(math.Float64frombits(t.sum.Load()) + x))
	for i, bound := range t.bounds {
		if x <= bound {
			t.counts[i].Add(1)
			return
		}
	}
}

func (t *tally) addTo(h *Histogram) {
	if h.Buckets == nil {
		h.Buckets = map[float64]uint64{}
	}
	below := uint64(0)
	for i, bound := range t.bounds {
		below += t.counts[i].Load()
		h.Buckets[bound] += below
	}
	h.Count += t.total.Load()
	h.Sum += math.Float64frombits(t.sum.Load())
}

// qualityTally is a network's part of one shard.
type qualityTally struct {
	rtt     *tally
	in, out directionTally
}

type directionTally struct{ loss, jitter, mos *tally }

func newQualityTally() *qualityTally {
	return &qualityTally{rtt: newTally(rttBounds), in: newDirectionTally(), out: newDirectionTally()}
}

func newDirectionTally() directionTally {
	return directionTally{newTally(lossBounds), newTally(jitterBounds), newTally(mosBounds)}
}

func (t *qualityTally) observe(q Quality) {
	if q.RTT > 0 {
		t.rtt.observe(q.RTT.Seconds())
	}
	t.in.observe(q.In)
	t.out.observe(q.Out)
}

func (t directionTally) observe(d Direction) {
	if !d.Known || d.Packets < appraisable {
		return
	}
	t.loss.observe(d.Loss)
	t.jitter.observe(d.Jitter.Seconds())
	t.mos.observe(d.MOSCQ)
}

func (t *qualityTally) addTo(s *QualityStats) {
	t.rtt.addTo(&s.RTT)
	t.in.addTo(&s.In)
	t.out.addTo(&s.Out)
}

func (t directionTally) addTo(s *DirectionStats) {
	t.loss.addTo(&s.Loss)
	t.jitter.addTo(&s.Jitter)
	t.mos.addTo(&s.MOS)
}
