package engine

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// above is the power of sound of 16 kHz above 4.5 kHz, in dBFS, by a filter that takes out what a
// Downsampler would keep.
func above(sound []int16) float64 {
	low := at(pcm.WideRate, at(pcm.Rate, sound, pcm.WideRate), pcm.Rate)
	const delay = 2 * pcm.ResampleDelay
	high := make([]int16, 0, len(sound))
	for i := delay; i < len(sound); i++ {
		high = append(high, pcm.Clip(int32(sound[i-delay])-int32(low[i])))
	}
	return pcm.Level(high[min(len(high), 400):])
}

// sine is so much of a tone at a rate, its first sample at the beginning of the tone plus from.
func sine(hz, amplitude float64, rate, from, n int) []int16 {
	sound := make([]int16, n)
	for i := range sound {
		sound[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(from+i)/float64(rate)))
	}
	return sound
}

// toneAt is the part of the power of sound that is a tone.
func toneAt(sound []int16, hz float64, rate int) float64 {
	var re, im, sum float64
	for i, s := range sound {
		x, phase := float64(s), 2*math.Pi*hz*float64(i)/float64(rate)
		sum += x * x
		re += x * math.Cos(phase)
		im += x * math.Sin(phase)
	}
	return 2 * (re*re + im*im) / (sum*float64(len(sound)) + 1)
}

// TestWideRelayIsUntouched: between two G.722 phones not a byte is changed, from the first packet on,
// and none waits for the tick.
func TestWideRelayIsUntouched(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.G722), r.phone(2, codec.G722)
	a.talks, b.talks = false, false
	b.hears(Playlist{}, a)
	b.forget()
	for i := range 50 {
		payload := a.encode(a.noise())
		a.send(payload)
		r.pass(time.Millisecond)
		got := b.got[len(b.got)-1]
		if len(b.got) != i+1 || !bytes.Equal(got.Payload, payload) || got.PayloadType != 9 {
			t.Fatalf("packet %d: %d came a millisecond later, of %d bytes by type %d", i, len(b.got), len(got.Payload),
				got.PayloadType)
		}
		r.pass(19 * time.Millisecond)
	}
	b.oneStream()
}

// TestWideAndNarrow: a G.722 party and a G.711 party understand each other, each in his own codec.
func TestWideAndNarrow(t *testing.T) {
	for _, law := range []codec.ID{codec.PCMA, codec.PCMU} {
		r := newRig(t, labConfig(nil))
		w, n := r.phone(1, codec.G722), r.phone(2, law)
		w.hears(Playlist{}, n)
		n.hears(Playlist{}, w)
		r.settle()
		r.run(2 * time.Second)
		for _, pair := range [][2]*phone{{w, n}, {n, w}} {
			if like := pair[0].likeness(pair[1]); like < 0.9 {
				t.Errorf("%v hears %v with correlation %.2f", pair[0].codec, pair[1].codec, like)
			}
			pair[0].oneStream()
			for _, packet := range pair[0].got {
				if packet.PayloadType != pair[0].codec.PayloadType() || len(packet.Payload) != 160 {
					t.Fatalf("%v got %d bytes of type %d", pair[0].codec, len(packet.Payload), packet.PayloadType)
				}
			}
		}
		if s := r.engine.Stats().Silences; s != 0 {
			t.Errorf("%d silences", s)
		}
	}
}

// TestNoAliasing: what is above 4 kHz is for wideband ears only, and folds down for nobody: two
// wideband parties hear a tone of 6 kHz of the third, and the narrowband one neither it nor 2 kHz.
func TestNoAliasing(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, n := r.phone(1, codec.G722), r.phone(2, codec.G722), r.phone(3, codec.PCMA)
	a.talks, b.talks, n.talks = false, false, false
	a.hears(Playlist{}, b, n)
	b.hears(Playlist{}, a, n)
	n.hears(Playlist{}, a, b)
	for i := range 150 {
		if i == 100 {
			b.forget()
			n.forget()
		}
		voice := sine(700, 3000, pcm.WideRate, i*320, 320)
		for k, x := range sine(6000, 3000, pcm.WideRate, i*320, 320) {
			voice[k] += x
		}
		a.send(a.encode(voice))
		r.step()
	}
	wide, narrow := b.heard(), n.heard()
	if high, low := toneAt(wide, 6000, 16000), toneAt(wide, 700, 16000); high < 0.3 || low < 0.3 {
		t.Errorf("the other wideband party hears %.2f of 6 kHz and %.2f of 700 Hz", high, low)
	}
	if alias, low := toneAt(narrow, 2000, 8000), toneAt(narrow, 700, 8000); alias > 1e-4 || low < 0.9 {
		t.Errorf("the narrowband party hears %.5f of 2 kHz and %.2f of 700 Hz", alias, low)
	}
}

