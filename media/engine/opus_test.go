//go:build opus

package engine

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"liandong/media/codec"
)

// TestOpusRelayIsUntouched: between two Opus phones nothing is changed but the numbers.
func TestOpusRelayIsUntouched(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.Opus), r.phone(2, codec.Opus)
	a.talks, b.talks = false, false
	b.hears(Playlist{}, a)
	for range 50 {
		payload := a.encode(a.noise())
		a.send(payload)
		r.pass(time.Millisecond)
		if got := b.got[len(b.got)-1]; !bytes.Equal(got.Payload, payload) {
			t.Fatalf("%d bytes came of %d", len(got.Payload), len(payload))
		}
		r.pass(19 * time.Millisecond)
	}
	b.oneStream()
}

// TestOpusAndOthers: Opus, G.722 and G.711 in one call.
func TestOpusAndOthers(t *testing.T) {
	r := newRig(t, labConfig(nil))
	o, w, n := r.phone(1, codec.Opus), r.phone(2, codec.G722), r.phone(3, codec.PCMA)
	o.hears(Playlist{}, w, n)
	w.hears(Playlist{}, o, n)
	n.hears(Playlist{}, o, w)
	r.settle()
	r.run(2 * time.Second)
	o.mustHear(w, n)
	w.mustHear(n)
	n.mustHear(w)
	for _, p := range r.phones {
		p.oneStream()
	}
}

// TestClockChangesLive: G.711 becomes Opus in the middle of the call. The one stream goes on: the
// sequence number by one, the timestamp from where it was, then six times as fast.
func TestClockChangesLive(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	for _, id := range []codec.ID{codec.Opus, codec.PCMA, codec.Opus, codec.G722} {
		before := a.got[len(a.got)-1]
		span := before.Timestamp - a.got[len(a.got)-2].Timestamp
		a.forget()
		a.change(id)
		r.run(4 * time.Second)
		if first := a.got[0]; first.SequenceNumber != before.SequenceNumber+1 ||
			first.Timestamp-before.Timestamp != span || first.SSRC != before.SSRC {
			t.Errorf("%v begins %d packets and %d ticks later", id, first.SequenceNumber-before.SequenceNumber,
				first.Timestamp-before.Timestamp)
		}
		a.oneStream()
		a.forget()
		b.forget()
		r.run(time.Second)
		a.mustHear(b)
		if id != codec.Opus { // its encoder begins in the middle of what the test knows
			b.mustHear(a)
		}
		b.oneStream()
	}
}

// TestKeysByTheClockOfOpus: a key lasts as long on a leg of 48 kHz as on one of 8 kHz, whichever it
// came from.
func TestKeysByTheClockOfOpus(t *testing.T) {
	r := newRig(t, labConfig(nil))
	o, n := r.phone(1, codec.Opus), r.phone(2, codec.PCMA)
	o.hears(Playlist{}, n)
	n.hears(Playlist{}, o)
	r.run(time.Second)
	o.forget()
	n.forget()
	r.session.Do(Digits{Leg: 1, Digits: "5"})
	r.session.Do(Digits{Leg: 2, Digits: "5"})
	r.run(300 * time.Millisecond)
	for _, p := range []*phone{o, n} {
		longest := 0
		for _, packet := range p.got {
			if packet.PayloadType == 101 {
				longest = max(longest, int(binary.BigEndian.Uint16(packet.Payload[2:])))
			}
		}
		if want := p.codec.ClockRate() / 10; longest != want {
			t.Errorf("a key to %v lasts %d ticks, want %d", p.codec, longest, want)
		}
	}
	// Two presses 100 ms apart are two by both clocks, one that goes on is one.
	r.events()
	for _, p := range []*phone{o, n} {
		rate, start := uint32(p.codec.ClockRate()), p.header.Timestamp
		for i := range uint32(5) {
			p.press(7, start, i == 4, uint16((i+1)*rate/50))
			r.step()
		}
		p.press(7, start+rate/5, false, uint16(rate/50))
		r.step()
		if got := r.events(); len(got) != 2 {
			t.Errorf("%v: %v, want two presses", p.codec, got)
		}
	}
}
