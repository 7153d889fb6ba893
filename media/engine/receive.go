package engine

import (
	"slices"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/report"
	"liandong/media/socket"
)

// mutedAfterKey covers the gaps between event packets, which phones send each 20 to 50 ms.
const mutedAfterKey = 60 * time.Millisecond

// receive takes one datagram; bound to Transport.Drain.
func (s *shard) receive(p socket.Packet) {
	s.count.in.Add(1)
	var port port
	if int(p.Socket) < len(s.sockets) {
		port = s.sockets[p.Socket]
	}
	switch {
	case port.kept != nil:
		s.count.unclaimed.Add(1)
		if s.now.After(port.kept.quiet) {
			port.kept.late.Store(true)
		}
	case port.leg == nil || !port.leg.ready:
		s.count.unclaimed.Add(1)
	case port.rtcp || port.leg.stream.RTCPMux && isRTCP(p.Data):
		port.leg.receiveRTCP(p, s.now)
	default:
		s.prefetch(port.leg)
		port.leg.receiveRTP(p, s.now)
	}
}

// isRTCP tells RTCP from RTP on one port: RFC 5761 §4.
func isRTCP(data []byte) bool {
	return len(data) > 1 && data[1] >= 192 && data[1] <= 223
}

func (l *leg) receiveRTP(p socket.Packet, now time.Time) {
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
	l.comesUp(p.From)
	was := l.latch.remote
	if !l.latch.accept(p.From, packet.SSRC, l.claim(p.From, packet.SSRC, now)) {
		l.stranger(p.From)
		return
	}
	if l.latch.remote != was {
		l.room.takeBack()
	}
	l.sniff(false, p.From, data, now)
	l.alive(now)
	l.sounds(now)
	l.noisy = l.noisy || noise
	l.room.rest = min(l.room.rest, calmTicks)
	// Only sound begins a new stream: events with an SSRC of their own are seen in the field, and
	// RTCP that nobody agreed to have on this port.
	if id != 0 && !key || noise || packet.SSRC == l.reception.SSRC() {
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
	if l.reception.Packet(h, now) {
		l.voice.reset()
	}
}

// key reports a key press once, and keeps what belongs to it away from everyone.
func (l *leg) key(packet *rtp.Packet, now time.Time) {
	l.mutedTill = now.Add(mutedAfterKey)
	l.keys.ClockRate = l.stream.DTMFRecv[packet.PayloadType]
	digit, ok := l.keys.Push(packet.SequenceNumber, packet.Timestamp, packet.Payload)
	if ok {
		l.keyPressed(DigitReceived{Leg: l.id, Digit: digit, Press: l.keys.Newest()})
	}
	if !l.keys.Held() {
		l.keyReleased()
	}
}

// releasedAfter so long without a packet of it a key is up: its end was lost.
const releasedAfter = 150 * time.Millisecond

func (l *leg) keyPressed(e DigitReceived) {
	l.keyReleased()
	l.keyDown, l.checkpoints.changed = true, true
	l.room.emit(e)
}

func (l *leg) keyReleased() {
	if l.keyDown {
		l.keyDown, l.checkpoints.changed = false, true
		l.room.emit(DigitReleased{Leg: l.id})
	}
}

func (l *leg) audio(id codec.ID, packet *rtp.Packet, now time.Time) {
	l.spoke = true
	l.reception.Spread(&packet.Header, report.ClockOf(id), now)
	if l.toneKeys != nil {
		l.detect(id, packet, now)
	}
	if tap := l.record.Tap; tap != nil && !l.muted(now) { // evidence is what was said, also to nobody
		tap.Put(l.record.Channel, id, packet.Timestamp, packet.Payload, now)
	} else if l.room.owing && tap == nil && !l.muted(now) && l.taped() {
		l.owed = append(l.owed, copied{id, packet.Timestamp, now, slices.Clone(packet.Payload)})
	}
	if !l.stream.Receive || l.muted(now) || l.stale(now) {
		return
	}
	span := uint32(id.Ticks(packet.Payload))
	switch {
	case id == l.inbound.codec && span == l.inbound.span:
		l.inbound.row = 0
	case span > 0 && l.inbound.other(id, span, len(l.relays) > 0):
		l.room.route()
	}
	if id.Stateless() && (l.mixers > 0 || len(l.relays) > 0) {
		l.loudness.packet(id, packet.Payload)
	}
	for _, hearer := range l.relays {
		hearer.relay(id, packet, span, now)
	}
	if l.voice.playout != nil {
		l.room.survey.note(l, now)
		l.voice.playout.Push(l.shard.came(l.room), id, packet.SequenceNumber, packet.Timestamp, packet.Payload)
	}
}

// pause takes a packet of comfort noise. It is not relayed: whoever is relayed to gets silence
// from us, in his own codec.
func (l *leg) pause(packet *rtp.Packet, now time.Time) {
	if l.toneKeys != nil {
		l.toneKeys.noise(packet)
	}
	if l.stream.Receive && !l.muted(now) && l.voice.playout != nil {
		l.voice.playout.Noise(l.shard.came(l.room), packet.SequenceNumber, packet.Timestamp, packet.Payload)
	}
}

// muted says that the party is pressing a key: some phones send its tone as well.
func (l *leg) muted(now time.Time) bool { return now.Before(l.mutedTill) }
