package engine

import "net/netip"

const (
	stashSlots = 4096 // packets of an interval between two ticks: of 4000 parties
	stashBytes = 256  // a longer one, of more than 20 ms, does not wait
)

// stash keeps the packets of parties that are mixed until their tick, so that all that is known
// of a party is in the cache once, and not once for the packet and once for the tick. Owned by
// the shard's thread.
type stash struct {
	slots []stashed
	free  int32   // the first free slot, 0: none; slot 0 is not used
	lists []queue // by Socket
}

// queue is a socket's packets, the oldest first. 0: none.
type queue struct{ first, last int32 }

type stashed struct {
	next int32
	size uint16
	from netip.AddrPort
	data [stashBytes]byte
}

// grow makes room for a socket.
func (s *stash) grow(socket Socket) {
	if s.slots == nil {
		s.slots = make([]stashed, stashSlots)
		for i := range s.slots[1:] {
			s.slots[i+1].next = int32(i + 2)
		}
		s.slots[stashSlots-1].next, s.free = 0, 1
	}
	for len(s.lists) <= int(socket) {
		s.lists = append(s.lists, queue{})
	}
}

// put is false when the packet cannot wait.
func (s *stash) put(p Packet) bool {
	at := s.free
	if at == 0 || len(p.Data) > stashBytes {
		return false
	}
	slot, list := &s.slots[at], &s.lists[p.Socket]
	s.free = slot.next
	slot.next, slot.from, slot.size = 0, p.From, uint16(copy(slot.data[:], p.Data))
	if list.first == 0 {
		list.first = at
	} else {
		s.slots[list.last].next = at
	}
	list.last = at
	return true
}

// collect hands over what waits for a socket.
func (s *stash) collect(socket Socket, receive func(Packet)) {
	list := s.lists[socket]
	s.lists[socket] = queue{}
	for at := list.first; at != 0; {
		slot := &s.slots[at]
		receive(Packet{Socket: socket, From: slot.from, Data: slot.data[:slot.size]})
		at, slot.next, s.free = slot.next, s.free, at
	}
}

func (s *stash) drop(socket Socket) { s.collect(socket, func(Packet) {}) }
