package engine

import (
	"bytes"
	"testing"
	"time"

	"liandong/media/codec"
)

// TestThreeWay: each hears the two others and nobody himself, whatever the codecs.
func TestThreeWay(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, a, b, c) // naming oneself changes nothing
	b.hears(Playlist{}, a, c)
	c.hears(Playlist{}, a, b)
	r.settle()
	r.run(2 * time.Second)

	a.mustHear(b, c)
	b.mustHear(a, c)
	c.mustHear(a, b)
	for _, p := range r.phones {
		p.mustNotHear(p)
		p.oneStream()
		for _, packet := range p.got {
			if packet.PayloadType != p.codec.PayloadType() {
				t.Fatalf("leg %d got payload type %d", p.leg, packet.PayloadType)
			}
		}
	}
}

// TestWhisper: hearing is not mutual unless it is told so.
func TestWhisper(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a, c)
	c.hears(Playlist{}, a, b)
	r.settle()
	r.run(2 * time.Second)
	a.mustHear(b)
	a.mustNotHear(c)
	b.mustHear(a, c)
	c.mustHear(a, b)
}

// TestTranscoding: a µ-law party and an A-law party understand each other, packet by packet.
func TestTranscoding(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, u := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU)
	a.hears(Playlist{}, u)
	u.hears(Playlist{}, a)
	r.run(time.Second)
	a.mustHear(u)
	u.mustHear(a)
	for _, p := range r.phones {
		for _, packet := range p.got {
			if packet.PayloadType != p.codec.PayloadType() || len(packet.Payload) != 160 {
				t.Fatalf("leg %d got %d bytes of type %d", p.leg, len(packet.Payload), packet.PayloadType)
			}
		}
	}
}

// TestTranscodingIsExact: each byte becomes the other law's byte for it.
func TestTranscodingIsExact(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, u := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU)
	a.talks, u.talks = false, false
	u.hears(Playlist{}, a)
	payload, want := make([]byte, 256), make([]byte, 256)
	for i := range payload {
		payload[i] = byte(i)
	}
	codec.Transcode(codec.PCMU, want, codec.PCMA, payload)
	a.send(payload)
	r.pass(time.Millisecond)
	if len(u.got) != 1 || string(u.got[0].Payload) != string(want) {
		t.Errorf("%d packets, want the one in µ-law", len(u.got))
	}
}

// TestLegCloses: when one of three leaves, the two others are in a plain relay.
func TestLegCloses(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, b, c)
	b.hears(Playlist{}, a, c)
	c.hears(Playlist{}, a, b)
	r.run(time.Second)
	r.session.Do(Close{Leg: 3})
	r.run(100 * time.Millisecond)
	a.forget()
	b.forget()
	r.run(time.Second)
	for _, pair := range [][2]*phone{{a, b}, {b, a}} {
		if like := pair[0].likeness(pair[1]); like < 0.98 {
			t.Errorf("leg %d hears leg %d with correlation %.2f, want nothing else beside it", pair[0].leg, pair[1].leg,
				like)
		}
	}
}

// TestRelayIsExact: with one codec on both sides not a byte of the sound is touched, and
// it does not wait for the tick.
func TestRelayIsExact(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.talks, b.talks = false, false
	b.hears(Playlist{}, a)
	a.talk() // fades in after the silence
	r.step()
	b.forget()
	payload := make([]byte, 160)
	for i := range payload {
		payload[i] = byte(i)
	}
	a.send(payload)
	r.pass(time.Millisecond)
	if len(b.got) != 1 || string(b.got[0].Payload) != string(payload) {
		t.Fatalf("%d packets a millisecond later, want the one, untouched", len(b.got))
	}
}

// TestPacketTimes: phones may send 10 to 60 ms a packet, in a relay and in a mix.
func TestPacketTimes(t *testing.T) {
	for _, ms := range []int{10, 20, 30, 40, 60} {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
		a.talks = false
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
		c.hears(Playlist{}, a, b)
		var sound []int16
		for at := range 7200 / 20 {
			if at == 6000/20 { // the delay is what it stays
				sound, a.said = nil, nil
				b.forget()
				c.forget()
			}
			r.step()
			for len(sound) < (at%300+1)*160 {
				noise := a.noise()
				sound = append(sound, noise[:]...)
			}
			for n := ms * 8; len(sound)-len(a.said) >= n; {
				chunk := sound[len(a.said) : len(a.said)+n]
				payload := make([]byte, n)
				codec.Encode(codec.PCMA, payload, chunk)
				a.said = append(a.said, chunk...)
				a.send(payload)
			}
		}
		b.mustHear(a)
		c.mustHear(a)
		if s := r.engine.Stats().Silences; s != 0 {
			t.Errorf("%d ms: %d silences", ms, s)
		}
		if t.Failed() {
			t.Fatalf("with packets of %d ms", ms)
		}
	}
}

// TestHeardBeforeOpen: a Listen may name a leg that comes later.
func TestHeardBeforeOpen(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.session.Do(Listen{Leg: 1, From: []LegID{2}})
	r.run(100 * time.Millisecond)
	b := r.phone(2, codec.PCMA)
	r.run(time.Second)
	a.mustHear(b)
}

// TestNothingOld: the first frame of a new conversation is incomplete; it is covered with what it began with, not with
// what was said in another one before.
func TestNothingOld(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.talks, b.talks, c.talks = false, false, false
	a.hears(Playlist{}, b, c)
	for range 20 {
		b.send(loud(codec.PCMA))
		r.step()
	}
	a.hears(Playlist{})
	r.run(time.Second)
	a.hears(Playlist{}, b, c)
	b.send(bytes.Repeat([]byte{0xd5}, 80)) // silence; the other half is lost
	a.forget()
	r.run(time.Second)
	for i, sample := range a.heard() {
		if sample > 1000 || sample < -1000 {
			t.Fatalf("sample %d is %d, want silence", i, sample)
		}
	}
}
