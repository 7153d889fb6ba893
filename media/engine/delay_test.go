package engine

import (
	"math/rand/v2"
	"testing"
	"time"

	"liandong/media/codec"
)

// TestDelayOfAMix: on a network without jitter a packet is in the frame of the tick that comes after it, also where the
// machine is so busy that each tick is up to 15 ms overdue: what is behind is then the sending, not the sound.
func TestDelayOfAMix(t *testing.T) {
	for _, busy := range []time.Duration{0, 15 * time.Millisecond} {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
		a.hears(Playlist{}, b, c)
		b.hears(Playlist{}, a, c)
		c.hears(Playlist{}, a, b)
		dice := rand.New(rand.NewPCG(1, 2))
		at := r.now
		run := func(ticks int) {
			for range ticks {
				for _, p := range r.phones {
					p.talk()
				}
				at = at.Add(frameTime)
				r.now = at.Add(time.Duration(dice.Int64N(int64(busy) + 1)))
				r.shard.step(r.now)
			}
		}
		run(300)
		for _, p := range r.phones {
			p.forget()
		}
		run(100)
		for _, hearer := range r.phones {
			for _, speaker := range r.phones {
				if hearer == speaker {
					continue
				}
				if d := hearer.delay(speaker); d > 16 { // 2 ms: less is not cut out
					t.Errorf("ticks late by up to %v: leg %d hears leg %d %d samples after the tick for which it spoke",
						busy, hearer.leg, speaker.leg, d)
				}
			}
		}
		if s := r.engine.Stats(); s.Silences != 0 {
			t.Errorf("%d silences", s.Silences)
		}
	}
}
