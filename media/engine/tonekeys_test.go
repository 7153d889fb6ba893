package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/dtmf"
	"liandong/media/pcm"
)

// tonePhone is a phone that has no telephone-event.
func (r *rig) tonePhone(leg LegID, id codec.ID) *phone {
	p := r.phone(leg, id)
	p.talks = false
	s := p.stream()
	s.DTMFSend, s.DTMFRecv, s.ToneKeys = 0, nil, true
	r.session.Do(s)
	return p
}

// sounds plays a key for so long, from within a frame on, and 60 ms or more of silence behind it. Packets of these
// numbers are lost.
func (p *phone) sounds(key byte, length time.Duration, from time.Duration, lost ...int) {
	at, rate := strings.IndexByte(dtmf.ToneKeys, key), p.codec.Rate()
	begin, end := int(from.Seconds()*float64(rate)), int((from+length).Seconds()*float64(rate))
	sound := make([]int16, (end/(rate/50)+4)*(rate/50))
	for i := begin; i < end; i++ {
		x := 2 * math.Pi * float64(i-begin) / float64(rate)
		sound[i] = int16(8000*math.Sin(dtmf.Rows[at/4]*x) + 8000*math.Sin(dtmf.Columns[at%4]*x))
	}
	for n := 0; len(sound) > 0; n++ {
		payload := p.encode(sound[:rate/50])
		sound = sound[rate/50:]
		if lose := len(lost) > 0 && n >= lost[0] && n <= lost[len(lost)-1]; lose {
			p.header.SequenceNumber++
			p.header.Timestamp += uint32(p.codec.Ticks(payload))
		} else {
			p.send(payload)
		}
		p.rig.step()
	}
}

// keysHeard are the keys that a switch behind a phone finds in what the phone got.
func (p *phone) keysHeard() string {
	var behind dtmf.Detector
	sound := at(pcm.Rate, p.heard(), p.codec.Rate())
	return string(behind.Push(nil, append(sound, nothing[:]...)))
}

// loudMilliseconds is how much of what a phone got is as loud as a tone.
func (p *phone) loudMilliseconds() (ms int) {
	sound, rate := p.heard(), p.codec.Rate()
	for len(sound) >= rate/1000 {
		if pcm.Level(sound[:rate/1000]) > -25 {
			ms++
		}
		sound = sound[rate/1000:]
	}
	return ms
}

// TestKeyAsTone: a party without telephone-event presses by the sound, in every codec. Who hears
// it hears less of the tone than would be a key, by relay and in a mix. Of Opus a little more: where a relayed tone
// ends, the pitch that the hearer's decoder remembers sounds on in the noise behind it, by the noise for up to 10 ms.
func TestKeyAsTone(t *testing.T) {
	for _, id := range codec.List() {
		t.Run(id.Name(), func(t *testing.T) {
			most, limit := 0, 25
			if id == codec.Opus {
				limit = 35
			}
			for from := time.Duration(0); from < frameTime; from += 4 * time.Millisecond {
				r := newRig(t, labConfig(nil))
				a, b, d := r.tonePhone(1, id), r.phone(2, id), r.phone(3, codec.PCMA)
				b.talks, d.talks = false, false
				b.hears(Playlist{}, a)    // relay
				d.hears(Playlist{}, a, b) // mix
				a.talks = true
				r.run(time.Second)
				a.talks = false
				r.run(300 * time.Millisecond)
				for _, key := range "*1" {
					b.forget()
					d.forget()
					a.sounds(byte(key), 120*time.Millisecond, from)
					r.run(100 * time.Millisecond)
					if keys := b.keysHeard() + d.keysHeard(); keys != "" {
						t.Errorf("from %v: %q is heard as a key", from, keys)
					}
					most = max(most, b.loudMilliseconds(), d.loudMilliseconds())
				}
				want := []Event{DigitReceived{Leg: 1, Digit: '*', Tone: true},
					DigitReceived{Leg: 1, Digit: '1', Tone: true}}
				if events := fmt.Sprint(r.events()); events != fmt.Sprint(want) {
					t.Errorf("from %v: %v", from, events)
				}
			}
			t.Logf("%d ms of a tone were heard", most)
			if most >= limit {
				t.Errorf("%d ms of a tone were heard", most)
			}
		})
	}
}

