package engine

import (
	"time"

	"liandong/media/codec"
	"liandong/media/mixer"
)

const (
	talkWindow = 100 * time.Millisecond // mixer.Meter's; a relay that is left alone makes it 120 ms
	talkStride = 8                      // of so many samples of G.711 one is looked at
)

// loudness follows how loud a leg's party is, from its packets as they come. Owned by the leg.
type loudness struct {
	squares uint64 // of this window
	samples uint32
	phase   uint32    // of the next packet, so that no tone hides between the samples
	due     time.Time // the end of the window
	meter   mixer.Meter
}

// squares has the square of what each byte of G.711 stands for.
var squares = [...][256]uint32{codec.PCMA: squaresOf(codec.PCMA), codec.PCMU: squaresOf(codec.PCMU)}

func squaresOf(id codec.ID) (table [256]uint32) {
	for i := range table {
		var x [1]int16
		codec.Decode(id, x[:], []byte{byte(i)})
		table[i] = uint32(int32(x[0]) * int32(x[0]))
	}
	return table
}

// packet takes a payload of G.711.
func (l *loudness) packet(id codec.ID, payload []byte) {
	table, sum, n := &squares[id], uint64(0), uint32(0)
	for i := int(l.phase); i < len(payload); i += talkStride {
		sum += uint64(table[payload[i]])
		n++
	}
	l.squares += sum
	l.samples += n
	l.phase = (l.phase + 3) % talkStride
}

// frame takes samples of a party whose packets do not tell.
func (l *loudness) frame(samples []int16) {
	for i := 0; i < len(samples); i += talkStride {
		l.squares += uint64(int32(samples[i]) * int32(samples[i]))
		l.samples++
	}
}

// tick closes the window when its time is over; true: the party began or ceased to talk.
func (l *loudness) tick(now time.Time) bool {
	if now.Before(l.due) {
		return false
	}
	changed := l.meter.Window(l.squares, int(l.samples))
	l.squares, l.samples, l.due = 0, 0, now.Add(talkWindow)
	return changed
}

// talking reports that the party has begun or ceased to talk.
func (l *leg) talking(now time.Time) {
	if l.loudness.tick(now) {
		l.room.emit(Talking{Leg: l.id, On: l.loudness.meter.Talks(), Level: l.loudness.meter.Level()})
	}
}
