package load

import (
	"bytes"
	"testing"

	"liandong/media/codec"

	"github.com/pion/rtp"
)

// speaking is a stream as it is in a call.
func speaking(t testing.TB, s side, w *window) *stream {
	t.Helper()
	clip, err := clipOf(s)
	if err != nil {
		t.Fatal(err)
	}
	one := newStream(uint32(s)<<sideShift|1, s, w)
	one.voice, one.law, one.events, one.sending = clip, codec.PCMA, 101, true
	one.counted.delays = new([sides]delays)
	return one
}

// Two streams over a perfect network: everything that was sent within the window is there, and counted once.
func TestStreamsAddUp(t *testing.T) {
	w := &window{at(1000), at(3000)}
	a, b := speaking(t, caller, w), speaking(t, desk, w)
	for now := int64(0); now < 4000; now += 20 {
		b.take(a.tick(at(now)), at(now+3))
		a.take(b.tick(at(now+10)), at(now+14))
	}
	for _, pair := range [][2]*stream{{a, b}, {b, a}} {
		h := pair[1].counted.mostOf(pair[0].side)
		if h == nil || pair[0].counted.out != 100 || h.in != 100 || pair[1].counted.unmarked != 0 {
			t.Errorf("%s: out %d, in %+v", pair[0].side, pair[0].counted.out, h)
		}
	}
	if s := b.counted.delays[caller].summary(); s.P50 != 3 || s.Max != 3 {
		t.Errorf("one way %+v", s)
	}
	if s := a.counted.delays[desk].summary(); s.P50 != 4 || s.Max != 4 {
		t.Errorf("one way %+v", s)
	}
}

func TestStreamKeys(t *testing.T) {
	s := speaking(t, desk, &window{})
	s.keys.Queue("*1")
	var events, voice int
	for now := int64(0); now < 600; now += 20 {
		p, ok := parseRTP(s.tick(at(now)))
		switch {
		case !ok:
			t.Fatal("no packet")
		case p.pt == 101:
			events++
		default:
			voice++
		}
	}
	if events != 14 || len(s.presses) != 2 || s.presses[0] != at(0) || s.presses[1] <= s.presses[0] {
		t.Errorf("%d event packets, presses %v", events, s.presses)
	}
	if voice != 16 {
		t.Errorf("%d packets of voice", voice)
	}
}

func TestStreamIsSilentUntilConnected(t *testing.T) {
	s := speaking(t, caller, &window{})
	s.sending = false
	ts := s.ts
	if s.tick(at(0)) != nil {
		t.Error("it speaks")
	}
	if s.ts != ts+160 {
		t.Error("its clock stands")
	}
}

func TestStreamAllocatesNothing(t *testing.T) {
	w := &window{at(0), at(1 << 40)}
	a, b := speaking(t, caller, w), speaking(t, desk, w)
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		b.take(a.tick(at(now)), at(now+1))
		now += 20
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestParseRTP(t *testing.T) {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: 77, SSRC: 5, CSRC: []uint32{1, 2}},
		Payload: []byte("sound")}
	if err := p.SetExtension(1, []byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	p.Header.Padding, p.PaddingSize = true, 4
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := parseRTP(b)
	if !ok || got.pt != 8 || got.seq != 77 || got.ssrc != 5 || !bytes.Equal(got.payload, p.Payload) {
		t.Errorf("%+v, %v", got, ok)
	}
}

func FuzzParseRTP(f *testing.F) {
	f.Add([]byte{0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 'x'})
	f.Add([]byte{0xb2, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		ours, ok := parseRTP(b)
		var p rtp.Packet
		if err := p.Unmarshal(b); err == nil && p.Version == 2 {
			if !ok || ours.seq != p.SequenceNumber || ours.pt != p.PayloadType ||
				!bytes.Equal(ours.payload, p.Payload) {
				t.Fatalf("%+v, %v; want %v", ours, ok, p)
			}
		}
	})
}

func BenchmarkStream(b *testing.B) {
	w := &window{at(0), at(1 << 40)}
	from, to := speaking(b, caller, w), speaking(b, desk, w)
	now := int64(0)
	for b.Loop() {
		to.take(from.tick(at(now)), at(now))
		now += 20
	}
}