// TestKeyAsToneWithLoss: a lost packet, or two or three, in a press of 160 ms makes no key of its own, nor do they hide
// one. Opus finds its way back only after two.
func TestKeyAsToneWithLoss(t *testing.T) {
	for _, id := range codec.List() {
		lost := 3
		if id == codec.Opus {
			lost = 2
		}
		for first := range 8 {
			for last := first; last < min(first+lost, 8); last++ {
				r := newRig(t, labConfig(nil))
				a, d := r.tonePhone(1, id), r.phone(3, codec.PCMA)
				d.hears(Playlist{}, a, r.phone(2, codec.PCMA))
				r.run(200 * time.Millisecond)
				a.sounds('5', 160*time.Millisecond, 7*time.Millisecond, first, last)
				a.sounds('5', 160*time.Millisecond, 7*time.Millisecond)
				if got := digitsOf(r.events()); got != "55" {
					t.Errorf("%s, packets %d to %d lost: %q, want 55", id, first, last, got)
				}
			}
		}
	}
}

// TestKeyAsToneLeftOut: a party that does not send its silence presses the same key twice.
func TestKeyAsToneLeftOut(t *testing.T) {
	for _, noise := range []bool{false, true} {
		r := newRig(t, labConfig(nil))
		a := r.tonePhone(1, codec.PCMA)
		r.run(100 * time.Millisecond)
		for range 2 {
			a.tone('7', 4)
			if noise {
				h := a.header
				h.PayloadType = comfortNoise
				a.put(a.addr, h, []byte{60})
				a.header.SequenceNumber++
			}
			a.header.Timestamp += 3 * frameSamples
			r.run(60 * time.Millisecond)
		}
		if got := digitsOf(r.events()); got != "77" {
			t.Errorf("comfort noise %v: %q, want 77", noise, got)
		}
	}
}

// tone sends so many frames of a key and nothing behind them.
func (p *phone) tone(key byte, frames int) {
	at := strings.IndexByte(dtmf.ToneKeys, key)
	sound := make([]int16, frames*160)
	for i := range sound {
		x := 2 * math.Pi * float64(i) / 8000
		sound[i] = int16(8000*math.Sin(dtmf.Rows[at/4]*x) + 8000*math.Sin(dtmf.Columns[at%4]*x))
	}
	for len(sound) > 0 {
		p.send(p.encode(sound[:160]))
		sound = sound[160:]
		p.rig.step()
	}
}

// TestNoKeyOfOthers: nothing that another party sounds is a key, not even when it comes back as
// an echo from one whose tones are; neither are tones that we send.
func TestNoKeyOfOthers(t *testing.T) {
	r := newRig(t, labConfig(nil))
	desk, caller := r.tonePhone(1, codec.PCMA), r.phone(2, codec.PCMA)
	caller.talks = false
	desk.hears(Playlist{}, caller)
	caller.hears(Playlist{}, desk)
	r.run(200 * time.Millisecond)
	echo := func() {
		for range 20 {
			heard := len(desk.got)
			r.step()
			for _, packet := range desk.got[heard:] {
				desk.send(packet.Payload)
			}
		}
	}
	caller.tone('*', 5)
	for _, packet := range desk.got[len(desk.got)-5:] {
		desk.send(packet.Payload)
		r.step()
	}
	echo()
	r.session.Do(Digits{Leg: 1, Digits: "1"})
	echo()
	if got := digitsOf(r.events()); got != "" {
		t.Errorf("echo and others' tones made keys %q", got)
	}
	r.run(500 * time.Millisecond)
	desk.tone('3', 5)
	if got := digitsOf(r.events()); got != "3" {
		t.Errorf("after the echo: %q, want 3", got)
	}
}

// TestToneKeysOnHold: who is on hold and sends nothing that is heard has keys all the same.
func TestToneKeysOnHold(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.tonePhone(1, codec.PCMA)
	s := a.stream()
	s.DTMFSend, s.DTMFRecv, s.ToneKeys, s.Receive = 0, nil, true, false
	r.session.Do(s)
	r.run(100 * time.Millisecond)
	a.tone('9', 5)
	if got := digitsOf(r.events()); got != "9" {
		t.Errorf("%q, want 9", got)
	}
}

func TestToneKeysAllocateNothing(t *testing.T) {
	for _, id := range codec.List() {
		r := newRig(t, labConfig(nil))
		a := r.tonePhone(1, id)
		b := r.phone(2, id)
		b.talks = false
		b.hears(Playlist{}, a)
		a.talks = true
		r.run(time.Second)
		r.wire.mute = true
		packet := &r.shard.packet
		payload := a.encode(a.noise())
		packet.Header = a.header
		if n := testing.AllocsPerRun(100, func() {
			packet.SequenceNumber++
			packet.Timestamp += uint32(id.Ticks(payload))
			packet.Payload = payload
			r.shard.sockets[1].leg.detect(id, packet, r.now)
		}); n != 0 {
			t.Errorf("%s: %v allocations per packet", id, n)
		}
	}
}
