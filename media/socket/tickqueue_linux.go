package socket

import "net/netip"

const (
	queueSlots = 4096 // packets of an interval between two ticks: of 4000 parties
	queueBytes = 256  // a longer one, of more than 20 ms, does not wait
)

// tickQueue keeps the packets of parties that are mixed until their tick, so that all that is known
// of a party is in the cache once, and not once for the packet and once for the tick. Owned by
// the shard's thread.
type tickQueue struct {
	slots []queued
	free  int32  // the first free slot, 0: none; slot 0 is not used
	lists []list // by socket
}

// list is a socket's packets, the oldest first. 0: none.
type list struct{ first, last int32 }

type queued struct {
	next int32
	size uint16
	from netip.AddrPort
	data [queueBytes]byte
}

// grow makes room for a socket.
func (q *tickQueue) grow(socket ID) {
	if q.slots == nil {
		q.slots = make([]queued, queueSlots)
		for i := range q.slots[1:] {
			q.slots[i+1].next = int32(i + 2)
		}
		q.slots[queueSlots-1].next, q.free = 0, 1
	}
	for len(q.lists) <= int(socket) {
		q.lists = append(q.lists, list{})
	}
}

// put is false when the packet cannot wait.
func (q *tickQueue) put(p Packet) bool {
	at := q.free
	if at == 0 || len(p.Data) > queueBytes {
		return false
	}
	slot, l := &q.slots[at], &q.lists[p.Socket]
	q.free = slot.next
	slot.next, slot.from, slot.size = 0, p.From, uint16(copy(slot.data[:], p.Data))
	if l.first == 0 {
		l.first = at
	} else {
		q.slots[l.last].next = at
	}
	l.last = at
	return true
}

// collect hands over what waits for a socket.
func (q *tickQueue) collect(socket ID, receive func(Packet)) {
	l := q.lists[socket]
	q.lists[socket] = list{}
	for at := l.first; at != 0; {
		slot := &q.slots[at]
		receive(Packet{Socket: socket, From: slot.from, Data: slot.data[:slot.size]})
		at, slot.next, q.free = slot.next, q.free, at
	}
}

func (q *tickQueue) drop(socket ID) { q.collect(socket, func(Packet) {}) }
