package engine

import (
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/report"
)

const (
	minPtime  = 10 * time.Millisecond
	maxPtime  = 60 * time.Millisecond
	ptimeStep = 10 * time.Millisecond
)

// packer makes the packets of a leg that cannot be sent what is encoded in advance, frame by
// frame: whose codec remembers the sound before, or who wants packets of another time than
// 20 ms. All that the party hears from us goes through the one encoder, so that its decoder
// finds no jump between a prompt, a tone and a voice. Owned by the leg.
type packer struct {
	encoder codec.Encoder
	rate    int     // of the samples
	size    int     // of a packet, in samples
	waiting []int16 // for the rest of their packet; its array is as large as it ever has to be
	ts      uint32  // of the first of them
	marker  bool    // and of their packet
}

// newPacker gives nil for a leg that needs none.
func newPacker(id codec.ID, ptime time.Duration) *packer {
	if id.Stateless() && ptime == frameTime {
		return nil
	}
	size := int(ptime) * id.Rate() / int(time.Second)
	return &packer{
		encoder: codec.NewEncoder(id), rate: id.Rate(), size: size,
		waiting: make([]int16, 0, size+id.Rate()/50),
	}
}

// packetTime is what the party wishes, as a time that packets can have.
func packetTime(wish time.Duration) time.Duration {
	if wish == 0 {
		return frameTime
	}
	return min(max(wish.Round(ptimeStep), minPtime), maxPtime)
}

// ticks are how long so many samples last by the clock of the leg.
func (p *packer) ticks(samples int, c report.Clock) uint32 {
	return uint32(samples) * uint32(c) / uint32(p.rate/1000)
}

// pack takes a frame and sends the packets that are full by then.
func (l *leg) pack(samples []int16, now time.Time) {
	p := l.packer
	ts, gap := l.out.due(now)
	if gap {
		l.unpack()
	}
	if len(p.waiting) == 0 {
		p.ts, p.marker = ts, gap
	}
	p.waiting = append(p.waiting, samples...)
	l.out.sound(ts, p.ticks(len(samples), l.out.clock), now)
	for len(p.waiting) >= p.size {
		l.sendPacked(p.size)
	}
}

// unpack sends what waits in a packet that is shorter than the others: what comes next does not
// go on where it ends.
func (l *leg) unpack() {
	p := l.packer
	if p == nil || len(p.waiting) == 0 {
		return
	}
	if l.stream.Send {
		l.sendPacked(len(p.waiting))
	}
	p.waiting = p.waiting[:0]
}

func (l *leg) sendPacked(n int) {
	p := l.packer
	coded := l.shard.coded[:]
	payload := coded[:p.encoder.Encode(coded, p.waiting[:n])]
	l.transmit(rtp.Header{Marker: p.marker, PayloadType: l.stream.PT, SequenceNumber: l.out.seq, Timestamp: p.ts},
		payload)
	l.out.seq++
	l.out.count(len(payload))
	p.ts, p.marker = p.ts+p.ticks(n, l.out.clock), false
	p.waiting = p.waiting[:copy(p.waiting, p.waiting[n:])]
}
