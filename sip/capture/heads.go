package capture

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// RTPHead is the size of an RTP header without what may follow it (RFC 3550 §5.1), in bytes.
const RTPHead = 12

// RTP is an RTP packet without what is said in it.
type RTP struct {
	At            time.Time
	Leg           uint32 // of the call
	Out           bool   // sent by the switch
	Network       string
	Local, Remote netip.AddrPort
	Head          [RTPHead]byte
	Size          int // of the whole packet, in bytes
}

// Heads holds the headers of the last RTP packets of a call. Who gives it one never waits: while somebody reads, those
// that come are dropped.
type Heads struct {
	mu    sync.Mutex
	flows []flow   // guarded by mu
	ring  []packet // guarded by mu
	next  int      // guarded by mu; where the next one goes once the ring is full
}

// flow is where packets of a leg go from and to.
type flow struct {
	leg           uint32
	out           bool
	network       string
	local, remote netip.AddrPort
}

// packet is one by the number of its flow.
type packet struct {
	at   int64 // nanoseconds since 1970
	size uint16
	flow uint8
	head [RTPHead]byte
}

const (
	mostHeads = 65536 // a call of two for five minutes, at fifty packets a second each way; 2 MB
	mostFlows = 64
)

// NewHeads makes a place for one call.
func NewHeads() *Heads {
	return &Heads{flows: make([]flow, 0, mostFlows), ring: make([]packet, 0, mostHeads)}
}

// Put keeps a packet.
func (h *Heads) Put(p RTP) {
	if !h.mu.TryLock() {
		return
	}
	defer h.mu.Unlock()
	f := flow{p.Leg, p.Out, p.Network, p.Local, p.Remote}
	i := slices.Index(h.flows, f)
	switch {
	case i < 0 && len(h.flows) == mostFlows:
		return
	case i < 0:
		i, h.flows = len(h.flows), append(h.flows, f)
	}
	one := packet{p.At.UnixNano(), uint16(p.Size), uint8(i), p.Head}
	if len(h.ring) < mostHeads {
		h.ring = append(h.ring, one)
		return
	}
	h.ring[h.next] = one
	h.next = (h.next + 1) % mostHeads
}

// All are those that are kept, in the order in which they came.
func (h *Heads) All() []RTP {
	h.mu.Lock()
	flows, ring := slices.Clone(h.flows), slices.Concat(h.ring[h.next:], h.ring[:h.next])
	h.mu.Unlock()
	all := make([]RTP, len(ring))
	for i, one := range ring {
		f := flows[one.flow]
		all[i] = RTP{At: time.Unix(0, one.at), Leg: f.leg, Out: f.out, Network: f.network, Local: f.local,
			Remote: f.remote, Head: one.head, Size: int(one.size)}
	}
	return all
}
