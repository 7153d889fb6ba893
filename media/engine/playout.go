package engine

import (
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/pcm"
)

// fade is the gain of each further frame that stands in for a lost one.
const fade = pcm.Unity / 2

// playout is a leg's sound for those who hear it in the tick. Owned by the leg.
type playout struct {
	buffer  *jitter.Buffer
	codec   codec.ID // of the bytes in it; 0: none came since the reset
	fresh   bool     // nothing came since the reset
	frame   pcm.Frame
	audible bool // frame is this tick's sound
}

func newPlayout(cfg jitter.Config) playout {
	return playout{buffer: jitter.New(cfg), fresh: true}
}

func (p *playout) reset() {
	if !p.fresh {
		p.buffer.Reset()
	}
	p.codec, p.fresh, p.audible = 0, true, false
}

// push takes a packet. A party may change its codec from packet to packet; the buffer holds
// the one that came first.
func (p *playout) push(id codec.ID, packet *rtp.Packet, scratch []byte, now time.Time) {
	if p.codec == 0 {
		p.codec, p.frame = id, pcm.Frame{} // what stands in for a lost frame is not from before
	}
	payload := packet.Payload
	if id != p.codec {
		payload = scratch[:codec.Transcode(p.codec, scratch, id, payload)]
	}
	p.fresh = false
	p.buffer.Push(now, packet.SequenceNumber, packet.Timestamp, payload)
}

// pull makes the frame of this tick, once for all who hear the leg.
func (l *leg) pull(now time.Time) {
	p := &l.playout
	if p.fresh {
		return
	}
	payload, kind := p.buffer.Pop(now)
	switch {
	case kind == jitter.Play:
		codec.Decode(p.codec, p.frame[:], payload)
	case kind == jitter.Conceal:
		pcm.Scale(&p.frame, fade)
	}
	p.audible = kind != jitter.Empty && !l.muted(now)
}
