package engine

import (
	"slices"
	"testing"
	"time"

	"liandong/media/codec"
)

// talks gives the events about who talks since the last call, without levels.
func (r *rig) talkers() (got []Talking) {
	for _, e := range r.allEvents() {
		if e, ok := e.(Talking); ok {
			got = append(got, Talking{Leg: e.Leg, On: e.On})
		}
	}
	return got
}

// TestTalking: the begin and the end of speech is reported once each, in a relay and in a mix;
// of a party that nobody hears, nothing.
func TestTalking(t *testing.T) {
	for _, three := range []bool{false, true} {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
		b.talks = false
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
		if three {
			a.hears(Playlist{}, b, c)
		}
		r.run(3 * time.Second)
		want := []Talking{{Leg: 1, On: true}}
		if three {
			want = append(want, Talking{Leg: 3, On: true})
		}
		if got := r.talkers(); !slices.Equal(got, want) {
			t.Errorf("three %v: %v, want %v", three, got, want)
		}
		a.talks, b.talks = false, true
		r.run(2 * time.Second)
		got := r.talkers()
		slices.SortFunc(got, func(x, y Talking) int { return int(x.Leg) - int(y.Leg) })
		if want := []Talking{{Leg: 1}, {Leg: 2, On: true}}; !slices.Equal(got, want) {
			t.Errorf("three %v: %v, want %v", three, got, want)
		}
	}
}

// TestTalkingLevel: the level is that of the sound: RFC 6465 §4.
func TestTalkingLevel(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU} {
		r := newRig(t, labConfig(nil))
		a, b := r.phone(1, id), r.phone(2, id)
		a.talks, b.talks = false, false
		b.hears(Playlist{}, a)
		payload := make([]byte, 160)
		codec.Encode(id, payload, slices.Repeat([]int16{1036, -1036}, 80)) // -30 dBov
		for range 50 {
			a.send(payload)
			r.step()
		}
		var got []Talking
		for _, e := range r.allEvents() {
			if e, ok := e.(Talking); ok {
				got = append(got, e)
			}
		}
		if want := []Talking{{Leg: 1, On: true, Level: 30}}; !slices.Equal(got, want) {
			t.Errorf("%v: %v, want %v", id, got, want)
		}
	}
}

// TestTonesAreLoudToo: a tone at a multiple of the rate at which samples are looked at does not
// hide between them.
func TestTonesAreLoudToo(t *testing.T) {
	var l loudness
	payload := make([]byte, 160)
	codec.Encode(codec.PCMA, payload, slices.Repeat([]int16{0, 5000, 7000, 5000, 0, -5000, -7000, -5000}, 20)) // 1 kHz
	for range 40 {
		l.packet(codec.PCMA, payload)
	}
	mean := l.squares / uint64(l.samples)
	if mean < 20_000_000 || mean > 30_000_000 { // 24.75 million
		t.Errorf("the mean square is %d", mean)
	}
}

func BenchmarkLoudness(b *testing.B) {
	var l loudness
	payload := make([]byte, 160)
	for b.Loop() {
		l.packet(codec.PCMA, payload)
	}
}
