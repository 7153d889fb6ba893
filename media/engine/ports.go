package engine

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// ErrNoPorts says that every port pair of a network is in use or at rest.
var ErrNoPorts = errors.New("engine: no RTP ports left")

// PortStats counts the port pairs of a network.
type PortStats struct {
	Total       int
	Used        int
	Quarantined int // freed a moment ago, not to be had yet
	Free        int
}

// ports hands out the RTP port pairs of one network. The pair that has been
// free longest comes first, so that packets meant for an ended call do not
// reach the next one. Guarded by mu.
type ports struct {
	mu    sync.Mutex
	rest  time.Duration
	total int
	queue []restingPort // ordered by freed
}

type restingPort struct {
	port  uint16
	freed time.Time // zero: never used
}

func newPorts(n Network, rest time.Duration) *ports {
	p := &ports{rest: rest, total: n.pairs()}
	// A guessable port is half of an RTP injection: RFC 6056 §3.
	for _, i := range rand.Perm(p.total) {
		p.queue = append(p.queue, restingPort{port: uint16(n.first() + 2*i)})
	}
	return p
}

// take gives the even port of a pair that nobody uses.
func (p *ports) take(now time.Time) (uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 || p.resting(p.queue[0], now) {
		return 0, ErrNoPorts
	}
	port := p.queue[0].port
	p.queue = p.queue[1:]
	return port, nil
}

// claim takes a certain pair, whether it rests or not.
func (p *ports) claim(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.IndexFunc(p.queue, func(r restingPort) bool { return r.port == port })
	if at < 0 {
		return false
	}
	p.queue = slices.Delete(p.queue, at, at+1)
	return true
}

// give takes a pair back.
func (p *ports) give(port uint16, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, restingPort{port: port, freed: now})
}

func (p *ports) resting(r restingPort, now time.Time) bool {
	return !r.freed.IsZero() && now.Sub(r.freed) < p.rest
}

func (p *ports) stats(now time.Time) PortStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PortStats{Total: p.total, Used: p.total - len(p.queue)}
	for _, r := range p.queue {
		if p.resting(r, now) {
			s.Quarantined++
		}
	}
	s.Free = len(p.queue) - s.Quarantined
	return s
}
