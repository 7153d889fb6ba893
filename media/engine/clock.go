package engine

import (
	"time"

	"liandong/media/codec"
)

// clock is the RTP clock of a stream in kHz: 8 for G.711 and, by an old mistake, for G.722 (RFC 3551
// §4.5.2), 48 for Opus (RFC 7587 §4.1).
type clock uint32

// ticks are how often it counts in a time.
func (c clock) ticks(d time.Duration) uint32 {
	return uint32(int64(d/time.Microsecond) * int64(c) / 1000)
}

// duration is how long so many ticks take.
func (c clock) duration(ticks uint32) time.Duration {
	return time.Duration(ticks) * time.Millisecond / time.Duration(c)
}

// frame is the ticks of a frame.
func (c clock) frame() uint32 { return uint32(c) * uint32(frameTime/time.Millisecond) }

// clocks are those of the codecs, for each packet that comes.
var clocks = func() (all [codec.Opus + 1]clock) {
	for id := range all {
		all[id] = clock(codec.ID(id).ClockRate() / 1000)
	}
	return all
}()

func clockOf(id codec.ID) clock { return clocks[id] }
