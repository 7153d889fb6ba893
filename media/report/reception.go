package report

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"liandong/media/quality"
)

const (
	maxDropout = 3000 // RFC 3550 §A.1
	maxSpan    = 6    // frames; longer steps of the timestamp are pauses
)

// Reception keeps what a receiver report says about who sends: RFC 3550 §A.1, §A.3, §A.8. The zero value has received
// nothing.
type Reception struct {
	ssrc     uint32
	base     uint32 // extended sequence number of the first packet
	highest  uint32 // and of the newest
	received uint32 // 0: nothing to report
	start    time.Time
	clock    Clock // of its sound; 0: not known yet

	expectedBefore, receivedBefore uint32 // at the last report

	transit int32
	jitter  uint32 // in ticks, scaled by 16

	stamp   uint32          // timestamp of the newest packet
	span    uint32          // ticks of a packet; 0: not known yet
	pattern quality.Pattern // of what was lost, over all streams that the party sent

	senderReport uint32 // middle of the NTP time of the last one
	reportedAt   time.Time
	told, came   uint32 // packets that it said were sent, and that had come by then
}

// SSRC is that of the stream that comes.
func (r *Reception) SSRC() uint32 { return r.ssrc }

// Received is how many packets of the stream have come.
func (r *Reception) Received() uint32 { return r.received }

// Highest is the extended sequence number of the newest packet.
func (r *Reception) Highest() uint32 { return r.highest }

// Loss is what was lost, over all streams that came.
func (r *Reception) Loss() quality.Loss { return r.pattern.Loss() }

// Packet counts an RTP packet. fresh is true when it begins another stream.
func (r *Reception) Packet(h *rtp.Header, now time.Time) (fresh bool) {
	step := int16(h.SequenceNumber - uint16(r.highest))
	if r.received == 0 || r.ssrc != h.SSRC || step > maxDropout || step < -maxDropout {
		fresh = r.received != 0
		r.restart(h, now)
		return fresh
	}
	r.received++
	r.pattern.Packet(int(step))
	if step > 0 {
		r.highest += uint32(step)
		r.measure(step, h.Timestamp)
	}
	return false
}

// Spell is what a run of packets that were counted elsewhere, each the very next and regular in time, has come to.
type Spell struct {
	Packets uint32
	Stamp   uint32 // timestamp of the newest
	Transit uint32 // RFC 3550 §A.8, of the newest: in ticks since Arrivals
	Jitter  uint32 // §A.8: in ticks, times 16
}

// Arrivals is where a run goes on: when arrivals are counted from, and how transit and jitter are.
func (r *Reception) Arrivals() (since time.Time, transit, jitter uint32) {
	return r.start, uint32(r.transit), r.jitter
}

// Run counts a run of packets.
func (r *Reception) Run(s Spell) {
	for range s.Packets {
		r.pattern.Packet(1)
	}
	r.received += s.Packets
	r.highest += s.Packets
	r.stamp, r.transit, r.jitter = s.Stamp, int32(s.Transit), s.Jitter
}

// Resume goes on with a stream that another process has received: h is its newest packet.
func (r *Reception) Resume(h *rtp.Header, c Clock, since time.Time, span, transit, jitter uint32) {
	r.clock = c
	r.restart(h, since)
	r.span, r.transit, r.jitter = span, int32(transit), jitter
}

// measure sees from two packets in a row how long one is.
func (r *Reception) measure(step int16, stamp uint32) {
	if span := stamp - r.stamp; step == 1 && span != 0 && span <= maxSpan*r.clock.Frame() {
		r.span = span
	}
	r.stamp = stamp
}

// PacketTime is how long a packet of the party is, as far as is known.
func (r *Reception) PacketTime() time.Duration {
	if r.span == 0 {
		return frameTime
	}
	return r.clock.Duration(r.span)
}

func (r *Reception) restart(h *rtp.Header, now time.Time) {
	seq := uint32(h.SequenceNumber)
	*r = Reception{ssrc: h.SSRC, base: seq, highest: seq, received: 1, start: now, clock: r.clock, stamp: h.Timestamp,
		pattern: r.pattern}
	r.pattern.Start()
	r.transit = r.transitOf(h, now)
}

func (r *Reception) transitOf(h *rtp.Header, now time.Time) int32 {
	return int32(r.clock.Ticks(now.Sub(r.start)) - h.Timestamp)
}

// Spread updates the interarrival jitter, as finely as packets are read: those that are only
// mixed, once a tick. Events repeat their timestamp and have no part in it. With another clock
// it begins anew: RFC 7160 §4.2.
func (r *Reception) Spread(h *rtp.Header, c Clock, now time.Time) {
	if c != r.clock {
		r.clock, r.jitter, r.span = c, 0, 0
		r.transit = r.transitOf(h, now)
		return
	}
	transit := r.transitOf(h, now)
	d := transit - r.transit
	r.transit = transit
	r.jitter += uint32(max(d, -d)) - (r.jitter+8)>>4
}

// Jitter is the interarrival jitter as a time.
func (r *Reception) Jitter() time.Duration {
	if r.clock == 0 {
		return 0
	}
	return r.clock.Duration(r.jitter >> 4)
}

// Note keeps a sender report of the party. pauses is true when the party has sent nothing
// since the last one that we lack: it is there, and silent on purpose.
func (r *Reception) Note(sr *rtcp.SenderReport, now time.Time) (pauses bool) {
	sent, came := sr.PacketCount-r.told, r.received-r.came
	pauses = !r.reportedAt.IsZero() && sent <= 2*came
	r.senderReport, r.reportedAt = uint32(sr.NTPTime>>16), now
	r.told, r.came = sr.PacketCount, r.received
	return pauses
}

// Block closes the interval since the last one.
func (r *Reception) Block(now time.Time) rtcp.ReceptionReport {
	expected := r.highest - r.base + 1
	lost := max(0, int64(expected)-int64(r.received))
	interval := int64(expected - r.expectedBefore)
	missing := interval - int64(r.received-r.receivedBefore)
	r.expectedBefore, r.receivedBefore = expected, r.received
	block := rtcp.ReceptionReport{
		SSRC: r.ssrc, TotalLost: uint32(min(lost, 1<<23-1)), LastSequenceNumber: r.highest, Jitter: r.jitter >> 4,
	}
	if interval > 0 && missing > 0 {
		block.FractionLost = uint8(min(missing<<8/interval, 255))
	}
	if r.senderReport != 0 {
		block.LastSenderReport = r.senderReport
		block.Delay = max(1, uint32(max(0, now.Sub(r.reportedAt))*65536/time.Second)) // 0 would say that there is none
	}
	return block
}
