// Package jitter puts a party's packets back into the order and the pace in
// which they were sent: they go in as the network brings them, and at each tick
// it is told what is to be heard next.
//
// It holds packets, not sound: any codec, any clock rate, any length up to
// 120 ms. How long they wait follows the jitter that is measured. Silence that
// the sender left out, by timestamps that go on without packets, is told from
// loss, and takes up what the delay is off; while the party speaks, Excess says
// how much should be cut out or put in.
//
// Sound is asked for a tick at a time, so a packet is there for a tick or it is
// not: when between two ticks it came does not matter, and packets wait whole
// ticks. A sound that begins in the middle of a tick's frame would have to wait
// for that tick's beginning all the same, so play-out is brought to where packets
// begin with the frames: no delay is as short for its safety.
//
// The buffer is pure: time is an argument, there is no goroutine, and nothing is
// allocated but for more or longer packets at once than there were before.
package jitter

import (
	"time"

	"liandong/media/codec"
)

// Packet is what the buffer needs to know of an RTP packet.
type Packet struct {
	Codec   codec.ID // 0: comfort noise, RFC 3389
	Seq     uint16
	TS      uint32
	Span    uint32 // how long its sound is, in clock ticks; 0 for comfort noise
	Payload []byte // copied by Push
}

// Kind says what is to be heard.
type Kind uint8

const (
	Empty   Kind = iota // nothing: the party has not begun, pauses or has stopped
	Play                // a packet
	Conceal             // sound is lost or late: cover the gap
	Noise               // the party pauses and says how its background sounds
)

func (k Kind) String() string { return [...]string{"empty", "play", "conceal", "noise"}[k] }

// Sound is what is to be heard next.
type Sound struct {
	Kind   Kind
	Span   uint32 // clock ticks that it takes
	Broken bool   // Play: it does not go on where the sound before it ended
	Brief  bool   // Conceal: the party leaves out its pauses, and this is one most likely
	Skip   uint32 // Play: so many ticks at the packet's beginning have passed and are not in Span

	Codec   codec.ID // Play
	Payload []byte   // Play: the packet. Noise: a new description, else nil. Good until the next Push
}

// Stats counts packets since New or Reset.
type Stats struct {
	Played    uint64
	Late      uint64 // came after their turn
	Duplicate uint64 // came again
	Lost      uint64 // had not come when it was their turn
	Strange   uint64 // fit nowhere
	Skipped   uint64 // left out to keep the delay within Max

	Delay     time.Duration // of what was played last, from the tick before its packet came: it is up to a tick less
	MeanDelay time.Duration // over all ticks in which something was
}

const longest = 120 * time.Millisecond // a packet

// limits are the rules of this package and of a Config, in ticks of the RTP clock.
type limits struct {
	longest  int32 // a packet
	far      int32 // a timestamp this far off is that of another stream
	covered  int32 // a longer gap is silence: more of a concealed sound is worse than none
	uneven   int32 // timestamps of packets in a row may be so inexact
	slight   int32 // play-out may be so much off
	dust     int32 // and so much more than it need be: less cannot be cut out
	gross    int32 // so much above or below is not watched for long
	tick     int32
	finest   int32 // grid
	start    int32 // target until the jitter is known
	min, max int32 // target
	most     int32 // delay
}

func (b *Buffer) limit(c Config) limits {
	const ms = time.Millisecond
	return limits{
		longest: b.ticks(longest), far: b.ticks(time.Second), covered: b.ticks(60 * ms), uneven: b.ticks(5 * ms),
		slight: b.ticks(ms / 2), dust: b.ticks(2 * ms), gross: b.ticks(40 * ms),
		tick: b.ticks(tick), finest: b.ticks(tick / 8), start: b.ticks(tick),
		min: b.ticks(c.Min - tick), max: b.ticks(c.Max - tick), most: b.ticks(c.Max),
	}
}

// phase is what the buffer is doing.
type phase uint8

const (
	fresh   phase = iota // nothing has come
	pausing              // the next packet is not due, or there is none
	playing
)

