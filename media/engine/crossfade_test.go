package engine

import (
	"math"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/prompt"
)

// constant is a WAV file that neither begins nor ends at zero.
func constant(frames int, x int16) []byte {
	file := toneWAV(frames, 0)
	for i := 44; i < len(file); i += 2 {
		file[i], file[i+1] = byte(x), byte(uint16(x)>>8)
	}
	return file
}

// steepest is the largest step from sample to sample.
func steepest(sound []int16) (largest int) {
	for i := range sound[1:] {
		largest = max(largest, distance(sound[i], sound[i+1]))
	}
	return largest
}

// click is the energy of the sound above about 1.5 kHz, against a full-scale sample's, in dB.
func click(sound []int16) float64 {
	sum := 0.
	for i := 2; i < len(sound); i++ {
		bend := float64(sound[i]) - 2*float64(sound[i-1]) + float64(sound[i-2])
		sum += bend * bend
	}
	return 10 * math.Log10(sum/(1<<30)+1e-10)
}

// TestNoClicks measures what a party hears around each change of what it hears. The sounds
// are such that each would click: constants and tones that are cut off at their peak.
func TestNoClicks(t *testing.T) {
	library, err := prompt.Load(map[string][]byte{
		"high": constant(5, 8000), "low": constant(5, -8000),
	})
	if err != nil {
		t.Fatal(err)
	}
	voice := make([]byte, 160)
	codec.Encode(codec.PCMA, voice, flatFrame(6000))
	const loop = true
	for _, test := range []struct {
		name         string
		before, then func(a, b *phone)
	}{
		{"silence → prompt", func(a, b *phone) { a.hears(Playlist{}) },
			func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"high"}, Loop: loop}) }},
		{"prompt → silence", func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"high"}, Loop: loop}) },
			func(a, b *phone) { a.hears(Playlist{}) }},
		{"prompt → voice", func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"low"}, Loop: loop}) },
			func(a, b *phone) { a.hears(Playlist{}, b) }},
		{"voice → prompt", func(a, b *phone) { a.hears(Playlist{}, b) },
			func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"low"}, Loop: loop}) }},
		{"prompt → prompt", func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"low"}, Loop: loop}) },
			func(a, b *phone) { a.hears(Playlist{ID: 2, Items: []string{"high"}, Loop: loop}) }},
		{"one clip after another", func(a, b *phone) {
			a.hears(Playlist{ID: 1,
				Items: []string{"low", "low", "high", "low"}})
		}, func(a, b *phone) {}},
		{"prompt over voice", func(a, b *phone) { a.hears(Playlist{}, b) },
			func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"high"}, Loop: loop}, b) }},
		{"prompt over voice ends", func(a, b *phone) { a.hears(Playlist{ID: 1, Items: []string{"high"}}, b) },
			func(a, b *phone) {}},
		{"prompt over voice is cut off", func(a, b *phone) {
			a.hears(Playlist{ID: 1, Items: []string{"high"},
				Loop: loop}, b)
		}, func(a, b *phone) { a.hears(Playlist{}, b) }},
	} {
		r := newRig(t, labConfig(library))
		a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
		a.talks, b.talks = false, false
		run := func(frames int) {
			for range frames {
				b.send(voice)
				r.step()
			}
		}
		run(2)
		test.before(a, b)
		run(4)
		a.got = a.got[len(a.got)-1:]
		test.then(a, b)
		run(24)
		sound := a.heard()
		// A change of 16000 in 5 ms is at no sample more than 16000·π/2/40 = 628, and what G.711 adds.
		if step, power := steepest(sound), click(sound); step > 1100 || power > -20 {
			t.Errorf("%s: a step of %d, a click of %.1f dB", test.name, step, power)
		}
	}
}

// flatFrame is a frame of one value.
func flatFrame(x int16) []int16 {
	s := make([]int16, 160)
	for i := range s {
		s[i] = x
	}
	return s
}

// TestToneIsCut: when the partner answers, wherever in a tone that is, the tone fades out within 5 ms
// and the partner's first packet is whole behind it.
func TestToneIsCut(t *testing.T) {
	voice := make([]byte, 160)
	codec.Encode(codec.PCMA, voice, flatFrame(300))
	for at := range 20 {
		r := newRig(t, labConfig(testLibrary(t)))
		a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
		a.talks, b.talks = false, false
		a.hears(Playlist{ID: 1, Items: []string{"short"}, Loop: true}, b)
		r.run(time.Duration(5+at) * frameTime)
		before := len(a.got)
		a.hears(Playlist{}, b)
		b.send(voice)
		r.pass(time.Millisecond)
		if len(a.got) != before+1 {
			t.Fatalf("%d packets when the partner answers, want its first", len(a.got)-before)
		}
		if got, want := a.got[before].Payload[fadeSamples:], voice[fadeSamples:]; string(got) != string(want) {
			t.Errorf("what is behind the fade is changed")
		}
		sound := a.heard()
		if step := steepest(sound); step > 1300 { // the tone's own are 1040
			t.Errorf("cut in frame %d: a step of %d", at, step)
		}
	}
}

// TestMadeInAdvance: what fits together is sent as it was encoded in advance, byte by byte.
func TestMadeInAdvance(t *testing.T) {
	library := testLibrary(t)
	r := newRig(t, labConfig(library))
	a := r.phone(1, codec.PCMU)
	a.hears(Playlist{ID: 1, Items: []string{prompt.Music}, Loop: true})
	clip, _ := library.Get(prompt.Music)
	r.run(time.Duration(clip.Len()+100) * frameTime)
	for i, packet := range a.got {
		if want := clip.Encoded(codec.PCMU, i%clip.Len()); string(packet.Payload) != string(want) {
			t.Fatalf("frame %d differs", i)
		}
	}
}

// TestEndOfPlaylist: the last frame is whole, and what comes then is joined to it.
func TestEndOfPlaylist(t *testing.T) {
	library, err := prompt.Load(map[string][]byte{"high": constant(5, 8000)})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, labConfig(library))
	a := r.phone(1, codec.PCMA)
	r.step()
	a.hears(Playlist{ID: 1, Items: []string{"high"}})
	a.forget()
	r.run(7 * frameTime)
	clip, _ := library.Get("high")
	for i := 1; i < clip.Len(); i++ {
		if string(a.got[i].Payload) != string(clip.Encoded(codec.PCMA, i)) {
			t.Errorf("frame %d is changed", i)
		}
	}
	if sound := a.heard()[4*160:]; steepest(sound) > 600 {
		t.Errorf("a step of %d at the end", steepest(sound))
	}
}

// TestComfortNoise: who has nothing to hear hears a quiet line, which begins anywhere and counts as
// silence.
func TestComfortNoise(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU)
	a.talks, b.talks = false, false
	r.run(2 * time.Second)
	if n := r.engine.Stats().Silences; n != 2 {
		t.Errorf("%d silences, want 2", n)
	}
	for _, p := range r.phones {
		if level := pcm.Level(p.heard()); level < -73 || level > -69 { // -65 dBm0 and 6.15 dB
			t.Errorf("leg %d hears %.1f dBFS", p.leg, level)
		}
	}
	starts := map[string]bool{}
	for id := range LegID(20) {
		p := r.phone(10+id, codec.PCMA)
		p.talks = false
		r.step()
		starts[string(p.got[0].Payload)] = true
	}
	if len(starts) < 10 {
		t.Errorf("20 legs begin at %d places", len(starts))
	}
}
