package engine

import (
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
)

// mutedAfterKey covers the gaps between event packets, which phones send each 20 to 50 ms.
const mutedAfterKey = 60 * time.Millisecond

// receive takes one datagram; bound to Transport.Drain.
func (s *shard) receive(p Packet) {
	s.count.in.Add(1)
	var port port
	if int(p.Socket) < len(s.sockets) {
		port = s.sockets[p.Socket]
	}
	switch {
	case port.leg == nil || !port.leg.ready:
		s.count.early.Add(1)
	case port.rtcp || port.leg.stream.RTCPMux && isRTCP(p.Data):
		port.leg.receiveRTCP(p, s.now)
	default:
		s.warm(port.leg)
		port.leg.receiveRTP(p, s.now)
	}
}

// isRTCP tells RTCP from RTP on one port: RFC 5761 §4.
func isRTCP(data []byte) bool {
	return len(data) > 1 && data[1] >= 192 && data[1] <= 223
}

func (l *leg) receiveRTP(p Packet, now time.Time) {
	packet, count := &l.shard.packet, l.shard.count
	data, ok := l.open(p.Data, false)
	if !ok {
		return
	}
	if err := packet.Unmarshal(data); err != nil || packet.Version != 2 {
		count.malformed.Add(1)
		return
	}
	id := l.codecs[packet.PayloadType]
	key := id == keyEvent
	noise := id == 0 && packet.PayloadType == comfortNoise
	if id == 0 && !noise && !l.latch.locked {
		count.malformed.Add(1) // nothing that was agreed on: it must not move the latch
		return
	}
	if !l.latch.accept(p.From, packet.SSRC, l.moved(p.From, packet.SSRC, now)) {
		count.strangers.Add(1)
		return
	}
	l.alive(now)
	// Only sound begins a new stream: events with an SSRC of their own are seen in the field, and
	// RTCP that nobody agreed to have on this port.
	if id != 0 && !key || noise || packet.SSRC == l.reception.ssrc {
		l.enroll(&packet.Header, now)
	}
	switch {
	case key:
		l.key(packet, now)
	case id != 0 && len(packet.Payload) > 0:
		l.audio(id, packet, now)
	case noise:
		l.pause(packet, now)
	}
}

// enroll counts a packet for the receiver reports.
func (l *leg) enroll(h *rtp.Header, now time.Time) {
	if l.reception.packet(h, now) {
		l.voice.reset()
	}
}

// key reports a key press once, and keeps what belongs to it away from everyone.
func (l *leg) key(packet *rtp.Packet, now time.Time) {
	l.mutedTill = now.Add(mutedAfterKey)
	l.keys.ClockRate = l.stream.DTMFRecv[packet.PayloadType]
	digit, ok := l.keys.Push(packet.SequenceNumber, packet.Timestamp, packet.Payload)
	if ok {
		l.room.emit(DigitReceived{Leg: l.id, Digit: digit})
	}
}

func (l *leg) audio(id codec.ID, packet *rtp.Packet, now time.Time) {
	l.reception.spread(&packet.Header, clockOf(id), now)
	if l.toneKeys != nil {
		l.harken(id, packet, now)
	}
	if tap := l.record.Tap; tap != nil && !l.muted(now) { // evidence is what was said, also to nobody
		tap.Put(l.record.Channel, id, packet.Timestamp, packet.Payload, now)
	}
	if !l.stream.Receive || l.muted(now) {
		return
	}
	span := uint32(id.Ticks(packet.Payload))
	switch {
	case id == l.coming.codec && span == l.coming.span:
		l.coming.row = 0
	case span > 0 && l.coming.other(id, span, len(l.relays) > 0):
		l.room.route()
	}
	if id.Stateless() && (l.mixers > 0 || len(l.relays) > 0) {
		l.loudness.packet(id, packet.Payload)
	}
	for _, hearer := range l.relays {
		hearer.relay(id, packet, span, now)
	}
	l.voice.push(id, packet, now)
}

// pause takes a packet of comfort noise. It is not relayed: whoever is relayed to gets silence
// from us, in his own codec.
func (l *leg) pause(packet *rtp.Packet, now time.Time) {
	if l.toneKeys != nil {
		l.toneKeys.noise(packet)
	}
	if l.stream.Receive && !l.muted(now) {
		l.voice.noise(packet, now)
	}
}

// muted says that the party is pressing a key: some phones send its tone as well.
func (l *leg) muted(now time.Time) bool { return now.Before(l.mutedTill) }
