package engine

import (
	"math/rand/v2"
	"time"

	"liandong/media/pcm"
)

const (
	frameTime    = pcm.FrameTime
	frameSamples = uint32(pcm.FrameSamples)
	sampleTime   = time.Second / pcm.Rate
)

// outgoing numbers the packets that one leg's party gets: one RTP stream for
// ever, whatever stands behind it. Its timestamps stay within a frame of a clock
// that runs with real time, so that no change of source adds up to delay.
// Owned by the leg.
type outgoing struct {
	ssrc uint32
	seq  uint16 // of the next packet
	last uint32 // timestamp of the newest frame sent
	span uint32 // and how many samples it had; 0: nothing was sent yet
	at   time.Time

	epoch time.Time // the clock showed base then
	base  uint32

	packets, octets uint32 // RFC 3550 §6.4.1
}

// newOutgoing starts from random numbers: RFC 3550 §5.1.
func newOutgoing() outgoing {
	return outgoing{ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), base: rand.Uint32()}
}

// clock is the timestamp of the moment now.
func (o *outgoing) clock(now time.Time) uint32 {
	return o.base + uint32(now.Sub(o.epoch)/sampleTime)
}

// lead says how many samples the timestamp is ahead of real time.
func (o *outgoing) lead(ts uint32, now time.Time) int32 {
	return int32(ts - o.clock(now))
}

// due is the timestamp of a frame sent now: right after the last one, or later
// by whole frames when nothing was sent for a while. Then gap is true, and the
// packet starts a talkspurt: RFC 3551 §4.1.
func (o *outgoing) due(now time.Time) (ts uint32, gap bool) {
	if o.span == 0 {
		o.epoch = now
		return o.base, true
	}
	ts = o.last + o.span
	behind := -o.lead(ts, now)
	if behind < int32(frameSamples) {
		return ts, false
	}
	return ts + uint32(behind) - uint32(behind)%frameSamples, true
}

// full says that the last frames reach so far ahead that another would be delay.
func (o *outgoing) full(now time.Time) bool {
	return o.span != 0 && o.lead(o.last+o.span, now) >= int32(frameSamples)
}

// frame counts a packet of audio. A packet older than the newest leaves the clock alone.
func (o *outgoing) frame(seq uint16, ts, span uint32, size int, now time.Time) {
	if newer(seq, o.seq-1) {
		o.seq, o.last, o.span = seq+1, ts, span
	}
	o.count(size, now)
}

// event counts a packet of a key, whose timestamp is that of the key's beginning.
func (o *outgoing) event(ts uint32, size int, now time.Time) {
	if o.span == 0 {
		o.last, o.span = ts, frameSamples
	}
	o.seq++
	o.count(size, now)
}

func (o *outgoing) count(size int, now time.Time) {
	o.at = now
	o.packets++
	o.octets += uint32(size)
}

// newer compares sequence numbers across their wrap: RFC 3550 §A.1.
func newer(a, b uint16) bool { return int16(a-b) > 0 }
