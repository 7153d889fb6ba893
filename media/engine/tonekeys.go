package engine

import (
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/dtmf"
	"liandong/media/pcm"
	"liandong/media/report"
)

const (
	// until when the echo of a tone may come: there and back with both jitter buffers
	echoTail     = 400 * time.Millisecond
	pauseFrames  = 3                         // of a pause that is not sent: as much as ends a press
	longestSound = pcm.WideRate * 120 / 1000 // samples of a packet
)

// toneKeys looks for keys in what a party says, packet by packet as they come: ahead of the
// jitter buffer, so that nothing that conceals a loss is taken for a key. Owned by the leg; nil
// where nobody of the room sends keys as tones.
type toneKeys struct {
	detector dtmf.Detector
	codec    codec.ID
	decoder  codec.Decoder
	down     pcm.Downsampler
	ssrc     uint32
	seq      uint16 // that is due
	ts       uint32
	deafTill time.Time // an echo may come
	found    [8]byte
	sound    [longestSound]int16

	// The payload before, of G.722. When something is lost it is decoded again in its place, to nobody's ear: after it
	// the decoder is where a tone that goes on has brought the coder, and not where it was before.
	last [frameSamples]byte
	size int
}

// packet gives the keys that a packet makes known, and whether there is a tone in it. One that
// comes late says nothing any more.
func (t *toneKeys) packet(id codec.ID, p *rtp.Packet) (keys []byte, sounds bool) {
	switch {
	case t.decoder == nil || id != t.codec || p.SSRC != t.ssrc:
		t.begin(id, p)
	case int16(p.SequenceNumber-t.seq) < 0:
		return nil, false
	case p.SequenceNumber != t.seq:
		t.detector.Lose(report.ClockOf(id).Duration(max(p.Timestamp-t.ts, 1)))
		t.decoder.Decode(t.sound[:], t.last[:t.size])
	case p.Timestamp != t.ts: // RFC 3550 §5.1: nothing is missing, it was silent meanwhile
		t.pause()
	}
	t.seq, t.ts = p.SequenceNumber+1, p.Timestamp+uint32(id.Ticks(p.Payload))
	n := t.decoder.Decode(t.sound[:], p.Payload)
	if t.size = 0; id == codec.G722 && len(p.Payload) <= len(t.last) {
		t.size = copy(t.last[:], p.Payload)
	}
	if id.Rate() == pcm.WideRate {
		n = t.down.Down(t.sound[:], t.sound[:n])
	}
	keys = t.detector.Push(t.found[:0], t.sound[:n])
	return keys, t.detector.Sounds()
}

// noise takes a packet of comfort noise: the party pauses.
func (t *toneKeys) noise(p *rtp.Packet) {
	if p.SSRC == t.ssrc {
		t.seq = p.SequenceNumber + 1
		t.pause()
	}
}

func (t *toneKeys) pause() {
	for range pauseFrames {
		t.detector.Push(t.found[:0], nothing[:frameSamples])
	}
}

// begin takes up another stream.
func (t *toneKeys) begin(id codec.ID, p *rtp.Packet) {
	t.detector, t.down = dtmf.Detector{}, pcm.Downsampler{}
	t.codec, t.decoder, t.ssrc = id, codec.NewDecoder(id), p.SSRC
}

// detect reports keys that the party presses as tones, and keeps them away from everyone. Tones
// of the others are looked for as well: their echo from the party is no key of the party's.
func (l *leg) detect(id codec.ID, packet *rtp.Packet, now time.Time) {
	keys, sounds := l.toneKeys.packet(id, packet)
	if !sounds {
		return
	}
	if !l.stream.ToneKeys {
		l.room.deafen(l, now)
		return
	}
	l.mutedTill = now.Add(mutedAfterKey)
	if now.Before(l.toneKeys.deafTill) {
		return
	}
	for _, digit := range keys {
		l.keyPressed(DigitReceived{Leg: l.id, Digit: digit, Tone: true})
	}
}

// deafen lets no other party's echo of a tone count as a key.
func (r *room) deafen(but *leg, now time.Time) {
	for _, l := range r.legs {
		if l != but {
			l.deafen(now)
		}
	}
}

func (l *leg) deafen(now time.Time) {
	if l.toneKeys != nil {
		l.toneKeys.deafTill = now.Add(echoTail)
	}
}

// detectTones has all parties of a room listened to as soon as one of them sends keys as tones.
func (r *room) detectTones() {
	any := false
	for _, l := range r.legs {
		any = any || l.stream.ToneKeys
	}
	for _, l := range r.legs {
		switch {
		case !any:
			l.toneKeys = nil
		case l.toneKeys == nil:
			l.toneKeys = &toneKeys{}
		}
	}
}
