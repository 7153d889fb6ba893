package engine

import (
	"testing"
	"time"

	"github.com/pion/rtp"
)

// relayed is one packet of a source and what becomes of it.
type relayed struct {
	seq, after int  // of the source; ms since the last one
	drop       bool // it must have no place
	want       int  // sequence number against the first one's
}

// TestRewriter: loss, reordering and duplicates are passed on as they are, at every wrap.
func TestRewriter(t *testing.T) {
	for _, c := range []struct {
		name    string
		packets []relayed
	}{
		{"in order", []relayed{{0, 0, false, 0}, {1, 20, false, 1}, {2, 20, false, 2}}},
		{"loss stays visible", []relayed{{0, 0, false, 0}, {3, 60, false, 3}, {4, 20, false, 4}}},
		{"reordered", []relayed{{0, 0, false, 0}, {2, 40, false, 2}, {1, 0, false, 1}, {3, 20, false, 3}}},
		{"late at the end", []relayed{{0, 0, false, 0}, {2, 40, false, 2}, {3, 20, false, 3}, {1, 0, false, 1}}},
		{"doubled", []relayed{{0, 0, false, 0}, {1, 20, false, 1}, {1, 0, false, 1}, {2, 20, false, 2}}},
		{"before the first", []relayed{{0, 0, false, 0}, {-1, 0, true, 0}, {1, 20, false, 1}}},
		{"starts anew", []relayed{{0, 0, false, 0}, {1, 20, false, 1}, {9000, 20, false, 2}, {9001, 20, false, 3}}},
	} {
		for _, seq := range []uint16{0, 1, 7000, 32766, 32768, 65533, 65535} {
			for _, ts := range []uint32{0, 1<<31 - 100, 1<<32 - 200} {
				o := outgoing{ssrc: 1, clock: 8, seq: 65534 - seq, base: ts * 3}
				first := o.seq
				r, now := rewriter{}, time.Unix(1000, 0)
				for i, p := range c.packets {
					now = now.Add(time.Duration(p.after) * time.Millisecond)
					h := &rtp.Header{SSRC: 5, SequenceNumber: seq + uint16(p.seq), Timestamp: ts + uint32(p.seq)*160}
					gotSeq, gotTS, ok := r.place(&o, h, 160, now)
					if ok != !p.drop {
						t.Fatalf("%s at %d: packet %d placed %v", c.name, seq, i, ok)
					}
					if !ok {
						continue
					}
					if gotSeq != first+uint16(p.want) || gotTS != o.base+uint32(p.want)*160 {
						t.Fatalf("%s at %d: packet %d is %d, %d", c.name, seq, i, gotSeq-first, gotTS-o.base)
					}
					o.packet(gotSeq, gotTS, 160, 160, now)
				}
				last := 0
				for _, p := range c.packets {
					last = max(last, p.want)
				}
				if o.seq != first+uint16(last)+1 || o.last != o.base+uint32(last)*160 {
					t.Fatalf("%s at %d: goes on with %d, %d", c.name, seq, o.seq-first, o.last-o.base)
				}
			}
		}
	}
}

// TestRewriterDrift: a source whose clock is wrong by 200 ppm does not move its hearer's
// stream away from real time, in a call of an hour and for some lost frames only.
func TestRewriterDrift(t *testing.T) {
	for _, ppm := range []int{-200, 0, 200} {
		o := newOutgoing()
		r, now, dropped := rewriter{}, time.Unix(1000, 0), 0
		h := &rtp.Header{SSRC: 5, SequenceNumber: 65000, Timestamp: 1<<32 - 1}
		for i := range 3600 * 50 {
			now = now.Add(frameTime - time.Duration(ppm)*frameTime/1_000_000)
			jitter := time.Duration(i*7919%15) * time.Millisecond
			seq, ts, ok := r.place(&o, h, 160, now.Add(jitter))
			h.SequenceNumber++
			h.Timestamp += 160
			if !ok {
				dropped++
				continue
			}
			if seq != o.seq {
				t.Fatalf("%d ppm: sequence number %d, want %d", ppm, seq, o.seq)
			}
			o.packet(seq, ts, 160, 160, now)
			if ahead := o.lead(ts, now); ahead > 3*160 || ahead < -4*160 {
				t.Fatalf("%d ppm: %d samples ahead after %d packets", ppm, ahead, i)
			}
		}
		if dropped > 40 || ppm <= 0 && dropped > 1 {
			t.Errorf("%d ppm: %d frames dropped in an hour", ppm, dropped)
		}
	}
}
