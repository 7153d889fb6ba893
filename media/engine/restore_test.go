package engine

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"liandong/media/codec"
)

// successor is a rig in which the call goes on that was r's, from its checkpoints: of r nothing is closed and nothing
// is said. Its clock is later by the gap.
func (r *rig) successor(checkpoints []LegState, gap time.Duration) *rig {
	r.t.Helper()
	next := newRig(r.t, r.shard.cfg)
	next.session.Close()
	next.now = r.now.Add(gap)
	next.shard.next = next.now.Add(frameTime)
	next.shard.started, next.shard.startUp = r.shard.started, r.shard.startUp
	session, err := next.engine.Restore("test", func(Event) {}, checkpoints)
	if err != nil {
		r.t.Fatal(err)
	}
	next.session, next.phones, next.wire.phones = session, r.phones, r.wire.phones
	for _, p := range r.wire.phones {
		p.rig = next
	}
	for range gap / frameTime { // they talk on
		for _, p := range next.phones {
			if p.talks {
				p.talkUnheard()
			}
		}
	}
	next.shard.step(next.now)
	return next
}

// talkUnheard sends a frame to where nobody reads it.
func (p *phone) talkUnheard() {
	n := len(p.rig.wire.in)
	p.talk()
	p.rig.wire.in = p.rig.wire.in[:n]
}

// checkpoints are the newest of each leg, taken from the events.
func (r *rig) checkpoints(known map[LegID]LegState) map[LegID]LegState {
	if known == nil {
		known = map[LegID]LegState{}
	}
	for _, e := range r.allEvents() {
		if c, ok := e.(Checkpoint); ok {
			known[c.State.ID] = c.State
		}
	}
	return known
}

func listed(known map[LegID]LegState) (all []LegState) {
	for _, s := range known {
		all = append(all, s)
	}
	return all
}

// oneStreamOn checks that what a phone has got is one stream: one SSRC, each number once and forward, time forward.
func (p *phone) oneStreamOn(within time.Duration) {
	p.rig.t.Helper()
	var last taken
	for i, packet := range p.got {
		if i > 0 {
			step, time := int16(packet.SequenceNumber-last.SequenceNumber), int32(packet.Timestamp-last.Timestamp)
			pause := packet.at.Sub(last.at)
			switch {
			case packet.SSRC != last.SSRC:
				p.rig.t.Fatalf("leg %d: SSRC %x after %x", p.leg, packet.SSRC, last.SSRC)
			case step < 1 || step > 2*reservedPackets:
				p.rig.t.Fatalf("leg %d: number %d after %d", p.leg, packet.SequenceNumber, last.SequenceNumber)
			case time < 1:
				p.rig.t.Fatalf("leg %d: time goes back by %d", p.leg, -time)
			case pause > within:
				p.rig.t.Errorf("leg %d: nothing for %v", p.leg, pause)
			}
		}
		last = packet
	}
}

// TestCallGoesOn: the process that carries a call ends without a word, whatever it did, at any age of its checkpoints:
// each party gets one stream all the while, SRTP opens it without a doubled index, and all hear each other again at
// once.
func TestCallGoesOn(t *testing.T) {
	const gap = 100 * time.Millisecond
	for _, suite := range append([]string{""}, suites...) {
		for _, parties := range []int{2, 3} {
			for _, after := range []time.Duration{20 * time.Millisecond, 1300 * time.Millisecond,
				5060 * time.Millisecond, 9900 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s/%d/%v", suite, parties, after), func(t *testing.T) {
					r := newRig(t, labConfig(testLibrary(t)))
					for i := range parties {
						r.phone(LegID(i+1), []codec.ID{codec.PCMA, codec.PCMU, codec.G722}[i])
						if suite != "" && i < 2 {
							secure(r, suite, i)
						}
					}
					everybodyHears(r)
					r.run(after)
					known := r.checkpoints(nil)
					if len(known) != parties {
						t.Fatalf("checkpoints of %d legs", len(known))
					}
					for round := range 3 { // one after the other, and none of them for long
						next := r.successor(listed(known), gap)
						everybodyHears(next)
						next.run(200 * time.Millisecond)
						known, r = next.checkpoints(known), next
						for _, p := range r.phones {
							p.oneStreamOn(gap + 60*time.Millisecond)
						}
						if n := r.engine.Stats().Forged; n != 0 {
							t.Errorf("round %d: %d packets of the parties were refused", round, n)
						}
					}
					r.settle()
					r.run(time.Second)
					for _, p := range r.phones {
						for _, other := range r.phones {
							if p != other {
								p.mustHear(other)
							}
						}
					}
				})
			}
		}
	}
}

