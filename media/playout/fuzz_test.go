package playout

import (
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/jitter"
)

// FuzzPlayout: whatever comes, in any codec and at any time, each tick has its frame, and
// when the party has been gone for a second it is not heard any more.
func FuzzPlayout(f *testing.F) {
	f.Add([]byte{0, 0, 0x20, 1, 1, 1, 0x20, 1, 2, 2, 0x20, 1, 3, 3, 0x20, 9}, uint16(0xfffe), uint32(0xffffff00))
	f.Add([]byte{0, 0, 0x20, 1, 1, 1, 0x21, 1, 2, 2, 0x22, 1, 3, 3, 0x60, 3, 4, 6, 0x13, 1}, uint16(0), uint32(0))
	f.Add([]byte{0, 0, 0x20, 1, 1, 1, 0x23, 1, 9, 2, 0x22, 7, 30, 31, 0x62, 12, 4, 6, 0xd3, 1}, uint16(40000),
		uint32(1<<31))
	f.Fuzz(func(t *testing.T, in []byte, seq uint16, ts uint32) {
		p, now := New(jitter.Default()), time.Unix(1, 0)
		payload := make([]byte, 2000)
		for i := range payload {
			payload[i] = byte(i * 31)
		}
		for ; len(in) >= 4; in = in[4:] {
			at, stamp := seq+uint16(int8(in[0])), ts+uint32(int8(in[1]))*160
			switch part := payload[:int(in[2]>>2)*16]; in[2] & 3 {
			case 3:
				p.Noise(now, at, stamp, part)
			default:
				p.Push(now, codec.ID(in[2]&3+1), at, stamp, part)
			}
			rate := 8000 << (in[3] >> 7)
			for range in[3] & 0x0f {
				now = now.Add(tick + time.Duration(in[3]>>4&7)*ms)
				pull(t, p, now, rate)
			}
		}
		for range 100 {
			now = now.Add(tick)
			pull(t, p, now, 8000)
		}
		if _, audible := p.Pull(now.Add(tick), 8000); audible && p.last != jitter.Noise {
			t.Error("a party that is gone is heard")
		}
	})
}

func pull(t *testing.T, p *Playout, now time.Time, rate int) {
	frame, audible := p.Pull(now, rate)
	if len(frame) != rate/50 {
		t.Fatalf("%d samples", len(frame))
	}
	for i, s := range frame {
		if !audible && s != 0 {
			t.Fatalf("sample %d of a frame in which nothing is heard is %d", i, s)
		}
	}
}
