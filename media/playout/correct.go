package playout

import "time"

const (
	gross    = 40 // ms; when the delay is off by more, the next good place is taken,
	worstFit = 0.5
	bestFit  = 0.85 // which must be so good otherwise,
	patience = 0.1  // and for each try that found none less good by this
)

// correct takes out, or puts in, a part of what the delay is off, in clock ticks: a pitch
// period of speech, or what is silent. A part of it must be enough: as long as it is off
// the buffer says so again.
func (p *Playout) correct(now time.Time, off int32, size int) {
	samples := int(off) * p.tape.rate / p.clock
	fit := bestFit - patience*float64(p.misses)
	if max(samples, -samples) >= gross*p.tape.rate/1000 {
		fit = min(fit, worstFit)
	}
	n := 0
	if off > 0 {
		for p.tape.waiting() < 2*size && p.buffer.Ready() {
			p.take(p.next(now, 2*size))
		}
		n = p.tape.cut(samples, size, fit)
	} else {
		n = p.tape.insert(-samples, fit)
	}
	p.misses++
	if n > 0 {
		p.misses = 0
	}
	p.warped += uint64(n)
}