// TestSoundGoesOnMeanwhile: the process that has left a call sends on while another is made ready from what it last
// said: each party gets one stream all the while, with no pause and nothing lost.
func TestSoundGoesOnMeanwhile(t *testing.T) {
	for _, suite := range append([]string{""}, suites...) {
		t.Run(suite, func(t *testing.T) {
			r := newRig(t, labConfig(testLibrary(t)))
			for i := range 2 {
				r.phone(LegID(i+1), codec.PCMA)
				if suite != "" {
					secure(r, suite, i)
				}
			}
			everybodyHears(r)
			r.run(1300 * time.Millisecond)
			r.allEvents()
			for _, rooms := range r.shard.groups {
				r.shard.leave(rooms)
			}
			known := r.checkpoints(nil)
			r.run(700 * time.Millisecond)
			next := r.successor(listed(known), 0)
			next.shard.seamless = true
			everybodyHears(next)
			next.run(200 * time.Millisecond)
			for _, p := range next.phones {
				p.oneStreamOn(2 * frameTime)
			}
			if n := next.engine.Stats().Forged; n != 0 {
				t.Errorf("%d packets of the parties were refused", n)
			}
		})
	}
}

// However long the sound goes on: no packet is sealed by an index that the next process may use.
func TestNoIndexTwice(t *testing.T) {
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			r := newRig(t, labConfig(testLibrary(t)))
			for i := range 2 {
				r.phone(LegID(i+1), codec.PCMA)
				secure(r, suite, i)
			}
			everybodyHears(r)
			r.run(1300 * time.Millisecond)
			for _, rooms := range r.shard.groups {
				r.shard.leave(rooms)
			}
			r.shard.marked = true
			before := len(r.phones[0].got)
			r.run(reservedPackets * frameTime * 5 / 4)
			if n := len(r.phones[0].got) - before; n > reservedPackets || n < reservedPackets/2 {
				t.Errorf("%d packets where %d were reserved", n, reservedPackets)
			}
		})
	}
}

