package jitter

import "time"

// Push takes a packet that came at now.
func (b *Buffer) Push(now time.Time, p Packet) {
	if p.Span > uint32(b.limits.longest) || len(p.Payload) == 0 || len(p.Payload) > len(b.store.bytes)/2 || (p.Span == 0) != (p.Codec == 0) {
		b.stats.Strange++
		return
	}
	if b.phase == fresh {
		b.epoch = now
	}
	clock := b.clock(now)
	switch b.judge(p, clock) {
	case stray:
		b.stats.Strange++
	case again:
		b.stats.Duplicate++
	case anew:
		b.restart(p, clock)
		b.admit(p, clock)
	case fits:
		b.admit(p, clock)
	}
}

// verdict says how a packet belongs to those before it.
type verdict uint8

const (
	fits verdict = iota
	again
	stray
	anew
)

// judge compares a packet with the newest one: sequence number and timestamp must
// have moved the same way, and the timestamp by little, or by as much as time has.
func (b *Buffer) judge(p Packet, clock uint32) verdict {
	if b.phase == fresh {
		return anew
	}
	step, move := int16(p.Seq-b.seq), int32(p.TS-b.ts)
	near := b.limits.far
	switch {
	case p.TS == b.end && (step > 0 || step < -places):
		return fits // the sound goes on exactly, whatever the sequence number
	case step == 0 && move == 0, step < 0 && step > -places && move < 0 && b.seen>>-step&1 == 1:
		return again
	case step > 0 && move > 0 && (move <= near || within(b.pace.above(clock-p.TS), near)):
		return fits
	case step < 0 && move < 0 && move >= -near:
		return fits
	}
	return b.doubt(p, step, near)
}

// doubt says whether a packet that does not fit begins a stream: it follows the
// newest packet or another one in doubt. A sender may jump in time without a new SSRC.
func (b *Buffer) doubt(p Packet, step int16, near int32) verdict {
	before := b.suspect
	b.suspect = suspect{is: true, seq: p.Seq, ts: p.TS}
	if step == 1 || before.is && p.Seq == before.seq+1 && p.TS-before.ts <= uint32(near) {
		return anew
	}
	return stray
}

// restart lets a stream begin with this packet. One that was reordered before it still has its place.
func (b *Buffer) restart(p Packet, clock uint32) {
	b.store.clear()
	b.pace.rebase(clock-p.TS, clock)
	b.pause()
	b.noise = false
	b.cursor = p.TS - uint32(b.limits.far)
	b.last = p.Seq - 1
	b.seq, b.ts, b.end, b.seen = p.Seq-1, p.TS-1, p.TS, 0
}

// admit takes a packet of the stream.
func (b *Buffer) admit(p Packet, clock uint32) {
	late := b.passed(p.TS, p.Span)
	if b.phase == pausing && b.store.count == 0 && !late {
		b.resume(p, clock)
	}
	if b.pace.note(clock-p.TS, clock) {
		b.aim()
	}
	b.number(p, clock)
	if late {
		b.stats.Late++
		return
	}
	for !b.store.room(len(p.Payload)) {
		b.leaveOut()
	}
	b.store.put(p)
}

// passed says that the turn of all of a packet is over.
func (b *Buffer) passed(ts, span uint32) bool {
	by := int32(b.cursor - ts)
	return by > 0 && by >= int32(span)
}

// resume looks at the first packet after a pause. When it is later than any delay could
// make good, the sender has stopped its clock or the network has become slower; after a
// long pause the clocks have drifted apart. Either way it is the one to measure by.
func (b *Buffer) resume(p Packet, clock uint32) {
	if b.pace.above(clock-p.TS) > b.limits.max || int32(clock-b.arrived) > window*b.pace.length {
		b.pace.rebase(clock-p.TS, clock)
	}
}

// number notes which packets have come.
func (b *Buffer) number(p Packet, clock uint32) {
	b.arrived, b.suspect.is = clock, false
	step := int16(p.Seq - b.seq)
	switch {
	case step > 0 && step < places:
		b.seen = b.seen<<step | 1
	case step >= places, p.TS == b.end:
		b.seen = 1
	case step > -places:
		b.seen |= 1 << -step
		return
	default:
		return
	}
	b.seq, b.ts, b.end = p.Seq, p.TS, p.TS+p.Span
}

// leaveOut drops the oldest packet.
func (b *Buffer) leaveOut() {
	h := b.store.take()
	b.stats.Skipped++
	b.broken = true
	b.last = h.seq
	if end := h.end(); int32(end-b.cursor) > 0 {
		b.cursor = end
	}
}

func within(x, limit int32) bool { return -limit <= x && x <= limit }
