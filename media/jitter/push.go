package jitter

import "time"

// Push takes a packet that came at now.
func (b *Buffer) Push(now time.Time, p Packet) {
	if p.Span > uint32(b.limits.longest) || len(p.Payload) == 0 || len(p.Payload) > b.store.most/2 ||
		(p.Span == 0) != (p.Codec == 0) {
		b.stats.Strange++
		return
	}
	if b.epoch.IsZero() {
		b.epoch = now
	}
	clock := b.arrival(b.clock(now))
	p.TS += b.shift
	if b.jumps(p, clock) {
		p.TS = b.rejoin(p.TS, clock)
	}
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
	return b.doubt(p, near)
}

// hasty is by how much a packet may come sooner after another than its timestamp says: what has come faster than the
// fastest of the last seconds by more was not sent then.
const hasty = 30 * time.Millisecond

// jumps says that a packet comes right behind the newest one by its number, and by its timestamp does not: the
// sender's clock was set.
func (b *Buffer) jumps(p Packet, clock uint32) bool {
	if b.phase == fresh || p.Seq != b.seq+1 || p.TS == b.end {
		return false
	}
	move := int32(p.TS - b.ts)
	above := b.pace.above(clock - p.TS)
	return move <= 0 || above < -b.ticks(hasty) || move > b.limits.far && above > b.limits.far
}

// rejoin sets the sender's clock back to where it was, or on by as long as it has paused, and gives the packet's
// timestamp.
func (b *Buffer) rejoin(ts, clock uint32) uint32 {
	to := b.end
	if gap := int32(clock-b.arrived) - int32(b.end-b.ts); gap > b.limits.covered {
		to += uint32(gap)
	}
	b.shift += to - ts
	return to
}

// doubt says whether a packet that does not fit begins a stream: it follows another one in
// doubt. A sender may begin anew without a new SSRC.
func (b *Buffer) doubt(p Packet, near int32) verdict {
	before := b.suspect
	b.suspect = suspect{is: true, seq: p.Seq, ts: p.TS}
	if before.is && p.Seq == before.seq+1 && p.TS-before.ts <= uint32(near) {
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
	if b.phase == pausing && b.store.count() == 0 && !late {
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
	if grid := max(b.limits.finest, common(b.limits.tick, int32(p.Span))); p.Span > 0 && grid != b.grid {
		b.grid = grid
		b.aim()
	}
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

// common is the greatest common divisor.
func common(a, b int32) int32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