// Buffer holds one party's packets. Owned by the leg.
type Buffer struct {
	cfg    Config
	rate   uint32    // of the RTP clock, in Hz
	limits limits    // at that rate
	epoch  time.Time // when our clock showed 0
	tick   uint32    // the last one, by our clock
	began  bool      // there was one
	target int32     // delay to be held, from the tick for which a packet came
	grid   int32     // packets begin at multiples of this within the frames
	shift  uint32    // added to the sender's timestamps, which have jumped

	// What came. Of the newest packet:
	seq     uint16
	ts, end uint32
	arrived uint32 // by our clock
	seen    uint64 // bit n: the packet n before the newest has come
	suspect suspect

	// What goes out.
	phase  phase
	noise  bool   // pausing: the party told how its background sounds
	cursor uint32 // timestamp of what is next
	last   uint16 // sequence number of what was before
	broken bool   // something was left out before the cursor
	gap    uint32 // ticks concealed in a row
	owed   uint32 // and how many of them in the hope that the packet at the cursor still comes
	streak streak
	habit  habit

	stats  Stats
	delay  int32 // at the last Excess,
	delays int64 // the sum of all,
	ticked int64 // and their number

	store store
	pace  pace // last: what it has written down is seldom looked at
}

// suspect is a packet that does not fit to what came before. Two of them in a
// row are a sender that has begun anew; one is a stray.
type suspect struct {
	is  bool
	seq uint16
	ts  uint32
}

// New makes a buffer for a clock of 8 kHz; c must be valid.
func New(c Config) *Buffer {
	b := &Buffer{cfg: c, store: newStore(c.Max + longest)}
	b.Reset(8000)
	return b
}

// Reset forgets everything: another stream begins, whose RTP clock runs at rate Hz.
func (b *Buffer) Reset(rate int) {
	*b = Buffer{cfg: b.cfg, rate: uint32(rate), store: b.store}
	b.limits = b.limit(b.cfg)
	b.store.clear()
	b.pace.length, b.grid = b.ticks(span), b.limits.tick
	b.aim()
}

// Stats gives the counts so far.
func (b *Buffer) Stats() Stats {
	s := b.stats
	if b.ticked > 0 {
		s.Delay, s.MeanDelay = b.time(int64(b.delay))+tick, b.time(b.delays/b.ticked)+tick
	}
	return s
}

// Target is how long the fastest packet's sound is to wait from the tick before its arrival to its turn, when the
// packets are of 20 ms.
func (b *Buffer) Target() time.Duration { return b.time(int64(b.target)) + tick }

// ticks brings a time to clock ticks.
func (b *Buffer) ticks(d time.Duration) int32 {
	return int32(d / time.Microsecond * time.Duration(b.rate) / 1_000_000)
}

func (b *Buffer) time(ticks int64) time.Duration {
	return time.Duration(ticks) * time.Second / time.Duration(b.rate)
}

// clock is the moment by our clock, which runs at the rate of the RTP clock.
func (b *Buffer) clock(now time.Time) uint32 {
	return uint32(now.Sub(b.epoch) / time.Microsecond * time.Duration(b.rate) / 1_000_000)
}

// arrival is the tick for which a packet has come that came at a moment by our clock.
func (b *Buffer) arrival(clock uint32) uint32 {
	if !b.began {
		return clock
	}
	ticks := (int32(clock-b.tick) + b.limits.tick - 1) / b.limits.tick
	return b.tick + uint32(max(1, ticks)*b.limits.tick)
}

// mark notes a tick. The packets that came before the first one came for it.
func (b *Buffer) mark(now time.Time) {
	if b.epoch.IsZero() {
		b.epoch = now
	}
	b.tick = b.clock(now)
	if !b.began && b.phase != fresh {
		b.pace.origin += b.tick - b.arrived
		b.arrived = b.tick
	}
	b.began = true
}

// aim sets the target: enough for the slowest packet to be there at the tick in which it is needed.
func (b *Buffer) aim() {
	b.target = b.pace.spread + b.limits.tick - b.grid
	if b.pace.young() {
		b.target = max(b.target, b.limits.start)
	}
	b.target = max(b.limits.min, min(b.limits.max, b.target))
}

// wait is how long the sound of a timestamp has waited, or would have, that is played at a moment by our clock.
func (b *Buffer) wait(ts, clock uint32) int32 { return int32(clock - ts - b.pace.fastest()) }

// aside is by how much what begins at a moment is off the grid.
func (b *Buffer) aside(clock uint32) int32 {
	off := int32(clock-b.tick) % b.grid
	if off <= 1 || off >= b.grid-1 { // times are rounded
		return 0
	}
	return off
}