// TestThreeWayWide: in a mix with wideband parties those hear all of each other, and all hear all.
func TestThreeWayWide(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, n := r.phone(1, codec.G722), r.phone(2, codec.G722), r.phone(3, codec.PCMU)
	a.hears(Playlist{}, b, n)
	b.hears(Playlist{}, a, n)
	n.hears(Playlist{}, a, b)
	r.settle()
	r.run(2 * time.Second)
	a.mustHear(b)
	b.mustHear(a)
	n.mustHear(a, b)
	for _, p := range r.phones {
		p.mustNotHear(p)
		p.oneStream()
	}
	n.talks = false
	r.run(200 * time.Millisecond)
	for _, p := range r.phones {
		p.forget()
	}
	r.run(time.Second)
	for _, pair := range [][2]*phone{{a, b}, {b, a}} {
		if heard, said := above(pair[0].heard()), above(pair[1].said); heard < said-3 {
			t.Errorf("leg %d hears %.1f dBFS above 4 kHz of what had %.1f", pair[0].leg, heard, said)
		}
	}
}

// TestRateChangesLive: a wideband party joins two narrowband ones and leaves again; the two hear no click.
func TestRateChangesLive(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, w := r.phone(1, codec.PCMU), r.phone(2, codec.PCMA), r.phone(3, codec.G722) // mixed even alone
	a.talks, b.talks, w.talks = false, false, false
	a.hears(Playlist{}, b)
	frames, click := 0, 0.
	run := func(n int) {
		a.forget()
		for range n {
			b.send(b.encode(sine(300, 4000, pcm.Rate, frames*160, 160)))
			frames++
			r.step()
		}
		// 300 Hz with 8000 in amplitude moves by 1885 from sample to sample, and by no more in a fade.
		if step := steepest(a.heard()); step > 2400 {
			t.Errorf("after %d frames: a step of %d", frames, step)
		}
		click = max(click, pcm.Level(a.heard()))
	}
	run(200)
	if r.session.room.rate != pcm.Rate {
		t.Fatal("mixed at 16 kHz for nobody")
	}
	w.hears(Playlist{}, a, b)
	a.hears(Playlist{}, b, w)
	run(20)
	if r.session.room.rate != pcm.WideRate {
		t.Fatal("not mixed at 16 kHz")
	}
	run(100)
	a.hears(Playlist{}, b)
	w.hears(Playlist{})
	run(20)
	if r.session.room.rate != pcm.Rate {
		t.Fatal("still mixed at 16 kHz")
	}
	run(100)
	if click < -20 {
		t.Errorf("the tone was heard with %.1f dBFS", click)
	}
}

// TestWideSounds: prompts, tones of keys and the noise of a quiet line in G.722, all through one encoder:
// what a decoder hears has no jump between them.
func TestWideSounds(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.G722)
	a.talks = false
	stream := a.stream()
	stream.DTMFSend = 0
	r.session.Do(stream)
	r.run(time.Second)
	if level := pcm.Level(a.heard()); level < -76 || level > -66 {
		t.Errorf("a quiet line has %.1f dBFS", level)
	}
	a.hears(Playlist{ID: 1, Items: []string{"long"}})
	r.run(400 * time.Millisecond)
	r.session.Do(Digits{Leg: 1, Digits: "5"})
	r.run(400 * time.Millisecond)
	a.oneStream()
	sound := a.heard()
	if tone := toneAt(sound[16000+3200:16000+4800], 880, 16000); tone < 0.9 {
		t.Errorf("%.2f of the prompt", tone)
	}
	key := sound[16000+6400+320 : 16000+6400+1280]
	if low, high := toneAt(key, 770, 16000), toneAt(key, 1336, 16000); low < 0.4 || high < 0.4 {
		t.Errorf("%.2f and %.2f of the key's two tones", low, high)
	}
	if step := steepest(sound); step > 8000 { // the key's own are 7200
		t.Errorf("a step of %d", step)
	}
}

