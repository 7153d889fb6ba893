package engine

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"liandong/media/codec"
)

// toneWAV is a WAV file of so many frames of a tone: 16 bits, mono, 8 kHz.
func toneWAV(frames int, frequency float64) []byte {
	sound := make([]int16, frames*int(frameSamples))
	for i := range sound {
		sound[i] = int16(3000 * math.Sin(2*math.Pi*frequency*float64(i)/8000))
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+2*len(sound)))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(2*len(sound)))
	_ = binary.Write(&b, binary.LittleEndian, sound)
	return b.Bytes()
}

// TestPlaylist: items in their order, each whole, then PlayDone once and silence.
func TestPlaylist(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMA)
	r.run(100 * time.Millisecond)
	a.forget()
	list := Playlist{ID: 7, Items: []string{"short", "long", "short"}}
	a.hears(list)
	r.run(10 * frameTime)
	a.hears(list) // the same ID: undisturbed
	r.run(30 * frameTime)

	if got := pitches(a); !slices.Equal(got, []span{{440, 5}, {880, 20}, {440, 5}, {0, 10}}) {
		t.Errorf("played %v", got)
	}
	if got := r.events(); !slices.Equal(got, []Event{PlayDone{Leg: 1, ID: 7}}) {
		t.Errorf("events %v, want one PlayDone", got)
	}
	a.hears(list)
	r.run(10 * frameTime)
	if got := r.events(); len(got) != 0 {
		t.Errorf("the ended list sent again: %v", got)
	}
	a.oneStream()
}

// span is a number of frames of one pitch.
type span struct{ pitch, frames int }

func pitches(p *phone) (spans []span) {
	for _, packet := range p.got {
		sound, pitch := make([]int16, 160), 0
		codec.Decode(p.codec, sound, packet.Payload)
		for _, f := range []int{440, 880} {
			if power(sound, float64(f)) > 0.8 {
				pitch = f
			}
		}
		if n := len(spans); n > 0 && spans[n-1].pitch == pitch {
			spans[n-1].frames++
		} else {
			spans = append(spans, span{pitch, 1})
		}
	}
	return spans
}

func TestPlaylistLoop(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMU)
	a.hears(Playlist{ID: 1, Items: []string{"long", "short"}, Loop: true})
	r.run(50 * frameTime)
	a.hears(Playlist{})
	r.run(10 * frameTime)
	if got := pitches(a); !slices.Equal(got[:2], []span{{880, 20}, {440, 30}}) || got[2].pitch != 0 {
		t.Errorf("played %v", got)
	}
	if got := r.events(); len(got) != 0 {
		t.Errorf("events %v of a loop", got)
	}
}

// TestPlaylistBesideLegs: over a conversation it is mixed, and after its end the conversation is there again.
func TestPlaylistBesideLegs(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	a.hears(Playlist{}, b, c)
	r.settle()
	a.hears(Playlist{ID: 1, Items: []string{"long", "long", "long", "long", "long"}}, b)
	r.run(100 * frameTime)
	if p := power(a.heard(), 880); p < 0.4 {
		t.Errorf("the prompt is %.2f of the sound", p)
	}
	a.mustHear(b)
	b.said = nil
	a.forget()
	r.run(50 * frameTime)
	a.mustHear(b)
	if got := r.events(); !slices.Equal(got, []Event{PlayDone{Leg: 1, ID: 1}}) {
		t.Errorf("events %v", got)
	}
}

// TestPlaylistMissing: what is missing is left out; who waits for the end gets it.
func TestPlaylistMissing(t *testing.T) {
	for _, c := range []struct {
		items []string
		steps int
	}{
		{[]string{"no such", "short"}, 5},
		{[]string{"no such"}, 1},
		{nil, 1},
	} {
		r := newRig(t, labConfig(testLibrary(t)))
		a := r.phone(1, codec.PCMA)
		a.hears(Playlist{ID: 3, Items: c.items})
		r.run(time.Duration(c.steps) * frameTime)
		if got := r.events(); !slices.Equal(got, []Event{PlayDone{Leg: 1, ID: 3}}) {
			t.Errorf("%v: events %v", c.items, got)
		}
	}
}

// TestPlaylistOnHold: a hold does not keep anyone waiting for the end.
func TestPlaylistOnHold(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMA)
	hold := a.stream()
	hold.Send = false
	r.session.Do(hold)
	a.hears(Playlist{ID: 3, Items: []string{"short"}})
	r.run(5 * frameTime)
	if got := r.events(); len(got) != 1 {
		t.Errorf("events %v, want PlayDone", got)
	}
}

// TestAnnouncementIsCut: what comes before the last item of a list is cut when it has played as long as it may, without
// a click, and not before; what is shorter plays as it is.
func TestAnnouncementIsCut(t *testing.T) {
	for _, tt := range []struct {
		most, rings time.Duration
	}{{0, 400 * time.Millisecond}, {200 * time.Millisecond, 200 * time.Millisecond},
		{time.Second, 400 * time.Millisecond}} {
		r := newRig(t, labConfig(testLibrary(t)))
		p := r.phone(1, codec.PCMA)
		p.hears(Playlist{ID: 1, Items: []string{"long", "short"}, Loop: true, Most: tt.most})
		r.run(time.Second)
		sound := p.heard()
		begins := time.Duration(0)
		for i := 0; i+160 <= len(sound) && begins == 0; i += 160 {
			if toneAt(sound[i:i+160], 440, 8000) > 0.9 {
				begins = time.Duration(i/160) * frameTime
			}
		}
		if off := begins - tt.rings; off < -frameTime || off > 2*frameTime {
			t.Errorf("at the most %v: ringing begins after %v, want %v", tt.most, begins, tt.rings)
		}
	}
}
