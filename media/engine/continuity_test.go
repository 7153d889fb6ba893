package engine

import (
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/prompt"
	"liandong/media/report"
)

func testLibrary(t testing.TB) *prompt.Library {
	t.Helper()
	library, err := prompt.Load(map[string][]byte{"short": toneWAV(5, 440), "long": toneWAV(20, 880)})
	if err != nil {
		t.Fatal(err)
	}
	return library
}

// oneStream checks what a phone got: one SSRC, each sequence number one above the last
// and timestamps that go on with real time.
func (p *phone) oneStream() {
	t := p.rig.t
	t.Helper()
	if len(p.got) == 0 {
		t.Fatalf("leg %d got nothing", p.leg)
	}
	first := p.got[0]
	for i, packet := range p.got[1:] {
		before := p.got[i]
		if packet.SSRC != first.SSRC {
			t.Fatalf("packet %d: SSRC %x, want %x", i+1, packet.SSRC, first.SSRC)
		}
		if packet.SequenceNumber != before.SequenceNumber+1 {
			t.Fatalf("packet %d: sequence number %d after %d", i+1, packet.SequenceNumber, before.SequenceNumber)
		}
		if packet.PayloadType != 101 && before.PayloadType != 101 {
			id := recvAll()[before.PayloadType]
			if step := int(int32(packet.Timestamp - before.Timestamp)); step < id.Ticks(before.Payload) {
				t.Fatalf("packet %d: timestamp moves by %d", i+1, step)
			}
		}
		clock := report.ClockOf(p.codec)
		real, frame := clock.Ticks(packet.at.Sub(first.at)), int32(clock.Frame())
		ahead := int32(packet.Timestamp - first.Timestamp - real)
		if packet.PayloadType != 101 && (ahead > 2*frame || ahead < -2*frame) {
			t.Fatalf("packet %d: timestamp is %d samples ahead of real time", i+1, ahead)
		}
	}
}

// TestContinuity: to a phone the stream is one stream whatever happens behind it, at
// every wrap of the numbers.
func TestContinuity(t *testing.T) {
	for _, start := range []outgoing{
		{ssrc: 1, clock: 8, seq: 1000, base: 1000},
		{ssrc: 2, clock: 8, seq: 65530, base: 1<<32 - 400},
		{ssrc: 3, clock: 8, seq: 32760, base: 1<<31 - 400},
	} {
		r := newRig(t, labConfig(testLibrary(t)))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMU)
		r.session.room.leg(1).out = start
		b.header.SequenceNumber, c.header.SequenceNumber = 65500, 32700

		stages := []func(){
			func() { a.hears(Playlist{}, b) },
			func() { a.hears(Playlist{}, b, c) },
			func() { a.hears(Playlist{}, c) },
			func() { a.hears(Playlist{ID: 1, Items: []string{"music"}, Loop: true}) },
			func() { a.hears(Playlist{}) },
			func() { hold := a.stream(); hold.Send = false; r.session.Do(hold) },
			func() { a.hears(Playlist{}, b); r.session.Do(a.stream()) },
			func() { r.session.Do(Digits{Leg: 1, Digits: "12"}) },
			func() { a.hears(Playlist{}, c, b) },
			func() { r.session.Do(Close{Leg: 3}) },
		}
		for i, change := range stages {
			before := len(a.got)
			change()
			r.run(500*time.Millisecond + time.Duration(i)*frameTime)
			sent := len(a.got) - before
			if held := i == 5; held && sent > 1 || !held && sent < 24 {
				t.Errorf("stage %d: %d packets in half a second", i, sent)
			}
		}
		a.oneStream()
		if got := a.got[0].SSRC; got != start.ssrc {
			t.Errorf("SSRC %d, want %d", got, start.ssrc)
		}
	}
}

// TestManySwitches: changes of bridge do not add up to delay, wherever in the frame they fall.
func TestManySwitches(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMA)
	c.talks, b.talks = false, false
	for i := range 300 {
		if i%2 == 0 {
			a.hears(Playlist{}, b)
		} else {
			a.hears(Playlist{}, b, c)
		}
		for range 3 {
			b.talk()
			r.pass(time.Duration(1+i%18) * time.Millisecond)
			c.talk()
			r.pass(frameTime - time.Duration(1+i%18)*time.Millisecond)
		}
	}
	a.oneStream()
}

func TestHold(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	a.mustHear(b)
	b.mustHear(a)

	hold := a.stream()
	hold.Send, hold.Receive = false, false
	r.session.Do(hold)
	r.run(100 * time.Millisecond)
	a.forget()
	b.forget()
	r.run(time.Second)
	if len(a.got) != 0 {
		t.Errorf("%d packets to a party on hold", len(a.got))
	}
	b.mustNotHear(a)
	if n := len(b.got); n < 49 {
		t.Errorf("%d packets in a second to the party that waits, want 50", n)
	}
}
