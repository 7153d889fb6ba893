package load

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"liandong/cmd/internal/phone"
	"liandong/media/codec"
	"liandong/media/dtmf"
	"liandong/media/pcm"
	"liandong/media/prompt"
)

// side is what a party is in its call.
type side uint8

// sealBytes is what SRTP may add to a packet.
const sealBytes = 16

// In a room, where all three call, they are the first, second and third.
const (
	caller side = iota
	desk
	partner
	sides
)

func (s side) String() string { return [...]string{"caller", "desk", "partner"}[s] }

// stream is the sound of one leg: what it says, on time, and what it hears, counted. Its time is an argument
// everywhere, in ns since 1970. Owned by its thread.
type stream struct {
	id   uint32
	side side
	addr netip.AddrPort
	fd   int

	// What is said.
	to      unix.Sockaddr
	sending bool
	law     codec.ID
	events  uint8 // payload type of keys, 0: none
	voice   prompt.Clip
	script  *script // of a conference; nil: speech all along, with stamps
	spoken  int     // ticks since the stream was opened
	count   uint16
	seq     uint16
	ts      uint32
	ssrc    uint32
	marker  bool
	keys    dtmf.Sender
	presses []int64 // beginnings of the keys pressed
	packet  [12 + pcm.FrameSamples]byte
	sealing phone.Sealing
	sealed  [2][12 + pcm.FrameSamples + sealBytes]byte // scratch: what goes out, what came

	// What came of it and of the others, within the window.
	window  *window
	counted counted
	record  *record // of a conference
}

// window is the time that counts: from ≤ t < till. The zero window is never. Owned by the thread, shared by its
// streams.
type window struct{ from, till int64 }

func (w *window) holds(t int64) bool { return w.from <= t && t < w.till }

// second is which whole second of the window a time is in.
func (w *window) second(t int64) int64 { return (t - w.from) / int64(time.Second) }

func newStream(id uint32, s side, w *window) *stream {
	return &stream{id: id, side: s, window: w, seq: uint16(rand.Uint32()), ts: rand.Uint32(), ssrc: rand.Uint32(),
		marker: true}
}

// tick is the packet that is due; nil: silence, as before the answer and after the BYE. It is good until the next tick.
// Nothing is allocated but the note of a key.
func (s *stream) tick(now int64) []byte {
	s.spoken++
	s.ts += uint32(pcm.FrameSamples)
	if !s.sending {
		return nil
	}
	if s.keys.Busy() {
		if payload, ts, first, ok := s.keys.Next(s.ts); ok {
			if first {
				s.presses = append(s.presses, now)
			}
			return s.sealing.Seal(s.sealed[0][:0], s.put(s.events, ts, first, payload))
		}
	}
	out := s.sealing.Seal(s.sealed[0][:0], s.put(s.law.PayloadType(), s.ts, s.marker, s.say(now)))
	s.marker = false
	if s.window.holds(micros(now)) {
		s.counted.out++
	}
	return out
}

// say is 20 ms of what this party has to say.
func (s *stream) say(now int64) []byte {
	if s.script != nil {
		return s.script.say(s, now)
	}
	payload := s.packet[12:]
	copy(payload, s.voice.Encoded(s.law, s.spoken%s.voice.Len()))
	stamp{speaker: s.id, count: s.count, at: uint32(now / 1000)}.put(payload)
	s.count++
	return payload
}

// put makes the packet; a payload that stands in it already is not moved (RFC 3550 §5.1).
func (s *stream) put(pt uint8, ts uint32, marker bool, payload []byte) []byte {
	p := s.packet[:12+copy(s.packet[12:], payload)]
	p[0], p[1] = 0x80, pt
	if marker {
		p[1] |= 0x80
	}
	binary.BigEndian.PutUint16(p[2:], s.seq)
	binary.BigEndian.PutUint32(p[4:], ts)
	binary.BigEndian.PutUint32(p[8:], s.ssrc)
	s.seq++
	return p
}

// micros is a time as a stamp can say it.
func micros(t int64) int64 { return t - t%int64(time.Microsecond) }

// take counts one datagram that came.
func (s *stream) take(data []byte, at int64) {
	p, ok := parseRTP(s.sealing.Open(s.sealed[1][:0], data))
	if !ok {
		return
	}
	if s.window.holds(at) {
		s.counted.arrived(p, at, s.window.from)
		if s.record != nil && p.voice() {
			s.record.keep(p.payload, at)
		}
	}
	if s.script != nil || !p.voice() {
		return
	}
	m, ok := readStamp(p.payload)
	if !ok {
		if s.window.holds(at) {
			s.counted.unmarked++
		}
		return
	}
	took := time.Duration(int32(uint32(at/1000)-m.at)) * time.Microsecond
	s.counted.heardFrom(m, took, at, s.window.holds(micros(at)-int64(took)))
}

// rtpPacket is what is looked at of an RTP packet.
type rtpPacket struct {
	pt      uint8
	seq     uint16
	ssrc    uint32
	payload []byte
}

func (p rtpPacket) voice() bool {
	return p.pt == codec.PCMA.PayloadType() || p.pt == codec.PCMU.PayloadType()
}

// parseRTP reads RFC 3550 §5.1; false: it is something else.
func parseRTP(b []byte) (p rtpPacket, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return p, false
	}
	p.pt, p.seq, p.ssrc = b[1]&0x7f, binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	end, at := len(b), 12+4*int(b[0]&0xf)
	if b[0]&0x20 != 0 {
		end -= int(b[len(b)-1])
	}
	if b[0]&0x10 != 0 && at+4 <= end {
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	if at > end {
		return p, false
	}
	p.payload = b[at:end]
	return p, true
}
