package jitter

import "time"

// Push takes a packet that came at now. The payload is copied.
func (b *Buffer) Push(now time.Time, seq uint16, ts uint32, payload []byte) {
	switch {
	case len(payload) == 0 || len(payload) > largest:
		b.stats.Strange++
		return
	case b.phase == fresh:
		b.begin(now, seq, ts)
	case !b.strange(seq, ts):
		if b.phase == dry {
			b.begin(now, seq, ts)
		}
	case b.anew(seq, ts):
		b.drain(fresh)
		b.begin(now, seq, ts)
	default:
		b.stats.Strange++
		return
	}
	b.suspect.is = false
	if int16(seq-b.seq) > 0 {
		b.seq = seq
	}
	b.store(ts, payload)
}

// begin lets a stream start with this packet.
func (b *Buffer) begin(now time.Time, seq uint16, ts uint32) {
	b.phase, b.start = filling, now.Add(b.wait)
	b.cursor, b.end, b.seq = ts, ts, seq
}

// strange says that a packet is not of the stream that plays: its timestamp is
// far off, or it is an old one when all that came has been played.
func (b *Buffer) strange(seq uint16, ts uint32) bool {
	if off := int32(ts - b.end); off > farTicks || off < -farTicks {
		return true
	}
	return b.phase == dry && int16(seq-b.seq) <= 0
}

// anew says whether a strange packet begins a stream: it follows the newest
// packet or another strange one. A sender may jump in time without a new SSRC.
func (b *Buffer) anew(seq uint16, ts uint32) bool {
	if seq == b.seq+1 {
		return true
	}
	before := b.suspect
	b.suspect = suspect{is: true, seq: seq, ts: ts}
	return before.is && seq == before.seq+1 && ts-before.ts <= farTicks
}

// store puts the bytes whose turn has not passed into the ring.
func (b *Buffer) store(ts uint32, payload []byte) {
	size := uint32(len(payload))
	if b.phase == filling && int32(ts-b.cursor) < 0 && b.end-ts <= b.max {
		b.cursor = ts // overtaken by the packet that began
	}
	b.bound(ts+size, size)
	if passed := int32(b.cursor - ts); passed >= int32(size) {
		b.stats.Late++
		return
	} else if passed > 0 {
		ts, payload = b.cursor, payload[passed:]
	}
	if int32(ts+uint32(len(payload))-b.end) > 0 {
		b.end = ts + uint32(len(payload))
	}
	if !b.fill(ts, payload) {
		b.stats.Duplicate++
	}
}

// bound moves the cursor on when more would be held than is allowed: Max, or a
// packet on top of the delay. The ring has room for so much.
func (b *Buffer) bound(end, size uint32) {
	if int32(end-b.cursor) <= int32(max(b.max, b.delay+size)) {
		return
	}
	cursor := end - max(b.delay, size)
	b.stats.Skipped += uint64(cursor - b.cursor)
	b.forget(min(cursor-b.cursor, uint32(len(b.have))))
	b.cursor = cursor
}

// forget empties the ring from the cursor on.
func (b *Buffer) forget(n uint32) {
	for i := range n {
		b.have[(b.cursor+i)&b.mask] = 0
	}
}

// fill says whether any of the bytes had not come before.
func (b *Buffer) fill(ts uint32, payload []byte) (fresh bool) {
	for i, x := range payload {
		at := (ts + uint32(i)) & b.mask
		fresh = fresh || b.have[at] == 0
		b.data[at], b.have[at] = x, 1
	}
	return fresh
}
