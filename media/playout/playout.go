// Package playout makes of one party's RTP packets the sound that is mixed: at
// each tick 20 ms of linear samples.
//
// It owns the jitter buffer and the decoders of the party. What is lost is
// concealed, what the party leaves out in its pauses is silence or comfort
// noise, and what the delay is off its target is taken out or put in by pitch
// periods. The party may change its codec from packet to packet; the samples
// come at the rate of the listener, 8 or 16 kHz, whatever the codec has. It is
// pure: time is an argument, there is no goroutine, and nothing is allocated but
// for what had not been before: a rate, a codec that remembers, longer packets or
// more of them at once.
package playout

import (
	"time"

	"liandong/media/codec"
	"liandong/media/conceal"
	"liandong/media/jitter"
	"liandong/media/pcm"
)

// Stats counts since New or Reset.
type Stats struct {
	jitter.Stats        // packets, and the delay
	Frames       uint64 // in which the party was heard, and of them
	Concealed    uint64 // those of which some was missing
	Warped       uint64 // samples that were cut out or put in, at the rate of the frames
}

// Playout is one party's sound. Owned by whoever mixes the party. What each tick touches stands in front.
type Playout struct {
	clock int // of the RTP timestamps, in Hz

	codec      codec.ID // of the last packet that was decoded
	decoder    codec.Decoder
	tape       tape
	last       jitter.Kind // of what stands at the end of the tape
	crossfade  bool        // what comes next does not go on where the tape ends
	incomplete bool        // something was concealed in this frame
	misses     int         // corrections in a row for which no place was found

	frames, concealed, warped uint64 // of Stats

	buffer  jitter.Buffer
	conceal conceal.Concealer
	noise   pcm.Noise
	up      pcm.Upsampler
	down    pcm.Downsampler
}

// New makes a playout; c must be valid.
func New(c jitter.Config) *Playout {
	return &Playout{buffer: *jitter.New(c), clock: codec.PCMA.ClockRate()}
}

// Reset forgets everything: another stream begins.
func (p *Playout) Reset() {
	p.buffer.Reset(p.clock)
	p.conceal.Reset(p.tape.rate)
	p.tape.clear()
	p.codec, p.last, p.crossfade = 0, jitter.Empty, false
	p.frames, p.concealed, p.warped = 0, 0, 0
	p.noise.SetLevel(silent)
}

// Stats gives the counts so far.
func (p *Playout) Stats() Stats {
	return Stats{Stats: p.buffer.Stats(), Frames: p.frames, Concealed: p.concealed, Warped: p.warped}
}

// Push takes a packet that came at now. The payload is copied.
func (p *Playout) Push(now time.Time, id codec.ID, seq uint16, ts uint32, payload []byte) {
	if !id.Known() {
		return
	}
	if rate := id.ClockRate(); rate != p.clock {
		p.clock = rate // RFC 7160: the timestamps of before mean nothing on another clock
		p.buffer.Reset(rate)
	}
	p.buffer.Push(now, jitter.Packet{Codec: id, Seq: seq, TS: ts, Span: uint32(id.Ticks(payload)), Payload: payload})
}

// Noise takes a packet of comfort noise, RFC 3389.
func (p *Playout) Noise(now time.Time, seq uint16, ts uint32, payload []byte) {
	p.buffer.Push(now, jitter.Packet{Seq: seq, TS: ts, Payload: payload})
}

// Pull gives the 20 ms of sound of the tick at now, at 8000 or 16000 samples a second, good
// until the next call and not to be written to. It is called once in a tick and now does not
// go back. audible is false when there is nothing to be heard: the party has not begun,
// pauses or has stopped. Then the samples are zero.
func (p *Playout) Pull(now time.Time, rate int) (frame []int16, audible bool) {
	size := rate / 50
	if rate != p.tape.rate {
		p.tape.tune(rate)
		p.conceal.Reset(rate)
		p.up, p.down, p.crossfade = pcm.Upsampler{}, pcm.Downsampler{}, true
	}
	off := p.buffer.Excess(now, p.at(now))
	for p.tape.waiting() < size {
		sound := p.next(now, size)
		if sound.Kind == jitter.Empty && p.last == jitter.Empty && p.tape.waiting() == 0 &&
			p.samples(sound.Span) >= size {
			p.tape.clear()
			return nothing[:size], false
		}
		p.take(sound)
	}
	if off != 0 {
		p.correct(now, off, size)
	}
	frame, audible = p.tape.play(size)
	p.count(audible)
	return frame, audible
}

// nothing is a frame without sound.
var nothing [pcm.WideRate / 50]int16

func (p *Playout) count(audible bool) {
	if audible {
		p.frames++
	}
	if p.incomplete {
		p.concealed++
		p.incomplete = false
	}
}

// at is when what is put on the tape next will be heard.
func (p *Playout) at(now time.Time) time.Time {
	if n := p.tape.waiting(); n > 0 {
		return now.Add(time.Duration(n) * time.Second / time.Duration(p.tape.rate))
	}
	return now
}

// next asks the buffer for more of a frame.
func (p *Playout) next(now time.Time, size int) jitter.Sound {
	missing := max(0, size-p.tape.waiting())
	return p.buffer.Pop(p.at(now), uint32((missing*p.clock+p.tape.rate-1)/p.tape.rate))
}

// samples are how many a time in clock ticks has; a part of one counts as one, so that a
// frame that lacks it is filled.
func (p *Playout) samples(ticks uint32) int {
	return (int(ticks)*p.tape.rate + p.clock - 1) / p.clock
}

const (
	silent    = -127
	mostNoise = -30 // dBov; louder is a mistake, and not comfortable
)

// take puts on the tape what the buffer said is next.
func (p *Playout) take(s jitter.Sound) {
	n := p.samples(s.Span)
	switch {
	case s.Kind == jitter.Play:
		p.decode(s)
	case s.Kind == jitter.Conceal:
		p.cover(n, s.Brief)
	case s.Payload != nil:
		// RFC 3389 §3.1: the level in -dBov, of which the most significant bit is zero. The
		// spectrum behind it is not followed: the noise is white.
		p.noise.SetLevel(min(mostNoise, -float64(s.Payload[0]&0x7f)))
		return
	default:
		p.rest(n, s.Kind == jitter.Noise)
	}
	p.last = s.Kind
}

// cover conceals n samples.
func (p *Playout) cover(n int, brief bool) {
	p.incomplete = true
	fade := conceal.Fade
	if brief {
		fade = conceal.Brief
	}
	dst, past := p.tape.room(n)
	if own, ok := p.decoder.(codec.Concealer); ok && p.tape.rate == p.codec.Rate() && own.Conceal(dst) == n {
		p.tape.add(n, true)
		return
	}
	p.conceal.Cover(dst, past, fade)
	p.tape.add(n, true)
}

// rest is a pause of n samples.
func (p *Playout) rest(n int, noise bool) {
	dst, past := p.tape.room(n)
	if clear(dst); noise {
		p.noise.Fill(dst)
	}
	voiced := p.last == jitter.Play || p.conceal.Covering()
	if voiced {
		p.conceal.Resume(dst, past) // the voice does not break off
	}
	p.tape.add(n, noise || voiced)
}
