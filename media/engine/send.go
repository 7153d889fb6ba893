package engine

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/socket"
	"liandong/media/srtp"
)

const (
	coverAfter  = 60 * time.Millisecond // a relayed source is late by so much beyond its own packet: silence is sent
	quietLimit  = int(time.Second / frameTime)
	dialHold    = 30 * time.Millisecond // a key's next packet comes within this
	maxRelayed  = socket.DatagramSize - headerBytes - srtp.Overhead
	headerBytes = 12
)

// tick sends this leg's frame, if it is due one.
func (l *leg) tick(now time.Time) {
	l.watch(now)
	l.checkpoint(now)
	l.report(now)
	l.talking(now)
	if l.left != nil {
		return // its sound goes on in the kernel
	}
	if l.ready && !l.stream.Send && l.player.plays() {
		l.advance() // unheard, so that whoever waits for PlayDone is not held up by a hold
	}
	if l.ready && !l.stream.Send {
		l.holdOpen(now)
	}
	if !l.ready || !l.stream.Send {
		return
	}
	if l.out.full(now) {
		l.makeRoom(now)
		return
	}
	if l.sendKey(now) {
		return
	}
	plays := l.player.plays()
	frame, heard := l.hear(now)
	if heard != (l.quietTicks == 0) {
		l.crossfade.due = true
	}
	l.account(heard)
	if !frame.none() && !l.rests(now) {
		l.whisper(frame, now)
	}
	if plays {
		l.advance()
	}
}

// holdInterval is RFC 6263 §7: 15 s, as NATs forget a binding after 30 at the earliest.
const holdInterval = 15 * time.Second

// noPayload is a payload type that nobody has: RFC 3551 §6, RFC 6263 §4.6. Its packets are
// passed over, and every NAT on the way sees them.
const noPayload = 20

// holdOpen keeps the way open to a party that gets no sound, where its packets come from
// another address than it has signalled: there is a NAT on the way, and a binding that runs
// out would have it come back from a stranger's port.
func (l *leg) holdOpen(now time.Time) {
	if !l.latch.locked || l.latch.remote == l.latch.signalled || now.Sub(l.out.at) < holdInterval {
		return
	}
	ts, _ := l.out.due(now)
	l.transmit(rtp.Header{PayloadType: noPayload, SequenceNumber: l.out.seq, Timestamp: ts}, nil)
	l.out.seq++
	l.out.at = now
}

// hear gives the frame to send; none: a relayed packet is expected instead. heard is
// false when it is silence for want of anything else.
func (l *leg) hear(now time.Time) (frame sound, heard bool) {
	switch l.mode {
	case relaying:
		return l.cover(now)
	case playing:
		return l.play(), true
	case mixing:
		return l.mix()
	}
	return l.hush(), false
}

// hush gives the next frame of comfort noise.
func (l *leg) hush() sound {
	l.noise = (l.noise + 1) % comfort.Len()
	return l.clip(comfort, l.noise)
}

// cover fills in for a relayed source that sends nothing.
func (l *leg) cover(now time.Time) (sound, bool) {
	patience := coverAfter + l.out.clock.Duration(l.out.span)
	if l.rewriter.live && now.Sub(l.out.at) <= patience && !l.sources[0].muted(now) {
		return sound{}, true
	}
	return l.hush(), false
}

func (l *leg) play() sound {
	if l.player.jumps() {
		l.crossfade.due = true
	}
	return l.clip(l.player.clips[l.player.clip], l.player.at)
}

// mix sums what the leg hears. It is not among its own sources.
func (l *leg) mix() (sound, bool) {
	s, rate := l.shard, l.room.rate
	s.parts = s.parts[:0]
	mixes := uint64(1)
	for _, source := range l.sources {
		if source.voice.audible {
			s.parts = append(s.parts, source.voice.frame)
			mixes = digest(mixes, uint64(source.id))
		}
	}
	if mixes != l.mixes {
		l.mixes, l.crossfade.due = mixes, true
	}
	if l.player.plays() {
		if l.player.jumps() {
			l.crossfade.due = true
		}
		s.parts = append(s.parts, l.player.samples(rate))
	}
	if tail, ok := l.crossfade.takeTail(rate); ok {
		s.parts = append(s.parts, tail)
	}
	if len(s.parts) == 0 {
		return l.hush(), false
	}
	if rate < l.rate() {
		return l.hush(), false // it begins to mix in this very tick
	}
	sum := s.sum[:rate/50]
	l.ear.Mix(sum, s.parts)
	if rate != l.rate() {
		sum = sum[:l.down.Down(sum, sum)]
	}
	return l.of(sum), true
}

// advance goes on in the playlist; at its end the leg hears something else.
func (l *leg) advance() {
	if l.player.advance() {
		l.room.emit(PlayDone{Leg: l.id, ID: l.player.id})
		l.room.route()
	}
}

const (
	// restAfter so much silence a party gets less of it: most of what a phone costs whose user listens, is muted or
	// leaves out silence would be the noise that the other one hears.
	restAfter = int(2 * time.Second / frameTime)
	// dumbAfter: the same where the other one has said nothing since it was there.
	dumbAfter = int(200 * time.Millisecond / frameTime)

	restPace  = 180 * time.Millisecond // between two frames of noise then: no phone takes the call for dead
	noisePace = 900 * time.Millisecond // between two packets that say how it sounds: RFC 3389 §3.1 leaves it to us
)

