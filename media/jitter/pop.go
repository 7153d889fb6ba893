package jitter

import "time"

// Pop gives the frame of this tick. It is called each 20 ms; now must not go
// back. The payload, 160 bytes, is there with Play only and good until the next call.
func (b *Buffer) Pop(now time.Time) (payload []byte, kind Kind) {
	if b.phase == filling && !now.Before(b.start) {
		b.phase = playing
	}
	switch {
	case b.phase != playing:
		return nil, Empty
	case b.take():
		b.missed = 0
		b.stats.Played++
		return b.out[:], Play
	}
	return nil, b.miss()
}

// take copies the next frame out of the ring. It is false when a byte is missing.
func (b *Buffer) take() (whole bool) {
	whole = true
	for i := range uint32(frame) {
		at := (b.cursor + i) & b.mask
		b.out[i] = b.data[at]
		whole = whole && b.have[at] == 1
		b.have[at] = 0
	}
	b.cursor += uint32(frame)
	return whole
}

// miss counts a frame that was not there. Of a long gap only the beginning is
// covered; when nothing has come behind it, the next packet begins with a fresh
// delay, so that a network that has become slower does not make all of them late.
func (b *Buffer) miss() Kind {
	b.missed++
	kind := Conceal
	if b.missed > coverFrames {
		kind = Empty
	} else {
		b.stats.Concealed++
	}
	if b.missed >= coverFrames && int32(b.end-b.cursor) <= 0 {
		b.drain(dry)
	}
	return kind
}
