package record

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"liandong/media/codec"
)

const (
	ringBytes  = 64 << 10 // of packets on their way to the writer: more than two seconds of three parties
	slotHeader = 16
	maxPayload = 1500 // more fits into no packet
)

// packet is what a party sent, as it stands in the ring.
type packet struct {
	channel int
	codec   codec.ID
	ts      uint32        // RTP timestamp
	at      time.Duration // when it came, since the recording began
	payload []byte
}

// ring takes packets from one goroutine to another without a lock. A packet that does not
// fit is refused. The counters only grow; each is written by one side.
type ring struct {
	buf  [ringBytes]byte
	head atomic.Uint64 // bytes put; written by put's goroutine
	_    [56]byte      // the two sides share no cache line
	tail atomic.Uint64 // bytes taken; written by take's goroutine
}

// put copies a packet into the ring; false: there is no room.
func (r *ring) put(p packet) bool {
	head, size := r.head.Load(), uint64(slotHeader+len(p.payload))
	if head+size-r.tail.Load() > ringBytes {
		return false
	}
	var h [slotHeader]byte
	binary.LittleEndian.PutUint16(h[0:], uint16(len(p.payload)))
	h[2], h[3] = byte(p.channel), byte(p.codec)
	binary.LittleEndian.PutUint32(h[4:], p.ts)
	binary.LittleEndian.PutUint64(h[8:], uint64(p.at))
	r.copyIn(head, h[:])
	r.copyIn(head+slotHeader, p.payload)
	r.head.Store(head + size)
	return true
}

// take gives the oldest packet, its payload in scratch.
func (r *ring) take(scratch *[maxPayload]byte) (packet, bool) {
	tail := r.tail.Load()
	if tail == r.head.Load() {
		return packet{}, false
	}
	var h [slotHeader]byte
	r.copyOut(h[:], tail)
	p := packet{
		channel: int(h[2]), codec: codec.ID(h[3]), ts: binary.LittleEndian.Uint32(h[4:]),
		at:      time.Duration(binary.LittleEndian.Uint64(h[8:])),
		payload: scratch[:binary.LittleEndian.Uint16(h[0:])],
	}
	r.copyOut(p.payload, tail+slotHeader)
	r.tail.Store(tail + slotHeader + uint64(len(p.payload)))
	return p, true
}

func (r *ring) copyIn(at uint64, b []byte) {
	n := copy(r.buf[at%ringBytes:], b)
	copy(r.buf[:], b[n:])
}

func (r *ring) copyOut(b []byte, at uint64) {
	n := copy(b, r.buf[at%ringBytes:])
	copy(b[n:], r.buf[:])
}
