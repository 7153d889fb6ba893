package engine

import "unsafe"

// A switch with a thousand parties finds none of them in the cache: each packet and each tick
// begins with memory that is far away, and would wait for one line after the other. Read all at
// once, before the first is needed, the lines come together.

const (
	cacheLine = 64
	wireBytes = unsafe.Offsetof(leg{}.codecs) // of a leg, for a packet that is relayed
	tickBytes = unsafe.Offsetof(leg{}.keys)   // and for its tick
)

// prefetch reads a byte of each cache line of the first bytes of a leg. What it gives means
// nothing, and keeps the reads from being left out.
func (l *leg) prefetch(bytes uintptr) (sum byte) {
	for i := uintptr(0); i < bytes; i += cacheLine {
		sum += *(*byte)(unsafe.Add(unsafe.Pointer(l), i))
	}
	return sum
}

// prefetch is for a leg that a packet came from, and for those who hear it.
func (s *shard) prefetch(l *leg) {
	sum := l.prefetch(wireBytes)
	for _, hearer := range l.relays {
		sum += hearer.prefetch(wireBytes)
	}
	if l.voice.playout != nil {
		sum += l.voice.playout.Prefetch()
	}
	s.fetched += sum
}

// prefetch is for a room whose tick is next.
func (r *room) prefetch() {
	var sum byte
	for _, l := range r.legs {
		sum += l.prefetch(tickBytes)
	}
	for _, l := range r.legs {
		if l.voice.playout != nil {
			sum += l.voice.playout.Prefetch()
		}
	}
	r.shard.fetched += sum
}
