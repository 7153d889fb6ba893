package engine

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"liandong/media/socket"
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
// reach the next one; but before all one that is still open, to which nothing
// comes any more. Guarded by mu.
type ports struct {
	mu    sync.Mutex
	rest  time.Duration
	total int
	queue []restingPort                    // ordered by freed
	kept  map[socket.Transport][]*keptPair // ordered by freed
}

// keptPair is a pair whose ports stay open for another leg.
type keptPair struct {
	pair
	freed time.Time
	quiet time.Time   // by the shard's clock: what comes later is of who does not know that the call has ended
	late  atomic.Bool // such has come: it is closed
}

type restingPort struct {
	port  uint16
	freed time.Time // zero: never used
}

func newPorts(n Network, rest time.Duration) *ports {
	p := &ports{rest: rest, total: n.pairs(), kept: map[socket.Transport][]*keptPair{}}
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

const (
	keepFree  = 64               // pairs are kept open only while so many are not, and half of all
	keepFor   = 30 * time.Second // and no longer
	keptPicks = 16               // one of so many is taken: which comes next is not to be foretold, RFC 6056 §3
)

// keep leaves a pair open for a leg on the same transport; false: it is to be closed.
func (p *ports) keep(k *keptPair, net socket.Transport, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) < max(keepFree, p.total/2) {
		return false
	}
	k.freed = now
	k.late.Store(false)
	p.kept[net] = append(p.kept[net], k)
	return true
}

// reuse takes a pair that is open and has rested, with nothing that came to it.
func (p *ports) reuse(net socket.Transport, now time.Time) *keptPair {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, rested := p.kept[net], 0
	for rested < min(len(all), keptPicks) && now.Sub(all[rested].freed) >= p.rest {
		rested++
	}
	if rested == 0 {
		return nil
	}
	at := rand.IntN(rested)
	k := all[at]
	if k.late.Load() {
		return nil
	}
	p.kept[net] = slices.Delete(all, at, at+1)
	return k
}

// overdue takes the pairs that are to be closed: that were freed before a time, or to which somebody still sends.
func (p *ports) overdue(net socket.Transport, before time.Time) (list []*keptPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	few := len(p.queue) < p.total/4
	p.kept[net] = slices.DeleteFunc(p.kept[net], func(k *keptPair) bool {
		over := few || k.freed.Before(before) || k.late.Load()
		if over {
			list = append(list, k)
		}
		return over
	})
	return list
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
	for _, all := range p.kept {
		s.Used -= len(all)
		for _, k := range all {
			if now.Sub(k.freed) < p.rest {
				s.Quarantined++
			}
		}
	}
	s.Free = p.total - s.Used - s.Quarantined
	return s
}
