package keeper

import "time"

// pace says how long a process that has died rests before it is started again: not at all, unless it dies again and
// again. It is never given up.
type pace struct {
	deaths []time.Time // the last few
	rest   time.Duration
}

const (
	fewDeaths = 5                // that many …
	shortTime = 10 * time.Second // … within so long are too many
	firstRest = time.Second
	longRest  = 30 * time.Second
	calm      = time.Minute // without a death: as if there had been none
)

// died notes a death and gives the rest that follows it.
func (p *pace) died(now time.Time) time.Duration {
	if n := len(p.deaths); n > 0 && now.Sub(p.deaths[n-1]) >= calm+p.rest {
		*p = pace{}
	}
	p.deaths = append(p.deaths, now)
	if over := len(p.deaths) - fewDeaths; over > 0 {
		p.deaths = p.deaths[over:]
	}
	switch {
	case p.rest > 0:
		p.rest = min(2*p.rest, longRest)
	case len(p.deaths) == fewDeaths && now.Sub(p.deaths[0]) <= shortTime:
		p.rest = firstRest
	}
	return p.rest
}
