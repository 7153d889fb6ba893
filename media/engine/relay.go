package engine

import (
	"time"

	"github.com/pion/rtp"
)

const (
	leadLimit   = 4  // frames: a burst is passed on so far ahead of real time
	lagLimit    = 20 // frames: a source so far behind has started anew
	gapLimit    = 50 // lost packets that are passed on as lost; more is a new stream
	trendLength = 10 // packets over which lead is watched
)

// rewriter puts a relayed source's packets into the numbering of the stream that
// their hearer gets. Loss and reordering are passed on as they are; a lasting
// lead or lag, from a burst or from drifting clocks, is taken out a frame at a
// time. Owned by the hearing leg.
type rewriter struct {
	live  bool // false: another source of sound came between
	ssrc  uint32
	first uint16 // of the source's packets since the last sync
	seq   uint16 // added to the source's
	ts    uint32 // added to the source's

	trend int   // packets watched
	top   int32 // largest lead among them
}

// place gives a source's packet its number and timestamp. ok is false when the
// packet has no place any more and must be dropped.
func (r *rewriter) place(o *outgoing, h *rtp.Header, span uint32, now time.Time) (seq uint16, ts uint32, ok bool) {
	if !r.live || r.ssrc != h.SSRC {
		return r.sync(o, h, now)
	}
	seq, ts = h.SequenceNumber+r.seq, h.Timestamp+r.ts
	step := int16(seq - o.seq)
	if step > gapLimit || step < -gapLimit {
		return r.sync(o, h, now)
	}
	if step < 0 {
		return seq, ts, !newer(r.first, h.SequenceNumber)
	}
	if h.SequenceNumber-r.first > 2*gapLimit {
		r.first = h.SequenceNumber - gapLimit // so that it is never half a cycle away
	}
	lead, frame := o.lead(ts, now), int32(o.clock.Frame())
	if lead > leadLimit*frame || lead < -lagLimit*frame || int32(ts-o.last) <= 0 {
		return r.sync(o, h, now)
	}
	if r.steady(h, lead, span, uint32(frame)) {
		return seq, ts, true
	}
	return 0, 0, false
}

// sync continues the hearer's stream with this packet.
func (r *rewriter) sync(o *outgoing, h *rtp.Header, now time.Time) (uint16, uint32, bool) {
	r.live = false
	if o.span != 0 && o.lead(o.last+o.span, now) > leadLimit*int32(o.clock.Frame()) {
		return 0, 0, false
	}
	ts, _ := o.due(now)
	*r = rewriter{live: true, ssrc: h.SSRC, first: h.SequenceNumber, seq: o.seq - h.SequenceNumber,
		ts: ts - h.Timestamp}
	r.restart()
	return o.seq, ts, true
}

// steady watches the lead and moves the stream by a frame when it lasts: the
// earliest of ten packets shows what is not jitter. It is false when the packet is
// the frame to leave out.
func (r *rewriter) steady(h *rtp.Header, lead int32, span, frame uint32) bool {
	r.trend++
	r.top = max(r.top, lead)
	if r.trend < trendLength {
		return true
	}
	top := r.top
	r.restart()
	switch {
	case top > int32(max(span, frame)):
		r.ts -= span
		r.seq--
		r.first = h.SequenceNumber + 1
		return false
	case top < -int32(frame):
		r.ts += frame
	}
	return true
}

func (r *rewriter) restart() {
	r.trend, r.top = 0, -1<<31
}
