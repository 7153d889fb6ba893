package engine

import (
	"math/rand/v2"
	"time"

	"liandong/media/pcm"
	"liandong/media/report"
)

const (
	frameTime    = pcm.FrameTime
	frameSamples = uint32(pcm.FrameSamples)
	wideSamples  = pcm.FrameSamples * pcm.WideRate / pcm.Rate
)

// outgoing numbers the packets that one leg's party gets: one RTP stream for
// ever, whatever stands behind it. Its timestamps stay within a frame of a clock
// that runs with real time, so that no change of source adds up to delay.
// Owned by the leg.
type outgoing struct {
	ssrc  uint32
	seq   uint16 // of the next packet
	clock report.Clock
	last  uint32 // timestamp of the newest sound
	span  uint32 // and for how many ticks it lasts; 0: there was none yet
	at    time.Time

	epoch time.Time // the clock showed base then
	base  uint32

	packets, octets uint32 // RFC 3550 §6.4.1
}

// newOutgoing starts from random numbers: RFC 3550 §5.1. RFC 3711 §3.3.1: the first sequence
// number is below 2^15, so that who misses the first packets cannot miscount the wraps.
func newOutgoing() outgoing {
	return outgoing{ssrc: rand.Uint32(), seq: uint16(rand.Uint32N(1 << 15)), clock: 8, base: rand.Uint32()}
}

// retime goes on by another clock. RFC 7160 §4.1 would rather have a new SSRC, but phones that
// get one in the middle of a call may fall silent; so it stays the one stream, and from where
// its timestamps are they go on as fast as the new clock does, the monotonic way of §3.2.1.
func (o *outgoing) retime(c report.Clock, now time.Time) {
	if c == o.clock {
		return
	}
	if o.span != 0 {
		next := o.last + o.span
		lead := int64(o.lead(next, now))
		o.base, o.epoch = next, now.Add(time.Duration(lead)*time.Millisecond/time.Duration(o.clock))
		o.last, o.span = next-c.Frame(), c.Frame()
	}
	o.clock = c
}

// show is the timestamp of the moment now.
func (o *outgoing) show(now time.Time) uint32 { return o.base + o.clock.Ticks(now.Sub(o.epoch)) }

// lead says how many ticks the timestamp is ahead of real time.
func (o *outgoing) lead(ts uint32, now time.Time) int32 {
	return int32(ts - o.show(now))
}

// due is the timestamp of a frame made now: right after the last one, or later
// by whole frames when there was nothing for a while. Then gap is true, and the
// packet starts a talkspurt: RFC 3551 §4.1.
func (o *outgoing) due(now time.Time) (ts uint32, gap bool) {
	if o.span == 0 {
		o.epoch = now
		return o.base, true
	}
	ts = o.last + o.span
	behind, frame := -o.lead(ts, now), o.clock.Frame()
	if behind < int32(frame) {
		return ts, false
	}
	return ts + uint32(behind) - uint32(behind)%frame, true
}

// spurt says that a packet follows the newest one in number and not in time: it begins a
// talkspurt, RFC 3551 §4.1.
func (o *outgoing) spurt(seq uint16, ts uint32) bool {
	return o.span == 0 || seq == o.seq && ts != o.last+o.span
}

// full says that the last sound reaches so far ahead that another frame would be delay.
func (o *outgoing) full(now time.Time) bool {
	return o.span != 0 && o.lead(o.last+o.span, now) >= int32(o.clock.Frame())
}

// sound notes the newest sound of the stream; its packet may come later.
func (o *outgoing) sound(ts, span uint32, now time.Time) { o.last, o.span, o.at = ts, span, now }

// packet counts a packet of audio. One older than the newest leaves the clock alone.
func (o *outgoing) packet(seq uint16, ts, span uint32, size int, now time.Time) {
	if newer(seq, o.seq-1) {
		o.seq, o.last, o.span = seq+1, ts, span
	}
	o.at = now
	o.count(size)
}

// event counts a packet of a key, whose timestamp is that of the key's beginning.
func (o *outgoing) event(ts uint32, size int, now time.Time) {
	if o.span == 0 {
		o.last, o.span = ts, o.clock.Frame()
	}
	o.seq++
	o.at = now
	o.count(size)
}

func (o *outgoing) count(size int) {
	o.packets++
	o.octets += uint32(size)
}

// newer compares sequence numbers across their wrap: RFC 3550 §A.1.
func newer(a, b uint16) bool { return int16(a-b) > 0 }
