package engine

import (
	"testing"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/report"
)

// quietCall is a relay of two of whom the second says nothing.
func quietCall(t testing.TB, d time.Duration) (r *rig, a, b *phone) {
	r = newRig(t, labConfig(testLibrary(t)))
	a, b = r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	b.talks = false
	r.run(d)
	a.forget()
	b.forget()
	return r, a, b
}

// TestSilentPartyIsCheap: who has had nothing to hear for a while gets a frame each 180 ms, in one stream; what is
// said then is heard from its first packet on.
func TestSilentPartyIsCheap(t *testing.T) {
	r, a, b := quietCall(t, 3*time.Second)
	r.run(10 * time.Second)
	if n := len(a.got); n < 55 || n > 56 {
		t.Errorf("%d packets in 10 s of silence, want 55", n)
	}
	if n := len(b.got); n != 500 {
		t.Errorf("%d packets in 10 s to who hears the other", n)
	}
	for _, p := range a.got {
		if level := pcm.Level(decoded(codec.PCMA, p.Packet)); !p.Marker || level < -75 || level > -66 {
			t.Fatalf("a frame of %.1f dBFS, marker %v", level, p.Marker)
		}
	}
	b.header.Timestamp += report.Clock(8).Ticks(13 * time.Second)
	for range 50 {
		a.forget()
		b.talks = true
		r.step()
		if n := len(a.got); n != 1 || !a.got[0].Marker {
			t.Fatalf("%d packets where the first word was said: %v", n, a.got)
		}
		b.talks = false
		r.run(5*time.Second + 20*time.Millisecond) // each time at another place of the pause
		b.header.Timestamp += report.Clock(8).Ticks(5*time.Second + 20*time.Millisecond)
	}
	b.talks = true
	r.run(200 * time.Millisecond)
	a.forget()
	b.forget()
	r.run(time.Second)
	a.mustHear(b)
	a.oneStream()
}

// TestNobodyHasSpoken: who hears one that has said nothing yet gets less after a fifth of a second; after its first
// word a pause is filled for as long as any.
func TestNobodyHasSpoken(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.talks, b.talks = false, false
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(2 * time.Second)
	if n := len(a.got); n < dumbAfter || n > dumbAfter+12 {
		t.Errorf("%d packets in 2 s of one who says nothing, want %d and one each %v", n, dumbAfter, restPace)
	}
	if n := r.shard.count.silences.Load(); n != 2 {
		t.Errorf("%d parties were left in silence for a second, want 2", n)
	}
	b.talks = true
	r.run(time.Second)
	b.talks = false
	a.forget()
	r.run(time.Second)
	if n := len(a.got); n < 45 {
		t.Errorf("%d packets in the first second of a pause", n)
	}
	a.oneStream()
}

func decoded(id codec.ID, p rtp.Packet) []int16 {
	samples := make([]int16, len(p.Payload))
	codec.Decode(id, samples, p.Payload)
	return samples
}

// TestSilenceByNoise: RFC 3389 §3.1, who has sent comfort noise is told how the silence sounds, and makes it himself.
func TestSilenceByNoise(t *testing.T) {
	r, a, _ := quietCall(t, 3*time.Second)
	a.pause(60, 20*time.Millisecond)
	a.talks = true
	r.run(2 * time.Second)
	a.forget()
	r.run(10 * time.Second)
	if n := len(a.got); n != 11 {
		t.Errorf("%d packets in 10 s, want 11", n)
	}
	for _, p := range a.got {
		if p.PayloadType != comfortNoise || len(p.Payload) != 1 || p.Payload[0] != hushLevel {
			t.Fatalf("%d bytes %v of type %d", len(p.Payload), p.Payload, p.PayloadType)
		}
	}
	a.oneStream()
}

// TestWatchInSilence: a phone that goes on to say nothing is missed as soon as one that talked, a key is reported when
// it comes, and an announcement is whole.
func TestWatchInSilence(t *testing.T) {
	r, a, b := quietCall(t, 5*time.Second)
	a.talks = false
	r.run(5 * time.Second)
	r.allEvents()
	a.talks = true
	r.run(3 * time.Second)
	r.signs()
	a.talks = false
	last := r.now
	for len(r.signs()) == 0 && r.now.Sub(last) < 10*time.Second {
		r.step()
	}
	if took := r.now.Sub(last); took > r.shard.cfg.SilenceTimeout+2*restPace {
		t.Errorf("missed after %v, want %v", took, r.shard.cfg.SilenceTimeout)
	}
	r.run(5 * time.Second)
	r.events()
	b.press(5, b.header.Timestamp, false, 160)
	r.pass(time.Millisecond)
	if got := r.events(); len(got) == 0 {
		t.Error("a key is not reported when it comes")
	}
	a.forget()
	a.hears(Playlist{ID: 9, Items: []string{"music"}, Loop: true})
	r.run(time.Second)
	if n := len(a.got); n < 49 {
		t.Errorf("%d packets of an announcement in a second", n)
	}
}

// BenchmarkSilentCall is 20 ms of a relay: two who talk, one of two, and nobody.
func BenchmarkSilentCall(b *testing.B) {
	for name, talk := range map[string]int{"both": 2, "one": 1, "nobody": 0} {
		b.Run(name, func(b *testing.B) {
			r := call(b, connectRelay)
			f := newFeed(r, 2)
			f.packets = f.packets[:talk]
			for range 2 * restAfter {
				f.tick()
			}
			sent := r.wire.sent
			b.ReportAllocs()
			for b.Loop() {
				f.tick()
			}
			b.ReportMetric(float64(r.wire.sent-sent)/float64(b.N), "sent/op")
		})
	}
}