// TestWideNoClicks: a G.722 party hears no click where what it hears changes.
func TestWideNoClicks(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b := r.phone(1, codec.G722), r.phone(2, codec.PCMA)
	a.talks, b.talks = false, false
	voice := make([]byte, 160)
	codec.Encode(codec.PCMA, voice, flatFrame(6000))
	run := func(n int) {
		for range n {
			b.send(voice)
			r.step()
		}
	}
	for i := range uint32(4) {
		a.hears(Playlist{ID: 2*i + 1, Items: []string{"long"}, Loop: true})
		run(7)
		a.hears(Playlist{ID: 2*i + 2, Items: []string{"short"}}, b)
		run(8)
		a.hears(Playlist{}, b)
		run(7)
		a.hears(Playlist{})
		run(7)
	}
	if step := steepest(a.heard()[320:]); step > 1500 {
		t.Errorf("a step of %d", step)
	}
}

// TestPtime: whatever packet time the source has, each party gets the one it wishes, with exact
// timestamps, and a relay passes on only what fits.
func TestPtime(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		for _, in := range []int{10, 20, 30, 40, 60} {
			for _, wish := range []int{0, 10, 20, 30, 40, 50, 60} {
				t.Run(fmt.Sprintf("%v %d to %d", id, in, wish), func(t *testing.T) { ptime(t, id, in, wish) })
			}
		}
	}
}

func ptime(t *testing.T, id codec.ID, in, wish int) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, id), r.phone(2, id)
	a.talks, b.talks = false, false
	stream := b.stream()
	stream.Ptime = time.Duration(wish) * time.Millisecond
	r.session.Do(stream)
	b.hears(Playlist{}, a)
	var sound []int16
	size, sent := in*id.Rate()/1000, 0
	run := func(frames int) {
		for range frames {
			r.step()
			sound = append(sound, a.noise()...)
			for ; len(sound)-sent >= size; sent += size {
				a.send(a.encode(sound[sent : sent+size]))
			}
		}
	}
	run(400) // noise has few places to cut at
	from := sent
	b.forget()
	run(100)
	a.said = sound[from:]
	b.mustHear(a)
	want := wish * 8
	if wish == 0 {
		want = in * 8
	}
	for i, packet := range b.got {
		if len(packet.Payload) != want {
			t.Fatalf("packet %d of %d bytes, want %d", i, len(packet.Payload), want)
		}
		if packet.Marker {
			t.Fatalf("packet %d has a marker", i)
		}
		if ts := packet.Timestamp - b.got[0].Timestamp; ts != uint32(i*want) {
			t.Fatalf("packet %d at %d", i, ts)
		}
	}
	b.oneStream()
	if relays := r.session.room.leg(2).mode == relaying; relays != (want == in*8) {
		t.Errorf("relayed: %v", relays)
	}
	if n := len(b.got); n < 1900/(want/8) {
		t.Errorf("%d packets in 2 s", n)
	}
}

// TestPtimeOfSilence: a party with nothing to hear, and one that hears a prompt, get packets of their
// time too, one stream with markers only where it stood still.
func TestPtimeOfSilence(t *testing.T) {
	for _, ms := range []int{10, 30, 60} {
		r := newRig(t, labConfig(testLibrary(t)))
		a := r.phone(1, codec.PCMU)
		a.talks = false
		stream := a.stream()
		stream.Ptime = time.Duration(ms) * time.Millisecond
		r.session.Do(stream)
		a.forget()
		r.run(300 * time.Millisecond)
		a.hears(Playlist{ID: 1, Items: []string{"long"}})
		r.run(600 * time.Millisecond)
		a.oneStream()
		for i, packet := range a.got[1:] {
			if packet.Marker || len(packet.Payload) != 8*ms {
				t.Fatalf("%d ms: packet %d of %d bytes, marker %v", ms, i+1, len(packet.Payload), packet.Marker)
			}
		}
		r.session.Do(Digits{Leg: 1, Digits: "1"})
		r.run(600 * time.Millisecond)
		a.oneStream()
		keys, markers := 0, 0
		for _, packet := range a.got {
			if packet.PayloadType == 101 {
				keys++
			} else if packet.Marker {
				markers++
			}
		}
		if keys != 7 || markers > 2 {
			t.Errorf("%d ms: %d packets of a key, %d markers", ms, keys, markers)
		}
	}
}

