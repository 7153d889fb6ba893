package engine

import (
	"math"
	"testing"
	"time"

	"liandong/media/codec"
)

// hum is what a phone says that hums: 20 ms of a tone that goes on from frame to frame.
type hum struct {
	hz float64
	at int
}

func (h *hum) frame() []int16 {
	frame := make([]int16, 160)
	for i := range frame {
		frame[i] = int16(6000 * math.Sin(2*math.Pi*h.hz*float64(h.at)/8000))
		h.at++
	}
	return frame
}

// faintest is the loudness of the faintest 20 ms of a sound, in its own units.
func faintest(sound []int16) float64 {
	least := math.Inf(1)
	for at := 0; at+160 <= len(sound); at += 160 {
		sum := 0.
		for _, x := range sound[at : at+160] {
			sum += float64(x) * float64(x)
		}
		least = min(least, math.Sqrt(sum/160))
	}
	return least
}

// A supervisor comes into a relayed call, listens, whispers, joins and leaves: who only overhears changes nothing for
// the two, who is heard is mixed for those that hear him, and in the end it is a relay again. To neither party there is
// a break in the stream, a gap or a click.
func TestSupervisorInARelay(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	citizen, desk, chief := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	hums := map[*phone]*hum{citizen: {hz: 100}, desk: {hz: 125}, chief: {hz: 150}}
	for p := range hums {
		p.talks = false
	}
	run := func(d time.Duration) {
		for range d / frameTime {
			for p, h := range hums {
				p.send(p.encode(h.frame()))
			}
			r.step()
		}
	}
	modes := func(when string, ofCitizen, ofDesk mode) {
		t.Helper()
		room := r.session.room
		if c, d := room.leg(1).mode, room.leg(2).mode; c != ofCitizen || d != ofDesk {
			t.Errorf("%s: the citizen's mode is %v and the desk's %v, want %v and %v", when, c, d, ofCitizen, ofDesk)
		}
	}
	citizen.hears(Playlist{}, desk)
	desk.hears(Playlist{}, citizen)
	chief.hears(Playlist{ID: 1, Items: []string{"ring"}, Loop: true})
	run(time.Second)
	citizen.forget()
	desk.forget()
	modes("before", relaying, relaying)
	for _, s := range []struct {
		when          string
		citizen, desk []*phone
		modes         [2]mode
	}{
		{"he listens", []*phone{desk}, []*phone{citizen}, [2]mode{relaying, relaying}},
		{"he whispers", []*phone{desk}, []*phone{citizen, chief}, [2]mode{relaying, mixing}},
		{"he listens again", []*phone{desk}, []*phone{citizen}, [2]mode{relaying, relaying}},
		{"he joins", []*phone{desk, chief}, []*phone{citizen, chief}, [2]mode{mixing, mixing}},
	} {
		chief.hears(Playlist{}, desk, citizen)
		citizen.hears(Playlist{}, s.citizen...)
		desk.hears(Playlist{}, s.desk...)
		run(time.Second)
		modes(s.when, s.modes[0], s.modes[1])
	}
	r.session.Do(Close{Leg: 3})
	delete(hums, chief)
	citizen.hears(Playlist{}, desk)
	desk.hears(Playlist{}, citizen)
	run(time.Second)
	modes("without him", relaying, relaying)
	for name, p := range map[string]*phone{"the citizen": citizen, "the desk": desk} {
		p.oneStream()
		sound := p.heard()
		t.Logf("%s: steepest %d, faintest 20 ms %.0f, %d packets", name, steepest(sound), faintest(sound), len(p.got))
		// the steepest of 150 Hz and 125 Hz together is 1300, and what G.711 adds; a frame with nothing in it is a gap
		if step := steepest(sound); step > 1700 {
			t.Errorf("%s hears a step of %d", name, step)
		}
		if least := faintest(sound); least < 1000 {
			t.Errorf("%s hears a gap: 20 ms of loudness %.0f, where the voice has 4200", name, least)
		}
	}
}
