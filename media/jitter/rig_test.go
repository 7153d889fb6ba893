package jitter

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// rig is a party, a network and a listener in virtual time. Sequence numbers
// and timestamps are given from wherever the scene is set.
type rig struct {
	t   *testing.T
	b   *Buffer
	seq uint16
	ts  uint32
	now time.Time
	log strings.Builder // of what came out
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
			play(&rig{t: t, b: New(c), seq: seq, ts: ts, now: time.Unix(1000, 0)})
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
	r.b.Push(r.now, r.seq+uint16(n), at, payload)
	clear(payload) // the buffer has its own copy
}

// tick is 20 ms later: what comes out is written down by the number of its
// packet, as "~" when a gap is to be covered, as "." when there is nothing.
func (r *rig) tick() {
	r.t.Helper()
	r.now = r.now.Add(tick)
	payload, kind := r.b.Pop(r.now)
	switch kind {
	case Empty:
		r.log.WriteString(" .")
	case Conceal:
		r.log.WriteString(" ~")
	case Play:
		from := r.b.cursor - uint32(frame)
		if string(payload) != string(sound(from, frame)) {
			r.t.Errorf("the sound of clock tick %#x is not what was sent", from)
		}
		fmt.Fprintf(&r.log, " %g", float64(int32(from-r.ts))/float64(frame))
	}
	if (payload == nil) != (kind != Play) {
		r.t.Errorf("%v with %d bytes", kind, len(payload))
	}
}

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

// holes loses every second packet until the ring has gone round several times:
// anything left in it from before would be heard in their place.
func (r *rig) holes(from int) {
	r.t.Helper()
	r.log.Reset()
	for n := from; n < from+60; n += 2 {
		r.send(n)
		r.ticks(2)
	}
	if got := r.log.String(); strings.Count(got, "~") < 27 {
		r.t.Errorf("every second packet is lost, but heard is%s", got)
	}
	r.log.Reset()
}

// heard compares what came out since the last time.
func (r *rig) heard(want string) {
	r.t.Helper()
	if got := strings.TrimSpace(r.log.String()); got != want {
		r.t.Errorf("heard %q, want %q", got, want)
	}
	r.log.Reset()
}
