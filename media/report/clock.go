package report

import (
	"time"

	"liandong/media/codec"
)

const frameTime = 20 * time.Millisecond

// Clock is the RTP clock of a stream in kHz: 8 for G.711 and, by an old mistake, for G.722 (RFC 3551
// §4.5.2), 48 for Opus (RFC 7587 §4.1).
type Clock uint32

// Ticks are how often it counts in a time.
func (c Clock) Ticks(d time.Duration) uint32 {
	return uint32(int64(d/time.Microsecond) * int64(c) / 1000)
}

// Duration is how long so many ticks take.
func (c Clock) Duration(ticks uint32) time.Duration {
	return time.Duration(ticks) * time.Millisecond / time.Duration(c)
}

// Frame is the ticks of a frame of 20 ms.
func (c Clock) Frame() uint32 { return uint32(c) * uint32(frameTime/time.Millisecond) }

// clocks are those of the codecs, for each packet that comes.
var clocks = func() (all [codec.Opus + 1]Clock) {
	for id := range all {
		all[id] = Clock(codec.ID(id).ClockRate() / 1000)
	}
	return all
}()

// ClockOf is the clock of a codec.
func ClockOf(id codec.ID) Clock { return clocks[id] }
