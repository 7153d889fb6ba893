package jitter

import (
	"testing"
	"time"

	"liandong/media/codec"
)

// Whatever comes in whatever order: what plays is what was sent for that clock
// tick, a frame is always filled, and time does not run backwards within a stream.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{0, 0, 20, 0, 1, 1, 20, 1, 2, 2, 20, 1, 3, 3, 20, 1}, uint16(0xfffe), uint32(0xffffff00))
	f.Add([]byte{5, 5, 30, 1, 4, 4, 30, 1, 0x40, 0x90, 20, 1, 0x41, 0x91, 20, 1}, uint16(0), uint32(0))
	f.Add([]byte{0, 0, 20, 0, 1, 2, 0, 1, 2, 9, 20, 0x81, 0x83, 4, 40, 1, 3, 5, 40, 2}, uint16(0), uint32(1<<31))
	f.Fuzz(func(t *testing.T, in []byte, seq uint16, ts uint32) {
		b, now := New(Default()), time.Unix(1, 0)
		sent := map[uint32]uint32{} // timestamps by those that the buffer has made of them
		for ; len(in) >= 4; in = in[4:] {
			p := Packet{Codec: codec.PCMA, Seq: seq + uint16(int8(in[0])), TS: ts + uint32(offset(in[1])),
				Span: uint32(in[2]) * 4}
			p.Payload = sound(p.TS, int(p.Span))
			if p.Span == 0 {
				p.Codec, p.Payload = 0, []byte{50}
			}
			b.Push(now, p)
			sent[p.TS+b.shift] = p.TS
			now = now.Add(time.Duration(in[3]>>4) * 7 * ms)
			for range in[3] % 8 {
				now = now.Add(tick)
				pull(t, b, sent, now)
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

// pull fills a frame and checks what it is filled with.
func pull(t *testing.T, b *Buffer, sent map[uint32]uint32, now time.Time) {
	if off := b.Excess(now, now); off < -clockRate || off > 2*clockRate {
		t.Fatalf("%d ticks off", off)
	}
	for filled, calls := uint32(0), 0; filled < frame; calls++ {
		before := b.cursor
		s := b.Pop(now.Add(time.Duration(filled)*time.Second/clockRate), frame-filled)
		if calls > 2*frame {
			t.Fatal("the frame is never full")
		}
		if s.Kind != Play && filled+s.Span > frame || s.Span > 960 {
			t.Fatalf("%v of %d ticks", s.Kind, s.Span)
		}
		if s.Kind == Play {
			if string(s.Payload[s.Skip:]) != string(sound(sent[b.cursor-s.Span-s.Skip]+s.Skip, int(s.Span))) {
				t.Fatal("another sound than was sent")
			}
			if back := int32(before - (b.cursor - s.Span)); back > b.limits.uneven {
				t.Fatalf("%d ticks are played again", back)
			}
		}
		filled += s.Span
	}
}
