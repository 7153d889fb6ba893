package jitter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
)

const (
	clockRate = 8000
	frame     = 160 // bytes and clock ticks of 20 ms
)

// rig is a party, a network and a listener in virtual time. Sequence numbers
// and timestamps are given from wherever the scene is set. A byte is a clock tick.
type rig struct {
	t      *testing.T
	b      *Buffer
	seq    uint16
	ts     uint32
	now    time.Time
	rest   Sound           // Play, of which a part is in the next frame
	number float64         // of rest
	log    strings.Builder // of what came out
	sent   map[uint32]said // by timestamp as the buffer has it
}

// said is what a packet was.
type said struct {
	ts     uint32
	number float64
}

// scenes plays a scene so that sequence numbers and timestamps pass every kind
// of wrap in the middle of it.
func scenes(t *testing.T, c Config, play func(r *rig)) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint16{0, 1, 1000, 0x7ffa, 0x7fff, 0x8000, 0xfff0, 0xfff8, 0xfffc, 0xfffd, 0xfffe, 0xffff} {
		for _, ts := range []uint32{0, 1, 77, 0x7ffffd00, 0x7fffffff, 0x80000000, 0xfffffa00, 0xfffffe00, 0xffffffff} {
			play(&rig{t: t, b: New(c), seq: seq, ts: ts, now: time.Unix(1000, 0), sent: map[uint32]said{}})
			if t.Failed() {
				t.Fatalf("played from sequence number %#x, timestamp %#x", seq, ts)
			}
		}
	}
}

// sample is the byte for a clock tick: no stretch of them is like another.
func sample(ts uint32) byte { return byte(ts*2654435761>>13 ^ ts) }

func sound(ts uint32, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = sample(ts + uint32(i))
	}
	return out
}

// send lets packets of 20 ms arrive now.
func (r *rig) send(numbers ...int) {
	for _, n := range numbers {
		r.packet(n, n*frame, frame)
	}
}

func (r *rig) packet(n, ts, size int) {
	at := r.ts + uint32(ts)
	payload := sound(at, size)
	r.b.Push(r.now, Packet{Codec: codec.PCMA, Seq: r.seq + uint16(n), TS: at, Span: uint32(size), Payload: payload})
	clear(payload) // the buffer has its own copy
	r.sent[at+r.b.shift] = said{at, float64(ts) / frame}
}

// noise lets a packet of comfort noise arrive now.
func (r *rig) noise(n, ts int) {
	r.b.Push(r.now, Packet{Seq: r.seq + uint16(n), TS: r.ts + uint32(ts), Payload: []byte{60}})
}

// tick is 20 ms later: what comes out is written down by the number of its
// packet, as "~" when a gap is to be covered, as "." when there is nothing, as
// "n" when there is comfort noise; what shares a frame is joined by "+".
func (r *rig) tick() {
	r.t.Helper()
	r.now = r.now.Add(tick)
	r.b.Excess(r.now, r.now.Add(r.b.time(int64(r.rest.Span))))
	var parts []string
	for left := uint32(frame); left > 0; {
		part, n := r.pop(left)
		if len(parts) == 0 || part != parts[len(parts)-1] {
			parts = append(parts, part)
		}
		left -= n
	}
	r.log.WriteString(" " + strings.Join(parts, "+"))
}

func (r *rig) pop(want uint32) (string, uint32) {
	r.t.Helper()
	if r.rest.Span > 0 {
		return r.play(want)
	}
	s := r.b.Pop(r.now.Add(time.Duration(frame-want)*time.Second/clockRate), want)
	if s.Kind != Play && s.Span > want || s.Span == 0 && (s.Kind != Noise || s.Payload == nil) {
		r.t.Fatalf("%v of %d ticks where %d were wanted", s.Kind, s.Span, want)
	}
	if s.Kind == Play {
		if was := r.played(s); string(s.Payload) != string(sound(was.ts, len(s.Payload))) {
			r.t.Errorf("the sound of clock tick %#x is not what was sent", was.ts)
		}
		r.rest, r.number = s, r.played(s).number
		return r.play(want)
	}
	if (s.Payload != nil) != (s.Kind == Noise && s.Span == 0) {
		r.t.Errorf("%v of %d ticks with %d bytes", s.Kind, s.Span, len(s.Payload))
	}
	return [...]string{Empty: ".", Conceal: "~", Noise: "n"}[s.Kind], s.Span
}

// play takes as much of the packet as is wanted.
func (r *rig) play(want uint32) (string, uint32) {
	from := len(r.rest.Payload) - int(r.rest.Span)
	n := min(want, r.rest.Span)
	number := r.number + float64(from)/frame
	r.rest.Span -= n
	return fmt.Sprintf("%g", number), n
}

// played is the packet that Pop has just given.
func (r *rig) played(s Sound) said { return r.sent[r.b.cursor-uint32(len(s.Payload))] }

func (r *rig) ticks(n int) {
	r.t.Helper()
	for range n {
		r.tick()
	}
}

// run lets packets arrive one per tick.
func (r *rig) run(from, to int) {
	r.t.Helper()
	for n := from; n <= to; n++ {
		r.send(n)
		r.tick()
	}
}

// heard compares what came out since the last time.
func (r *rig) heard(want string) {
	r.t.Helper()
	if got := strings.TrimSpace(r.log.String()); got != want {
		r.t.Errorf("heard %q, want %q", got, want)
	}
	r.log.Reset()
}

// numbers are those of n packets from the first on, as tick writes them down.
func numbers(first, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%g", float64(first+i)))
	}
	return out
}
