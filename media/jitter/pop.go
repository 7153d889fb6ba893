package jitter

import "time"

// Pop says what is to be heard from the moment at on, in a frame that has room for
// want ticks more. It is called until the frame is full; a packet may be longer.
// at must not go back.
func (b *Buffer) Pop(at time.Time, want uint32) Sound {
	clock := b.clock(at)
	b.hurry(clock)
	b.shed()
	if b.store.count() == 0 {
		return b.starve(want)
	}
	if b.phase == playing {
		if n := b.bridge(want); n > 0 {
			return Sound{Kind: Conceal, Span: n}
		}
	}
	if first := b.store.first().ts; b.phase == pausing {
		if aside := b.aside(clock); aside > 0 {
			return b.silence(min(want, uint32(b.grid-aside)))
		}
		if b.wait(first, clock) < b.target-b.limits.slight {
			return b.silence(min(want, uint32(b.grid)))
		}
		b.phase = playing
		gap := max(0, int32(first-b.cursor))
		b.habit.learn(gap, int16(b.store.first().seq-b.last-1))
		b.cursor += uint32(gap)
	}
	return b.play()
}

// shed drops packets of which all has been played from others: they overlap.
func (b *Buffer) shed() {
	for b.store.count() > 0 && b.passed(b.store.first().ts, b.store.first().span) {
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
			b.habit.wondering = true
			return Sound{Kind: Conceal, Span: n, Brief: b.habit.pauses()}
		}
		b.pause()
	}
	return b.silence(want)
}

// habit is what the last times were when nothing came: pauses that the party has left out, or something else.
type habit struct {
	wondering bool // nothing has come, and it is not known why
	count     int8 // up with each pause, down with each packet that was late or lost
}

// learn is told what came then.
func (h *habit) learn(gap int32, missing int16) {
	if !h.wondering {
		return
	}
	h.wondering = false
	if gap > 0 && missing == 0 {
		h.count = min(h.count+1, 4)
	} else {
		h.count = max(h.count-1, 0)
	}
}

// pauses says that what does not come now is a pause most likely.
func (h *habit) pauses() bool { return h.count >= 2 }

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
	b.habit.learn(gap, missing)
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
	s := Sound{Span: h.span - skip, Skip: skip, Broken: b.broken || missing != 0, Codec: h.codec,
		Payload: b.store.payload(h)}
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
	if b.store.count() == 0 {
		return
	}
	from := b.cursor
	if b.phase != playing {
		from = b.store.first().ts
	}
	if b.wait(from, clock) <= b.limits.most {
		return
	}
	for b.store.count() > 1 && b.wait(b.store.first().end(), clock) >= b.target {
		b.leaveOut()
	}
}

// Ready says that Pop would give a packet, whose sound goes on with that before it.
func (b *Buffer) Ready() bool {
	return b.phase == playing && b.store.count() > 0 && int32(b.store.first().ts-b.cursor) <= 0
}

// Excess is called once in a tick, at its beginning and before Pop. at is when the sound will be heard that is asked
// for next. It gives the most clock ticks that should be cut out of the sound that is played from then on, because
// it waits longer than it need, or when negative be put in, because packets would miss their tick; 0 when it is
// well enough or not off for long. What is changed may be less.
func (b *Buffer) Excess(now, at time.Time) int32 {
	b.mark(now)
	if b.phase != playing || b.store.count() == 0 {
		return 0
	}
	clock := b.clock(at)
	b.hurry(clock)
	b.delay = b.wait(b.cursor, clock)
	b.delays, b.ticked = b.delays+int64(b.delay), b.ticked+1
	aside := b.aside(clock)
	off := b.off(b.delay, aside)
	if off == 0 {
		b.streak.calls = 0
		return 0
	}
	if least, patience := b.streak.count(off), b.patience(off, aside); b.streak.calls >= patience {
		b.streak.calls = max(0, patience-retry)
		if off < 0 {
			return -least
		}
		return least
	}
	return 0
}

// off is by how much what waits for so long should be less late. What lies aside of the grid waits longer and is not
// safer for it, so it goes down to the grid, and from there by whole steps.
func (b *Buffer) off(delay, aside int32) int32 {
	spare := delay - aside - b.target + b.limits.slight
	switch steps := spare / b.grid; {
	case spare < 0:
		return aside - (1-steps)*b.grid
	case steps == 0 && aside <= b.limits.dust:
		return 0
	default:
		return aside + steps*b.grid
	}
}

// retry: in so many calls another try is made.
const retry = 5

// patience is how many calls in a row must find the play-out off before something is changed. A packet that was late
// has made the delay longer, and others may follow it; what is half done is done, and who is too early is heard.
func (b *Buffer) patience(off, aside int32) int {
	switch {
	case off >= b.limits.gross || off <= -b.limits.gross:
		return 2
	case off > 0 && aside == 0:
		return 25
	}
	return retry
}

// streak is in how many calls in a row the play-out was off to one side.
type streak struct {
	late  bool
	calls int
	least int32
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
