package jitter

import (
	"slices"
	"time"

	"liandong/media/codec"
)

const (
	places = 64        // packets: 640 ms of the shortest
	dense  = 16 * 1024 // bytes per second, twice what G.711 and G.722 need
	few    = 16        // packets, and
	usual  = 2048      // bytes: as many as most parties ever need
)

// held is a packet in the store.
type held struct {
	ts, span uint32
	seq      uint16
	at, size uint16 // in the bytes
	codec    codec.ID
}

func (h *held) end() uint32 { return h.ts + h.span }

// store keeps packets in the order of their timestamps. Their payloads stand
// behind one another in the order of their coming and are moved together when the end is reached. Once there
// are more than most parties have it takes, at one go, as much as there can be, and keeps it: 4 KB more of a
// party by the default of Config. A stall of a whole network has all its parties do so in one moment, once.
type store struct {
	used    int
	most    int // bytes
	bytes   []byte
	packets []held
}

func newStore(span time.Duration) store {
	return store{most: int(dense * span / time.Second), bytes: make([]byte, usual), packets: make([]held, 0, few)}
}

func (s *store) clear() { s.packets, s.used = s.packets[:0], 0 }

func (s *store) count() int { return len(s.packets) }

func (s *store) first() *held { return &s.packets[0] }

// payload is the bytes of a packet; they stay good until the next put.
func (s *store) payload(h held) []byte { return s.bytes[h.at : h.at+h.size] }

// room says whether a payload can be put.
func (s *store) room(size int) bool {
	if s.count() == 0 {
		s.used = 0
	}
	if s.count() == places {
		return false
	}
	if s.used+size > len(s.bytes) {
		s.compact()
	}
	if s.used+size > len(s.bytes) || s.count() == cap(s.packets) {
		s.widen()
	}
	return s.used+size <= len(s.bytes)
}

// widen makes place for as much as there can be.
func (s *store) widen() {
	if len(s.bytes) < s.most {
		s.bytes = append(make([]byte, 0, s.most), s.bytes[:s.used]...)[:s.most]
		s.packets = append(make([]held, 0, places), s.packets...)
	}
}

// put keeps a packet for which there is room.
func (s *store) put(p Packet) {
	at := s.count()
	for at > 0 && int32(s.packets[at-1].ts-p.TS) > 0 {
		at--
	}
	s.packets = slices.Insert(s.packets, at, held{ts: p.TS, span: p.Span, seq: p.Seq, at: uint16(s.used),
		size: uint16(len(p.Payload)), codec: p.Codec})
	s.used += copy(s.bytes[s.used:], p.Payload)
}

// take removes the first packet.
func (s *store) take() held {
	h := s.packets[0]
	s.packets = s.packets[:copy(s.packets, s.packets[1:])]
	return h
}

// compact moves the payloads together, the lowest one first so that none is written over.
func (s *store) compact() {
	var order [places]uint8
	for i := range s.packets {
		order[i] = uint8(i)
	}
	slices.SortFunc(order[:s.count()], func(a, b uint8) int { return int(s.packets[a].at) - int(s.packets[b].at) })
	s.used = 0
	for _, i := range order[:s.count()] {
		h := &s.packets[i]
		n := copy(s.bytes[s.used:], s.payload(*h))
		h.at = uint16(s.used)
		s.used += n
	}
}
