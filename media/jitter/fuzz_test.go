package jitter

import (
	"testing"
	"time"
)

// Whatever comes in whatever order: what plays is what was sent for that clock
// tick, time does not run backwards within a stream, and no more is held than allowed.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 0, 20, 0, 1, 1, 20, 1, 2, 2, 20, 1, 3, 3, 20, 1}, uint16(0xfffe), uint32(0xffffff00))
	f.Add([]byte{5, 5, 30, 1, 4, 4, 30, 1, 0x40, 0x90, 20, 1, 0x41, 0x91, 20, 1}, uint16(0), uint32(0))
	f.Fuzz(func(t *testing.T, in []byte, seq uint16, ts uint32) {
		b, now := New(Default()), time.Unix(1, 0)
		for ; len(in) >= 4; in = in[4:] {
			push(b, now, seq+uint16(int8(in[0])), ts+uint32(offset(in[1])), int(in[2])*4)
			if d := b.Depth(); d > 160*time.Millisecond { // a packet of 120 ms on top of the delay
				t.Fatalf("%v are held", d)
			}
			for range in[3] % 8 {
				now = now.Add(tick)
				before, was := b.cursor, b.phase
				payload, kind := b.Pop(now)
				if kind == Play && string(payload) != string(sound(b.cursor-uint32(frame), frame)) {
					t.Fatal("another sound than was sent")
				}
				if was >= filling && b.phase == playing && kind != Empty && b.cursor != before+uint32(frame) {
					t.Fatalf("the cursor went from %#x to %#x", before, b.cursor)
				}
			}
		}
	})
}

// offset reaches near and far with one byte.
func offset(x byte) int32 {
	if x&0x80 != 0 {
		return int32(int8(x<<1)) << 14
	}
	return int32(x) * 80
}

func push(b *Buffer, now time.Time, seq uint16, ts uint32, size int) {
	b.Push(now, seq, ts, sound(ts, size))
}
