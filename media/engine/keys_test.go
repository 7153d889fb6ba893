package engine

import (
	"math"
	"slices"
	"testing"
	"time"

	"liandong/media/codec"
)

func digitsOf(events []Event) (digits string) {
	for _, e := range events {
		if d, ok := e.(DigitReceived); ok {
			digits += string(d.Digit)
		}
	}
	return digits
}

// TestKeyPressed: a key is reported once; nobody hears it, neither as an event nor as
// the tone that some phones send beside it.
func TestKeyPressed(t *testing.T) {
	for _, c := range []struct {
		name       string
		start, end int // event packets lost at the start, end packets lost
		tone       bool
	}{
		{name: "plain"},
		{name: "with its tone", tone: true},
		{name: "start lost", start: 2},
		{name: "end lost", end: 3},
		{name: "start and two ends lost", start: 2, end: 2},
	} {
		r := newRig(t, labConfig(nil))
		a, b, d := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
		b.talks, d.talks = false, false
		b.hears(Playlist{}, a)    // relay
		d.hears(Playlist{}, a, b) // mix
		r.run(200 * time.Millisecond)
		for key := range byte(3) {
			a.talks = false
			start := a.header.Timestamp
			for i := range 6 {
				if c.tone { // its first 20 ms are ahead of the event
					a.header.Timestamp = start + uint32(i)*frameSamples
					a.send(loud(codec.PCMA))
				}
				if i >= c.start {
					a.press(key+1, start, false, uint16(i+1)*160)
				}
				r.step()
				if i == 0 {
					b.forget()
					d.got = nil
				}
			}
			for i := range 3 {
				if i >= c.end {
					a.press(key+1, start, true, 1120)
				}
			}
			r.step()
			quiet(t, c.name, b)
			quiet(t, c.name, d)
			a.header.Timestamp = start + 8*frameSamples
			a.talks = true
			r.run(200 * time.Millisecond)
		}
		if got := digitsOf(r.events()); got != "123" {
			t.Errorf("%s: reported %q, want 123", c.name, got)
		}
		b.oneStream()
		d.oneStream()
	}
}

func loud(id codec.ID) []byte {
	tone, payload := make([]int16, 160), make([]byte, 160)
	for i := range tone {
		tone[i] = int16(20000 * math.Sin(2*math.Pi*1209*float64(i)/8000))
	}
	codec.Encode(id, payload, tone)
	return payload
}

// quiet checks that a phone got no event, and no sound louder than what noise leaves in the
// jitter buffer at the start.
func quiet(t *testing.T, name string, p *phone) {
	t.Helper()
	for i, packet := range p.got {
		if packet.PayloadType == 101 {
			t.Errorf("%s: leg %d got an event", name, p.leg)
		}
		sound := make([]int16, len(packet.Payload))
		codec.Decode(p.codec, sound, packet.Payload)
		for _, sample := range sound {
			if sample > 15000 || sample < -15000 {
				t.Fatalf("%s: leg %d hears the tone in packet %d", name, p.leg, i)
			}
		}
	}
}

// TestKeysSent: keys go out as events in the one stream, in order, with three end packets.
func TestKeysSent(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	r.run(200 * time.Millisecond)
	r.session.Do(Digits{Leg: 1, Digits: "5*"})
	r.run(60 * time.Millisecond)
	b.header.SequenceNumber += 5 // lost meanwhile: nobody is to notice
	r.run(time.Second)
	a.oneStream()
	for i, packet := range a.got[1:] {
		if packet.PayloadType == 101 && !packet.Marker && a.got[i].Timestamp != packet.Timestamp {
			t.Errorf("packet %d: sound between the packets of one key", i)
		}
	}

	var keys []byte
	ends, duration := map[uint32]int{}, map[uint32]uint16{}
	for _, packet := range a.got {
		if packet.PayloadType != 101 {
			continue
		}
		if _, known := duration[packet.Timestamp]; !known {
			keys = append(keys, packet.Payload[0])
		}
		duration[packet.Timestamp] = uint16(packet.Payload[2])<<8 | uint16(packet.Payload[3])
		if packet.Payload[1]&0x80 != 0 {
			ends[packet.Timestamp]++
		}
	}
	if string(keys) != "\x05\x0a" {
		t.Errorf("events %v, want 5 and 10", keys)
	}
	for ts, n := range ends {
		if n != 3 || duration[ts] < 800 {
			t.Errorf("%d end packets of %d samples, want 3 of 800 or more", n, duration[ts])
		}
	}
	a.forget()
	b.said = nil
	r.run(500 * time.Millisecond)
	a.mustHear(b)
}

