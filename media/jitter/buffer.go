// Package jitter puts a party's packets back into the order and the pace in
// which they were sent: they go in as the network brings them and come out as
// one frame of 20 ms at each tick.
//
// It is for codecs of which a byte is one tick of the 8 kHz RTP clock: G.711
// and G.722. Packets may hold any length of sound, 10 or 30 ms as well as 20;
// what comes out is always a frame. The buffer is pure: time is an argument,
// there is no goroutine, and after New nothing is allocated.
package jitter

import (
	"math/bits"
	"time"
)

// Kind says what a tick brings.
type Kind uint8

const (
	Empty   Kind = iota // nothing: the party has not begun, pauses or has stopped
	Play                // a frame
	Conceal             // a frame is lost or late: cover the gap
)

func (k Kind) String() string { return [...]string{"empty", "play", "conceal"}[k] }

const (
	coverFrames = 3         // longer gaps are silence: more of a concealed sound is worse than none
	farTicks    = clockRate // a timestamp this far off, 1 s, is that of another stream
	largest     = 6 * frame // bytes of a packet, 120 ms
)

// Stats counts packets and frames since New or Reset.
type Stats struct {
	Played, Concealed uint64 // frames
	Late, Duplicate   uint64 // packets that came after their turn, or again
	Strange           uint64 // packets that fit nowhere
	Skipped           uint64 // clock ticks left out to keep the delay within Max
}

// phase is what the buffer is doing.
type phase uint8

const (
	fresh   phase = iota // nothing has come
	dry                  // nothing is left: the party pauses, or has stopped
	filling              // the first packets wait for their turn
	playing              // a frame each tick
)

// Buffer holds one party's packets. Owned by the leg.
type Buffer struct {
	delay, max uint32 // in clock ticks
	wait       time.Duration

	// The ring: the byte for clock tick ts stands at ts&mask.
	data []byte
	have []byte // 1: the byte has come
	mask uint32

	phase   phase
	start   time.Time // filling: when the first frame is due
	cursor  uint32    // clock tick of the next frame
	end     uint32    // clock tick behind the newest byte
	missed  int       // frames in a row that were not there
	seq     uint16    // of the newest packet
	suspect suspect
	stats   Stats

	out [frame]byte
}

// suspect is a packet that does not fit to what came before. Two of them in a
// row are a sender that has begun anew; one is a stray.
type suspect struct {
	is  bool
	seq uint16
	ts  uint32
}

// New makes a buffer; c must be valid.
func New(c Config) *Buffer {
	b := &Buffer{delay: ticks(c.Delay), max: ticks(c.Max), wait: c.Delay}
	size := uint32(1) << bits.Len32(max(b.max, b.delay+uint32(largest)))
	b.data, b.have, b.mask = make([]byte, size), make([]byte, size), size-1
	return b
}

// Reset forgets everything: another stream begins.
func (b *Buffer) Reset() {
	b.stats = Stats{}
	b.drain(fresh)
}

// Stats gives the counts so far.
func (b *Buffer) Stats() Stats { return b.stats }

// Depth is how much sound is held.
func (b *Buffer) Depth() time.Duration {
	if b.phase < filling {
		return 0
	}
	return time.Duration(max(0, int32(b.end-b.cursor))) * time.Second / clockRate
}

// drain lets go of all that is held.
func (b *Buffer) drain(next phase) {
	clear(b.have)
	b.phase, b.missed = next, 0
}