// hushLevel is that of comfort, in -dBov: RFC 3389 §3.1.
const hushLevel = 71

// resting says that the party has had nothing to hear for so long that it gets little.
func (l *leg) resting() bool {
	after := restAfter
	if l.mode == relaying && !l.sources[0].spoke {
		after = dumbAfter
	}
	return l.quietTicks > after && l.packer == nil
}

// rests says that this tick's frame of silence is left out.
func (l *leg) rests(now time.Time) bool {
	pace := restPace
	if l.saysNoise() {
		pace = noisePace
	}
	return l.resting() && now.Sub(l.out.at) < pace
}

// saysNoise: who has sent comfort noise understands it, whether SDP says a word of it or not: type 13 is static, RFC
// 3551 table 4.
func (l *leg) saysNoise() bool { return l.noisy && l.out.clock == 8 }

// whisper sends a frame of our own making; or, to who makes noise by himself, how it would sound.
func (l *leg) whisper(frame sound, now time.Time) {
	if !l.resting() || !l.saysNoise() {
		l.emit(frame, now)
		return
	}
	l.rewriter.live = false
	ts, gap := l.out.due(now)
	seq := l.out.seq
	l.shard.coded[0] = hushLevel
	l.transmit(rtp.Header{Marker: gap, PayloadType: comfortNoise, SequenceNumber: seq, Timestamp: ts},
		l.shard.coded[:1])
	l.out.packet(seq, ts, frameSamples, 1, now)
}

// account counts the times a party was left in silence for a second.
func (l *leg) account(heard bool) {
	if heard {
		l.quietTicks = 0
		return
	}
	before := l.quietTicks
	l.quietTicks += 1 + l.room.rested
	if before < quietLimit && l.quietTicks >= quietLimit {
		l.shard.count.silences.Add(1)
	}
}

// emit sends a frame of our own making.
func (l *leg) emit(frame sound, now time.Time) {
	if l.rewriter.live {
		l.rewriter.live, l.crossfade.due = false, true
	}
	if l.packer != nil {
		l.pack(l.crossfade.blendSamples(frame.samples, l.packer.rate, l.shard.blended[:]), now)
		return
	}
	payload := l.crossfade.blend(l.stream.Codec, frame.coded, l.shard.coded[:])
	ts, gap := l.out.due(now)
	seq := l.out.seq
	l.transmit(rtp.Header{Marker: gap, PayloadType: l.stream.PT, SequenceNumber: seq, Timestamp: ts}, payload)
	l.out.packet(seq, ts, uint32(len(payload)), len(payload), now) // G.711: a byte is a tick
}

// relay sends on a packet of the one party that this leg hears.
func (l *leg) relay(id codec.ID, packet *rtp.Packet, span uint32, now time.Time) {
	payload := packet.Payload
	if !l.stream.Send || now.Before(l.dialTill) || len(payload) > maxRelayed {
		return
	}
	if id != l.stream.Codec && !passes(id, l.stream.Codec) {
		return
	}
	if l.left != nil {
		l.succeed()
	}
	if l.packer != nil {
		l.unpack()
	}
	went := l.rewriter.live
	if !went {
		l.room.rest, l.quietTicks = 0, min(l.quietTicks, restAfter)
	}
	seq, ts, ok := l.rewriter.place(&l.out, &packet.Header, span, now)
	if !ok {
		return
	}
	if id != l.stream.Codec {
		n := codec.Transcode(l.stream.Codec, l.shard.coded[:], id, payload)
		payload = l.shard.coded[:n]
	}
	if !went {
		l.crossfade.due = true
	}
	payload = l.crossfade.blend(l.stream.Codec, payload, l.shard.coded[:])
	marker := packet.Marker || l.out.spurt(seq, ts)
	l.transmit(rtp.Header{Marker: marker, PayloadType: l.stream.PT, SequenceNumber: seq, Timestamp: ts}, payload)
	l.out.packet(seq, ts, span, len(payload), now)
	if l.shard.kernel != nil {
		l.course.follow(packet, span)
	}
}

// transmit puts a packet on the wire. Nothing of the source's header but its marker
// crosses over: the networks on both sides must not see each other.
func (l *leg) transmit(h rtp.Header, payload []byte) {
	if !usable(l.latch.remote) {
		return
	}
	h.Version, h.SSRC = 2, l.out.ssrc
	wire := l.shard.wire[:]
	n, err := h.MarshalTo(wire)
	if err != nil {
		return // cannot be: the buffer holds any header of ours
	}
	n += copy(wire[n:socket.DatagramSize], payload)
	packet := wire[:n]
	l.sniff(true, l.latch.remote, packet, l.shard.now)
	if l.protection.on {
		if l.shard.marked && l.exhausted() {
			return
		}
		if packet, err = l.protection.sender.RTP(packet); err != nil {
			return // after 2^48 packets: RFC 3711 §9.2
		}
	}
	l.shard.net.Queue(l.pair.rtp, l.latch.remote, packet)
}

// sniff shows a packet's header to whoever looks at the session.
func (l *leg) sniff(out bool, remote netip.AddrPort, packet []byte, now time.Time) {
	to := l.room.sniffer
	if to == nil || len(packet) < len(Head{}.RTP) {
		return
	}
	own := netip.AddrPortFrom(l.network().advertised(), l.pair.port)
	to.Sniff(Head{At: now, Leg: l.id, Out: out, Network: l.pair.network, Local: own, Remote: remote,
		RTP: [12]byte(packet), Size: len(packet)})
}