// TestSoundIsHeld: what is ordered while another process carries the sound is done when this one does.
func TestSoundIsHeld(t *testing.T) {
	e, err := New(labConfig(testLibrary(t)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	e.Hold()
	said := make(chan Event, 4)
	s := e.NewSession("held", func(e Event) { said <- e })
	if _, err := s.Open(1, "lab"); err != nil {
		t.Fatal(err)
	}
	s.Do(Close{Leg: 1})
	select {
	case e := <-said:
		t.Fatalf("%T while the sound is another's", e)
	case <-time.After(50 * time.Millisecond):
	}
	e.Go(true)
	if _, ok := (<-said).(LegClosed); !ok {
		t.Error("the leg is not closed")
	}
	s.Close()
}

func everybodyHears(r *rig) {
	for _, p := range r.phones {
		var others []*phone
		for _, other := range r.phones {
			if other != p {
				others = append(others, other)
			}
		}
		p.hears(Playlist{}, others...)
	}
}

// TestKeyGoesOn: a key that is down when the process ends is one press, and one that is pressed while none is there
// counts.
func TestKeyGoesOn(t *testing.T) {
	r := newRig(t, labConfig(nil))
	p := r.phone(1, codec.PCMA)
	r.run(time.Second)
	p.talks = false
	start := p.header.Timestamp
	p.press(10, start, false, 160)
	r.step()
	known := r.checkpoints(nil)
	next := r.successor(listed(known), 100*time.Millisecond)
	for i := range 5 {
		p.press(10, start, false, uint16(960+160*i))
	}
	p.press(10, start, true, 2000)
	p.header.SequenceNumber += 8
	p.press(1, start+4000, false, 160) // they have waited in the socket
	next.step()
	var digits []byte
	released := 0
	for _, e := range next.allEvents() {
		switch e := e.(type) {
		case DigitReceived:
			digits = append(digits, e.Digit)
		case DigitReleased:
			released++
		}
	}
	if string(digits) != "1" || released != 1 {
		t.Errorf("keys %q and %d releases, want 1 and that of the first", digits, released)
	}
}

// TestAnnouncementGoesOn: a playlist that is commanded again goes on where it was, and its end is told once.
func TestAnnouncementGoesOn(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	p := r.phone(1, codec.PCMA)
	list := Playlist{ID: 7, Items: []string{"long"}}
	clip, ok := r.shard.cfg.Prompts.Get("long")
	if !ok {
		t.Fatal("no such clip")
	}
	p.hears(list)
	r.run(200 * time.Millisecond)
	at := time.Duration(r.shard.groups[0][0].legs[0].player.at) * frameTime
	next := r.successor(listed(r.checkpoints(nil)), 100*time.Millisecond)
	p.hears(list)
	next.run(clip.Duration() - at - 100*time.Millisecond - 5*frameTime)
	if got := next.events(); len(got) != 0 {
		t.Fatalf("%v before its end", got)
	}
	next.run(20 * frameTime)
	if got := next.events(); len(got) != 1 || got[0] != (PlayDone{Leg: 1, ID: 7}) {
		t.Errorf("%v, want its end", got)
	}
}

// TestStaleSound: what has waited in the socket while nobody read it is not heard late.
func TestStaleSound(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(time.Second)
	next := r.successor(listed(r.checkpoints(nil)), 0)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	next.pass(0)
	for range 20 {
		a.talk()
	}
	b.forget()
	next.pass(time.Millisecond)
	if len(b.got) != 0 {
		t.Errorf("%d packets of what is gone", len(b.got))
	}
}

// TestLostGoesOn: what was said of a party is still said, so that its end is told.
func TestLostGoesOn(t *testing.T) {
	r := newRig(t, labConfig(nil))
	p := r.phone(1, codec.PCMA)
	p.talks = false
	r.run(11 * time.Second)
	next := r.successor(listed(r.checkpoints(nil)), 50*time.Millisecond)
	next.run(20 * time.Second)
	if got := next.allEvents(); len(got) > 6 {
		t.Errorf("%v again", got)
	}
	p.talks = true
	next.step()
	back, alive := 0, 0
	for _, e := range next.allEvents() {
		switch e.(type) {
		case MediaBack:
			back++
		case Alive:
			alive++
		}
	}
	if back != 1 || alive != 1 {
		t.Errorf("%d MediaBack and %d Alive, want one of each", back, alive)
	}
}

// TestPortsAreClaimed: a leg that goes on has its port to itself, and one whose port is taken is an error that leaves
// nothing open.
func TestPortsAreClaimed(t *testing.T) {
	r := newRig(t, labConfig(nil))
	r.phone(1, codec.PCMA)
	r.run(time.Second)
	states := listed(r.checkpoints(nil))
	next := newRig(t, r.shard.cfg)
	if _, err := next.engine.Restore("one", func(Event) {}, states); err != nil {
		t.Fatal(err)
	}
	used := next.engine.Stats().Ports["lab"].Used
	if _, err := next.engine.Restore("other", func(Event) {},
		append([]LegState{{ID: 9, Network: "lab", Port: 20000}}, states...)); err == nil {
		t.Error("two legs have one port")
	}
	next.step()
	if got := next.engine.Stats().Ports["lab"].Used; got != used {
		t.Errorf("%d ports are in use, want %d", got, used)
	}
}
