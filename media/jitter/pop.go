package jitter

import "time"

// Pop says what is to be heard from the moment at on, in a frame that has room for
// want ticks more. It is called until the frame is full; a packet may be longer.
// at must not go back.
func (b *Buffer) Pop(at time.Time, want uint32) Sound {
	clock := b.clock(at)
	b.hurry(clock)
	b.shed()
	if b.store.count == 0 {
		return b.starve(want)
	}
	if b.phase == playing {
		if n := b.bridge(want); n > 0 {
			return Sound{Kind: Conceal, Span: n}
		}
	}
	if first := b.store.first().ts; b.phase == pausing {
		if wait := b.due(first, clock); wait > 0 {
			return b.silence(min(want, uint32(wait)))
		}
		b.phase = playing
		b.cursor += uint32(max(0, int32(first-b.cursor)))
	}
	return b.play()
}

// shed drops packets of which all has been played from others: they overlap.
func (b *Buffer) shed() {
	for b.store.count > 0 && b.passed(b.store.first().ts, b.store.first().span) {
		b.stats.Late++
		b.last = b.store.take().seq
	}
}

// starve is when there is no packet: what is missing may still come, and is waited
// for. When it comes the delay has grown.
func (b *Buffer) starve(want uint32) Sound {
	if b.phase == playing {
		if n := b.cover(want); n > 0 {
			b.owed += n
			return Sound{Kind: Conceal, Span: n}
		}
		b.pause()
	}
	return b.silence(want)
}

// cover is how much of a gap may be concealed.
func (b *Buffer) cover(want uint32) uint32 {
	n := min(want, uint32(b.limits.covered)-b.gap)
	b.gap += n
	return n
}

func (b *Buffer) pause() {
	b.phase, b.gap, b.owed, b.streak = pausing, 0, 0, streak{}
}

func (b *Buffer) silence(n uint32) Sound {
	if b.noise {
		return Sound{Kind: Noise, Span: n}
	}
	return Sound{Span: n}
}

// bridge moves the cursor to the first packet and says how much of the gap before
// it is to be concealed now. What was concealed already, waiting for a packet that is
// lost after all, is part of the gap. When the sender was silent, or so much is lost
// that it is heard as silence, the buffer pauses: the length of silence is
// free and brings the delay to the target.
func (b *Buffer) bridge(want uint32) uint32 {
	first := b.store.first()
	gap, missing := int32(first.ts-b.cursor), int16(first.seq-b.last-1)
	if missing == 0 && within(gap, b.limits.uneven) {
		b.cursor, gap = first.ts, 0
	}
	if waited := min(gap, int32(b.owed)); waited > 0 {
		b.cursor += uint32(waited)
		gap -= waited
	}
	b.owed = 0
	if gap <= 0 {
		return 0
	}
	if missing > 0 {
		if n := b.cover(min(want, uint32(gap))); n > 0 {
			b.cursor += n
			return n
		}
	}
	b.pause()
	return 0
}

// play gives the first packet.
func (b *Buffer) play() Sound {
	h := b.store.take()
	missing := int16(h.seq - b.last - 1)
	if missing > 0 && missing < places {
		b.stats.Lost += uint64(missing)
	}
	skip := uint32(max(0, int32(b.cursor-h.ts)))
	s := Sound{Span: h.span - skip, Skip: skip, Broken: b.broken || missing != 0, Codec: h.codec, Payload: b.store.payload(h)}
	b.cursor, b.last, b.broken, b.gap = h.end(), h.seq, false, 0
	b.noise = h.codec == 0
	if b.noise {
		s.Kind = Noise
		b.pause()
		return s
	}
	s.Kind = Play
	b.stats.Played++
	return s
}

// hurry leaves out what could only be played with a delay of more than Max: after a
// stall or a burst the party is heard as it is now. The newest packet stays.
func (b *Buffer) hurry(clock uint32) {
	from := b.cursor
	if b.phase != playing {
		from = b.store.first().ts
	}
	if b.store.count == 0 || b.target-b.due(from, clock) <= b.limits.most {
		return
	}
	for b.store.count > 1 && b.due(b.store.first().end(), clock) <= 0 {
		b.leaveOut()
	}
	first := b.store.first()
	late := -b.due(first.ts, clock)
	if at := first.ts + uint32(late); late > 0 && late < int32(first.span) && int32(at-b.cursor) > 0 {
		b.cursor, b.broken = at, true
	}
}

const (
	patience = 5 // calls of Excess in a row that must find the play-out off
	hasty    = 2 // and when it is grossly off
)

// streak is in how many calls in a row the play-out was off to one side.
type streak struct {
	late  bool
	calls int
	least int32
}

// Ready says that Pop would give a packet, whose sound goes on with that before it.
func (b *Buffer) Ready() bool {
	return b.phase == playing && b.store.count > 0 && int32(b.store.first().ts-b.cursor) <= 0
}

// Excess is the most clock ticks that should be cut out of the sound that is played from
// the moment at on, because it is behind the target, or when negative be put in, because
// it is ahead; 0 when it is well enough or not off for long. What is changed may be less,
// and may miss the target by as much as is well enough. It is called once in a tick, before Pop.
func (b *Buffer) Excess(at time.Time) int32 {
	if b.phase != playing || b.store.count == 0 {
		return 0
	}
	clock := b.clock(at)
	b.hurry(clock)
	late := -b.due(b.cursor, clock)
	b.delay = b.target + late
	b.delays, b.ticked = b.delays+int64(b.delay), b.ticked+1
	if late <= b.limits.tooLate && late >= -b.limits.tooEarly {
		b.streak.calls = 0
		return 0
	}
	if least := b.streak.count(late); b.streak.calls >= patience || b.streak.calls >= hasty && least >= b.limits.gross {
		b.streak.calls = 0
		if late < 0 {
			return -least - b.limits.tooLate
		}
		return least + b.limits.tooEarly
	}
	return 0
}

// count adds a call and gives how much the play-out was off in each.
func (s *streak) count(late int32) int32 {
	off := max(late, -late)
	if s.calls == 0 || s.late != (late > 0) {
		*s = streak{late: late > 0, least: off}
	}
	s.calls++
	s.least = min(s.least, off)
	return s.least
}