// TestKeysSentBesideASourceAhead: a source whose packets are always a little early, and a room
// that is calm, leave a key its turn all the same.
func TestKeysSentBesideASourceAhead(t *testing.T) {
	for _, events := range []uint8{0, 101} {
		r := newRig(t, labConfig(nil))
		a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
		stream := a.stream()
		stream.DTMFSend = events
		r.session.Do(stream)
		a.hears(Playlist{}, b)
		r.run(200 * time.Millisecond)
		b.talk()
		r.run(200 * time.Millisecond)
		a.forget()
		r.session.Do(Digits{Leg: 1, Digits: "7"})
		r.run(200 * time.Millisecond)
		event := false
		for _, packet := range a.got {
			event = event || packet.PayloadType == 101 && packet.Payload[0] == 7
		}
		if tone := power(a.heard(), 852) > 0.2; event != (events != 0) || tone != (events == 0) {
			t.Errorf("telephone-event %d: an event %v, a tone %v", events, event, tone)
		}
	}
}

// TestTonesSent: to a party without telephone-event keys go as sound.
func TestTonesSent(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMU), r.phone(2, codec.PCMA)
	plain := a.stream()
	plain.DTMFSend = 0
	r.session.Do(plain)
	a.hears(Playlist{}, b)
	b.talks = false
	r.run(200 * time.Millisecond)
	a.forget()
	r.session.Do(Digits{Leg: 1, Digits: "7!3"}) // flash has no tone
	r.run(100 * time.Millisecond)
	seven := a.heard()
	a.forget()
	r.run(80 * time.Millisecond)
	a.forget()
	r.run(100 * time.Millisecond)
	three := a.heard()
	for _, c := range []struct {
		sound     []int16
		low, high float64
	}{{seven, 852, 1209}, {three, 697, 1477}} {
		if power(c.sound, c.low) < 0.3 || power(c.sound, c.high) < 0.3 || power(c.sound, 770) > 0.1 {
			t.Errorf("tones %v %v: %.2f and %.2f of the power", c.low, c.high, power(c.sound, c.low),
				power(c.sound, c.high))
		}
	}
	r.run(500 * time.Millisecond)
	a.oneStream()
}

// power is the share of a frequency in the sound (Goertzel).
func power(sound []int16, frequency float64) float64 {
	var sum, re, im float64
	for i, sample := range sound {
		x, phase := float64(sample), 2*math.Pi*frequency*float64(i)/8000
		sum += x * x
		re += x * math.Cos(phase)
		im += x * math.Sin(phase)
	}
	return 2 * (re*re + im*im) / (sum*float64(len(sound)) + 1)
}

// TestKeysBeforeStream: keys for a leg that is not configured yet wait, and find their way.
func TestKeysBeforeStream(t *testing.T) {
	for _, events := range []uint8{0, 101} {
		r := newRig(t, labConfig(nil))
		if _, err := r.session.Open(1, "lab"); err != nil {
			t.Fatal(err)
		}
		r.session.Do(Digits{Leg: 1, Digits: "7"})
		r.run(time.Second)
		p := &phone{rig: r, leg: 1, addr: addr("127.0.0.9:40002"), codec: codec.PCMA}
		r.wire.phones[p.addr] = p
		stream := p.stream()
		stream.DTMFSend = events
		r.session.Do(stream)
		r.run(100 * time.Millisecond)
		key := p.got[0].PayloadType == 101
		if tone := power(p.heard(), 852) > 0.3; key != (events != 0) || tone != (events == 0) {
			t.Errorf("telephone-event %d: an event %v, a tone %v", events, key, tone)
		}
	}
}

// TestKeyReleased: that a key is up is said once, with its end, or soon after its last packet when the end was lost.
func TestKeyReleased(t *testing.T) {
	for _, lost := range []bool{false, true} {
		r := newRig(t, labConfig(nil))
		p := r.phone(1, codec.PCMA)
		p.talks = false
		ts := p.header.Timestamp
		for i := range 100 { // two seconds
			p.press(10, ts, false, uint16(160*i))
			r.step()
		}
		if got := r.keys(); len(got) != 1 || digitsOf(got) != "*" {
			t.Fatalf("%v while the key is down", got)
		}
		within := 300 * time.Millisecond
		if !lost {
			within = frameTime
			for range 3 {
				p.press(10, ts, true, 160*100)
			}
		}
		r.run(within)
		r.run(time.Second)
		if got := r.keys(); !slices.Equal(got, []Event{DigitReleased{Leg: 1}}) {
			t.Errorf("end lost %v: %v", lost, got)
		}
	}
}

// keys takes what was reported of keys.
func (r *rig) keys() []Event {
	return slices.DeleteFunc(r.allEvents(), func(e Event) bool {
		switch e.(type) {
		case DigitReceived, DigitReleased:
			return false
		}
		return true
	})
}
