package engine

import (
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/report"
)

// pause sends a packet of comfort noise of a level, and lets time pass in which the party's
// clock goes on and it says nothing.
func (p *phone) pause(level byte, d time.Duration) {
	p.talks = false
	h := p.header
	h.PayloadType = comfortNoise
	p.put(p.addr, h, []byte{level})
	p.header.SequenceNumber++
	p.rig.run(d)
	p.header.Timestamp += report.Clock(8).Ticks(d)
}

// TestComfortNoiseMixed: in a mix a party that pauses is heard as it said its background sounds.
func TestComfortNoiseMixed(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
	c.talks = false
	a.hears(Playlist{}, b, c)
	r.settle()
	b.pause(45, 200*time.Millisecond)
	a.forget()
	r.run(2 * time.Second)
	if got := pcm.Level(a.heard()); got < -47 || got > -43 {
		t.Errorf("noise of %.1f dBFS is heard, want -45", got)
	}
	b.header.Timestamp += 2 * pcm.Rate
	b.talks = true
	r.run(200 * time.Millisecond)
	a.forget()
	b.forget()
	r.run(time.Second)
	a.mustHear(b)
}

// TestComfortNoiseRelayed: in a relay it is not taken for sound, and there is silence in its place.
func TestComfortNoiseRelayed(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	r.run(time.Second)
	b.pause(10, 200*time.Millisecond)
	a.forget()
	for range 10 {
		b.pause(10, 100*time.Millisecond)
	}
	if n := len(a.got); n < 49 {
		t.Errorf("%d packets in a second", n)
	}
	for _, packet := range a.got {
		if packet.PayloadType != codec.PCMA.PayloadType() || len(packet.Payload) != 160 {
			t.Fatalf("%d bytes of type %d are passed on", len(packet.Payload), packet.PayloadType)
		}
	}
	if got := pcm.Level(a.heard()); got > -60 {
		t.Errorf("sound of %.1f dBFS in a pause", got)
	}
	b.talks = true
	r.run(200 * time.Millisecond)
	a.forget()
	b.forget()
	r.run(time.Second)
	a.mustHear(b)
	a.oneStream()
}

// TestComfortNoiseIsAlive: a party that says nothing for a minute but how it sounds is there.
func TestComfortNoiseIsAlive(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	for range 12 {
		a.pause(60, 5*time.Second)
	}
	for _, e := range r.events() {
		t.Errorf("event %v", e)
	}
}

// TestComfortNoiseFirst: a call may begin with it. With the payload type given to a codec it is sound.
func TestComfortNoiseFirst(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.talks, b.talks = false, false
	a.hears(Playlist{}, b)
	b.pause(50, 500*time.Millisecond)
	if s := r.engine.Stats(); s.Malformed+s.Strangers != 0 {
		t.Errorf("%+v", s)
	}
	agreed := b.stream()
	agreed.Recv[comfortNoise] = codec.PCMU
	r.session.Do(agreed)
	h := b.header
	h.PayloadType = comfortNoise
	b.put(b.addr, h, loud(codec.PCMU))
	a.forget()
	r.step()
	if got := pcm.Level(a.heard()); got < -20 {
		t.Errorf("sound of a type that was agreed on is heard at %.1f dBFS", got)
	}
}

// TestMixedMemory: a party has a play-out while it is mixed, and else none.
func TestMixedMemory(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	has := func(p *phone) bool { return r.session.room.leg(p.leg).voice.playout != nil }
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	if r.step(); has(a) || has(b) || has(c) {
		t.Error("a play-out in a relay")
	}
	a.hears(Playlist{}, b, c)
	if r.step(); has(a) || !has(b) || !has(c) {
		t.Error("who is mixed has no play-out")
	}
	a.hears(Playlist{}, c)
	if r.step(); has(b) || has(c) {
		t.Error("the play-out is not given back")
	}
}
