package playout

import (
	"math"
	"slices"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// listener is what makes sound of packets: a Playout, or another to compare it with.
type listener interface {
	Push(now time.Time, id codec.ID, seq uint16, ts uint32, payload []byte)
	Pull(now time.Time, rate int) ([]int16, bool)
}

// fixed is a receiver of the plain kind: A-law alone, a delay that does not change, packets of 20 ms by their sequence
// numbers, and the concealment of ITU-T G.711 Appendix I as the standard has it, its delay of 3.75 ms included. A
// timestamp is looked at where a talkspurt begins: what comes again after silence waits as long as the first did.
type fixed struct {
	delay   int // frames that wait when sound begins
	packets map[uint16][]byte
	begun   bool
	waiting int // frames until sound begins
	next    uint16
	newest  uint16
	missed  int // frames in a row
	plc     appendixI
}

func newFixed(delay time.Duration) *fixed {
	return &fixed{delay: int(delay / tick), packets: map[uint16][]byte{}}
}

func (f *fixed) Push(_ time.Time, _ codec.ID, seq uint16, _ uint32, payload []byte) {
	if !f.begun {
		f.begun, f.waiting, f.next, f.newest = true, f.delay, seq, seq
	}
	if int16(seq-f.next) < 0 {
		return
	}
	f.packets[seq] = slices.Clone(payload)
	if int16(seq-f.newest) > 0 {
		f.newest = seq
	}
}

func (f *fixed) Pull(time.Time, int) ([]int16, bool) {
	frame := make([]int16, pcm.FrameSamples)
	if !f.begun {
		return frame, false
	}
	if f.waiting > 0 {
		f.waiting--
		return frame, false
	}
	if payload, ok := f.packets[f.next]; ok {
		codec.Decode(codec.PCMA, frame, payload)
		delete(f.packets, f.next)
		f.next++
		f.missed = 0
		f.plc.good(frame)
		return frame, true
	}
	f.missed++
	f.plc.lost(frame)
	if int16(f.newest-f.next) > 0 {
		f.next++ // it is lost: others behind it are there
	} else if f.missed > 3 {
		f.begun = false // a pause
	}
	return frame, true
}

// appendixI is ITU-T G.711 Appendix I at 8 kHz in frames of 10 ms, written from its text: §I.2.
type appendixI struct {
	history [390]int16 // 48.75 ms
	erased  int        // frames of 10 ms
	pitch   int
	buffer  []float64 // the pitch buffer: what is repeated
	at      int
}

const (
	plcFrame   = 80
	pitchMin   = 40
	pitchMax   = 120
	plcOverlap = 30 // 3.75 ms
)

func (p *appendixI) good(frame []int16) {
	if p.erased > 0 {
		n := min(p.pitch/4+max(0, p.erased-1)*32, plcFrame)
		for i := range n {
			s := p.next() * p.gain(p.erased, i)
			w := float64(i+1) / float64(n+1)
			frame[i] = round(s*(1-w) + float64(frame[i])*w)
		}
		p.erased = 0
	}
	p.put(frame)
}

// put delays what is played, so that the end of it can still be blended.
func (p *appendixI) put(frame []int16) {
	all := append(slices.Clone(p.history[:]), frame...)
	copy(frame, all[len(p.history)-plcOverlap:])
	copy(p.history[:], all[len(frame):])
}

func (p *appendixI) lost(frame []int16) {
	for at := 0; at < len(frame); at += plcFrame {
		p.erase(frame[at : at+plcFrame])
		p.erased++
		p.put(frame[at : at+plcFrame])
	}
}

func (p *appendixI) erase(frame []int16) {
	switch p.erased {
	case 0:
		p.pitch = p.find()
		p.repeat(1)
		// The last quarter of a wavelength that is not played yet goes over into the repeated one.
		q := min(p.pitch/4, plcOverlap)
		for i := range q {
			end := len(p.history) - q + i
			p.history[end] = round(p.buffer[len(p.buffer)-q+i])
		}
	case 1, 2:
		before := p.at
		q := p.pitch / 4
		old := make([]float64, q)
		for i := range old {
			old[i] = p.next()
		}
		p.at = before % p.pitch
		p.repeat(p.erased + 1)
		for i := range frame {
			s := p.next()
			if i < q {
				w := float64(i+1) / float64(q+1)
				s = old[i]*(1-w) + s*w
			}
			frame[i] = round(s * p.gain(p.erased, i))
		}
		return
	}
	for i := range frame {
		frame[i] = round(p.next() * p.gain(p.erased, i))
	}
}

// gain falls by 20 % in each 10 ms after the first; nothing is left after 60 ms.
func (p *appendixI) gain(frame, i int) float64 {
	if frame == 0 {
		return 1
	}
	return max(0, 1-0.2*(float64(frame-1)+float64(i)/plcFrame))
}

// repeat fills the pitch buffer with the last so many periods, whose end goes over into its beginning.
func (p *appendixI) repeat(times int) {
	n, q := p.pitch*times, p.pitch/4
	end := len(p.history)
	p.buffer = make([]float64, n)
	for i := range p.buffer {
		p.buffer[i] = float64(p.history[end-n+i])
	}
	for i := range q {
		w := float64(i+1) / float64(q+1)
		p.buffer[n-q+i] = p.buffer[n-q+i]*(1-w) + float64(p.history[end-n-q+i])*w
	}
	if times == 1 {
		p.at = 0
	}
}

func (p *appendixI) next() float64 {
	s := p.buffer[p.at%len(p.buffer)]
	p.at = (p.at + 1) % len(p.buffer)
	return s
}

// find is the pitch: the lag of 5 to 15 ms at which the last 20 ms correlate most.
func (p *appendixI) find() (lag int) {
	most := math.Inf(-1)
	newest := p.history[len(p.history)-160:]
	for l := pitchMin; l <= pitchMax; l++ {
		older := p.history[len(p.history)-160-l:]
		var both, own float64
		for i, s := range newest {
			both += float64(s) * float64(older[i])
			own += float64(older[i]) * float64(older[i])
		}
		if like := both / math.Sqrt(max(own, 2500)); like > most {
			lag, most = l, like
		}
	}
	return lag
}

func round(x float64) int16 { return int16(max(-32768, min(32767, math.Round(x)))) }
