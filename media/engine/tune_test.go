package engine

import (
	"math"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// TestMute: who is muted is heard by nobody, in a plain relay and in a mix, hears on, and
// its keys count.
func TestMute(t *testing.T) {
	for _, three := range []bool{false, true} {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
		if three {
			a.hears(Playlist{}, b, c)
			b.hears(Playlist{}, a, c)
			c.hears(Playlist{}, a, b)
		}
		r.settle()
		r.run(time.Second)
		b.mustHear(a)

		r.session.Do(Tune{Leg: 1, Gain: 0})
		r.run(200 * time.Millisecond)
		a.forget()
		b.forget()
		c.forget()
		r.run(time.Second)
		b.mustNotHear(a)
		c.mustNotHear(a)
		a.mustHear(b)
		if three {
			b.mustHear(c)
		}
		a.press(5, 1000, true, 800)
		r.step()
		if got := r.events(); len(got) != 1 {
			t.Errorf("three %v: events %v, want the key of who is muted", three, got)
		}

		r.session.Do(Tune{Leg: 1, Gain: pcm.Unity})
		r.run(200 * time.Millisecond)
		a.forget()
		b.forget()
		r.run(time.Second)
		b.mustHear(a)
		b.oneStream()
	}
}

// TestWhisperToTheDesk: the supervisor is heard by the desk and not by the caller, and hears both.
func TestWhisperToTheDesk(t *testing.T) {
	r := newRig(t, labConfig(nil))
	caller, desk, supervisor := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	caller.hears(Playlist{}, desk)
	desk.hears(Playlist{}, caller, supervisor)
	supervisor.hears(Playlist{}, caller, desk)
	r.settle()
	r.run(2 * time.Second)
	caller.mustHear(desk)
	caller.mustNotHear(supervisor)
	desk.mustHear(caller, supervisor)
	supervisor.mustHear(caller, desk)
}

// TestListenOnly: a supervisor who is in nobody's From hears both and is heard by none, and
// the two are in a plain relay.
func TestListenOnly(t *testing.T) {
	r := newRig(t, labConfig(nil))
	caller, desk, supervisor := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	caller.hears(Playlist{}, desk)
	desk.hears(Playlist{}, caller)
	supervisor.hears(Playlist{}, caller, desk)
	r.settle()
	r.run(2 * time.Second)
	supervisor.mustHear(caller, desk)
	for _, pair := range [][2]*phone{{caller, desk}, {desk, caller}} {
		pair[0].mustNotHear(supervisor)
		if like := pair[0].likeness(pair[1]); like < 0.98 {
			t.Errorf("leg %d hears leg %d with correlation %.2f, want nothing else beside it", pair[0].leg, pair[1].leg,
				like)
		}
	}
}

// TestGain: a party is made softer and louder for all who hear it, whether there are two in
// the call or three; what would be too loud is not clipped.
func TestGain(t *testing.T) {
	for _, c := range []struct {
		gain pcm.Q12
		want float64
	}{
		{pcm.Unity / 4, 0.25}, {2 * pcm.Unity, 2}, {pcm.Unity, 1}, {-5, 0}, {1 << 30, 8},
	} {
		r := newRig(t, labConfig(nil))
		a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
		a.talks, b.talks = false, false
		b.hears(Playlist{}, a)
		r.session.Do(Tune{Leg: 1, Gain: c.gain})
		for i := range 20 {
			if i == 10 {
				b.forget()
			}
			a.send(loud(codec.PCMA))
			r.step()
		}
		var sound [160]int16
		codec.Decode(codec.PCMA, sound[:], loud(codec.PCMA))
		said, heard := rms(sound[:]), rms(b.heard())
		want := min(32767/math.Sqrt2, c.want*said)
		if heard < 0.9*want-20 || heard > 1.1*want+20 {
			t.Errorf("gain %d: %.0f is heard with %.0f, want %.0f", c.gain, said, heard, want)
		}
	}
}

func rms(sound []int16) float64 { return math.Pow(10, pcm.Level(sound)/20) * 32768 }
