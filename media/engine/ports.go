package engine

import (
	"cmp"
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
// has come for longer than parties are silent. Guarded by mu.
type ports struct {
	mu    sync.Mutex
	rest  time.Duration
	total int
	short bool                             // the last that was asked for was not to be had
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
	if p.short = len(p.queue) == 0 || p.resting(p.queue[0], now); p.short {
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

	// keptQuiet: so long after a call its last packets may come; what comes later is of somebody who goes on.
	keptQuiet = time.Second
	// keptRest is for how long nothing else has to come: reports are 6.2 s apart at the most, RFC 3550 §6.3.1.
	keptRest = keptQuiet + 7*time.Second
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

// putBack takes back what reuse has given and no leg has got: only the shard's thread may close it.
func (p *ports) putBack(k *keptPair, net socket.Transport) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _ := slices.BinarySearchFunc(p.kept[net], k.freed, func(k *keptPair, freed time.Time) int {
		return k.freed.Compare(freed)
	})
	p.kept[net] = slices.Insert(p.kept[net], at, k)
}

// reuse takes a pair that is open and has rested for so long, with nothing that came to it.
func (p *ports) reuse(net socket.Transport, now time.Time, rest time.Duration) *keptPair {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, picks := p.kept[net], make([]int, 0, keptPicks)
	for i, k := range all {
		if len(picks) == keptPicks || now.Sub(k.freed) < rest {
			break
		}
		if !k.late.Load() {
			picks = append(picks, i)
		}
	}
	if len(picks) == 0 {
		return nil
	}
	at := picks[rand.IntN(len(picks))]
	k := all[at]
	p.kept[net] = slices.Delete(all, at, at+1)
	return k
}

// overdue takes pairs that are to be closed: that were freed before a time, or to which somebody still sends, or any
// when few others are free. So many at the most.
func (p *ports) overdue(net socket.Transport, before time.Time, most int) (list []*keptPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	few := p.short || len(p.queue) < p.total/4
	p.kept[net] = slices.DeleteFunc(p.kept[net], func(k *keptPair) bool {
		over := len(list) < most && (few || k.freed.Before(before) || k.late.Load())
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

// give takes back a pair that nobody has used since a time.
func (p *ports) give(port uint16, freed time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, _ := slices.BinarySearchFunc(p.queue, freed, func(r restingPort, freed time.Time) int {
		return cmp.Or(r.freed.Compare(freed), -1) // behind those of the same time
	})
	p.queue = slices.Insert(p.queue, at, restingPort{port: port, freed: freed})
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
