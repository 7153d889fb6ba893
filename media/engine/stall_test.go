package engine

import (
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/report"
)

// leads gives the timestamps' lead over real time, in samples, against the packet first.
func (p *phone) lead(packet, first taken) int32 {
	real := report.Clock(8).Ticks(packet.at.Sub(first.at))
	return int32(packet.Timestamp - first.Timestamp - real)
}

// settled checks that the sound of the last 100 ms is no more than a frame and a half off
// real time, and that no packet ever went back in time.
func (p *phone) settled(name string) {
	t := p.rig.t
	t.Helper()
	first, last := p.got[0], p.got[len(p.got)-1]
	if ahead := p.lead(last, first); ahead > 240 || ahead < -240 {
		t.Errorf("%s: leg %d is %d samples ahead of real time", name, p.leg, ahead)
	}
	for i := range p.got[1:] {
		if p.got[i+1].SequenceNumber != p.got[i].SequenceNumber+1 {
			t.Errorf("%s: leg %d: sequence number %d after %d", name, p.leg, p.got[i+1].SequenceNumber,
				p.got[i].SequenceNumber)
		}
		if step := int32(p.got[i+1].Timestamp - p.got[i].Timestamp); step < 160 {
			t.Errorf("%s: leg %d: timestamp moves by %d", name, p.leg, step)
		}
	}
}

// TestStall: the process stands still for half a second while the phones talk on. The ticks
// are skipped, not made up for, and a second later the delay is as before.
func TestStall(t *testing.T) {
	for _, three := range []bool{false, true} {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
		if three {
			a.hears(Playlist{}, b, c)
			b.hears(Playlist{}, a, c)
			c.hears(Playlist{}, a, b)
		}
		r.run(time.Second)
		sent := r.wire.sent
		for range 25 {
			for _, p := range r.phones {
				p.talk()
			}
			r.now = r.now.Add(frameTime)
		}
		r.pass(0)
		if burst := (r.wire.sent - sent) / 3; burst > 8 {
			t.Errorf("three %v: %d packets at once to each after the stall", three, burst)
		}
		if skipped := r.engine.Stats().SkippedTicks; skipped < 20 {
			t.Errorf("three %v: %d ticks skipped", three, skipped)
		}
		r.run(time.Second)
		for _, p := range r.phones {
			p.settled("after the stall")
		}
		a.forget()
		b.said, c.said = nil, nil
		r.run(time.Second)
		a.mustHear(b)
		// Had the backlog stayed, b would be found half a second late.
		if delay := a.delay(b); delay > 1000 {
			t.Errorf("three %v: delay of %d samples", three, delay)
		}
	}
}

// delay finds how many samples after it was said the other is heard; both forgotten at
// the same time.
func (p *phone) delay(of *phone) int {
	sound, best, at := p.heard(), 0.0, 0
	for lag := 0; lag < 4000 && lag+1600 < len(sound); lag += 1 {
		var sum float64
		for i := range 1600 {
			sum += float64(sound[lag+i]) * float64(of.said[i])
		}
		if sum > best {
			best, at = sum, lag
		}
	}
	return at
}

// TestBurst: a sender is silent for two seconds and then sends them all at once.
func TestBurst(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, b)
	c.hears(Playlist{}, a, b)
	r.run(time.Second)
	b.talks = false
	r.run(2 * time.Second)
	for range 100 {
		b.talk()
	}
	sent := len(a.got)
	r.pass(0)
	if burst := len(a.got) - sent; burst > 7 {
		t.Errorf("%d packets of the burst were passed on at once", burst)
	}
	b.talks = true
	r.run(8 * time.Second) // noise has few places to cut at
	a.settled("after the burst")
	c.settled("after the burst")
	a.forget()
	c.got, b.said = nil, nil
	r.run(time.Second)
	for _, p := range []*phone{a, c} {
		p.mustHear(b)
		if delay := p.delay(b); delay > 1000 {
			t.Errorf("leg %d: delay of %d samples", p.leg, delay)
		}
	}
}

// TestTicksFollowTime: late wake-ups lose no tick and bend no clock.
func TestTicksFollowTime(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	for _, ms := range []int{20, 25, 15, 47, 13, 20, 1, 19, 33, 7} {
		r.pass(time.Duration(ms) * time.Millisecond)
	}
	if len(a.got) != 10 {
		t.Fatalf("%d packets in 200 ms, want 10", len(a.got))
	}
	for i, packet := range a.got {
		if packet.Timestamp-a.got[0].Timestamp != uint32(i)*frameSamples {
			t.Errorf("packet %d: timestamp %d after the first", i, packet.Timestamp-a.got[0].Timestamp)
		}
	}
}

// TestJumpsAreMarked: when a sender has stood still, the stream that is relayed catches up with
// real time, and says so at each step.
func TestJumpsAreMarked(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	b.talks = false
	r.run(60 * time.Millisecond) // too short for noise in its place
	b.talks = true
	a.forget()
	r.run(2 * time.Second)
	jumps := 0
	for i := range a.got[1:] {
		before, packet := a.got[i], a.got[i+1]
		if packet.Timestamp-before.Timestamp == frameSamples {
			continue
		}
		if jumps++; !packet.Marker {
			t.Errorf("packet %d jumps by %d without a marker", i+1, packet.Timestamp-before.Timestamp)
		}
	}
	if jumps == 0 {
		t.Error("the stream did not catch up")
	}
}