// TestCodecChangesLive: a re-INVITE changes a party's codec; its stream goes on as one, and both go on
// hearing each other.
func TestCodecChangesLive(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	for _, id := range []codec.ID{codec.G722, codec.PCMU, codec.G722, codec.PCMA} {
		before := a.got[len(a.got)-1]
		a.forget()
		a.change(id)
		r.run(4 * time.Second)
		if first := a.got[0]; first.SequenceNumber != before.SequenceNumber+1 ||
			first.Timestamp-before.Timestamp != 160 || first.SSRC != before.SSRC {
			t.Errorf("%v begins %d packets and %d ticks later", id, first.SequenceNumber-before.SequenceNumber,
				first.Timestamp-before.Timestamp)
		}
		a.oneStream()
		a.forget()
		b.forget()
		r.run(time.Second)
		a.mustHear(b)
		b.mustHear(a)
		b.oneStream()
	}
}

// change has the phone go on in another codec, after an offer and answer.
func (p *phone) change(id codec.ID) {
	p.codec, p.encoder = id, codec.NewEncoder(id)
	p.header.PayloadType = id.PayloadType()
	p.rig.session.Do(p.stream())
}

// TestCodecChangesUnasked: a party may send any codec that was agreed on without a word. What cannot be
// passed on to its hearer is made in the tick, at once.
func TestCodecChangesUnasked(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	a.codec, a.encoder, a.header.PayloadType = codec.G722, codec.NewEncoder(codec.G722), 9
	r.run(3 * time.Second)
	a.forget()
	b.forget()
	r.run(time.Second)
	b.mustHear(a)
	b.oneStream()
	a.codec, a.encoder, a.header.PayloadType = codec.PCMA, codec.NewEncoder(codec.PCMA), 8
	r.run(time.Second)
	if r.session.room.leg(2).mode != relaying {
		t.Error("not relayed again")
	}
}

// TestLevelsAreEven: a tone is as loud for whoever hears it as it was said, in whatever codecs: relayed, turned from
// one into the other, and in a three-way call, where nobody is louder than the others.
func TestLevelsAreEven(t *testing.T) {
	all := []codec.ID{codec.PCMA, codec.PCMU, codec.G722}
	for _, parties := range []int{2, 3} {
		for speaks := range parties {
			for _, first := range all {
				r := newRig(t, labConfig(nil))
				var phones []*phone
				for i := range parties {
					id := all[i]
					if i == speaks {
						id = first
					}
					phones = append(phones, r.phone(LegID(i+1), id))
				}
				everybodyHears(r)
				for _, p := range phones {
					p.talks = false
				}
				speaker := phones[speaks]
				rate, amplitude := speaker.codec.Rate(), 8000.0
				for i := range 100 {
					if i == 50 {
						for _, p := range phones {
							p.forget()
						}
					}
					speaker.send(speaker.encode(sine(1000, amplitude, rate, i*rate/50, rate/50)))
					for _, p := range phones {
						if p != speaker {
							p.send(p.encode(make([]int16, p.codec.Rate()/50)))
						}
					}
					r.pass(20 * time.Millisecond)
				}
				want := pcm.Level(sine(1000, amplitude, rate, 0, rate))
				for _, p := range phones {
					if p == speaker {
						continue
					}
					if got := pcm.Level(p.heard()); math.Abs(got-want) > 0.5 {
						t.Errorf("%d parties: %v said at %.1f dBFS is heard by %v at %.1f", parties, first.Name(), want,
							p.codec.Name(), got)
					}
				}
			}
		}
	}
}
