package engine

import (
	"net/netip"
	"testing"
	"time"

	"liandong/media/codec"
)

func TestLatch(t *testing.T) {
	signalled, beside := addr("10.0.0.1:4000"), addr("10.0.0.1:61000")
	real, stranger := addr("192.0.2.7:61000"), addr("198.51.100.6:9")
	type packet struct {
		from netip.AddrPort
		ssrc uint32
		want bool
	}
	for _, c := range []struct {
		name    string
		packets []packet
		remote  netip.AddrPort
	}{
		{"as signalled, at once", []packet{{signalled, 1, true}, {stranger, 1, false}, {real, 1, false}}, signalled},
		{"behind NAT, with the third", []packet{{real, 1, false}, {real, 1, false}, {real, 1, true}, {real, 2, true}, {stranger, 1, false}}, real},
		{"two are not enough", []packet{{real, 1, false}, {real, 1, false}}, signalled},
		{"not in a row", []packet{{real, 1, false}, {real, 1, false}, {stranger, 2, false}, {real, 1, false}, {real, 1, false}}, signalled},
		{"not one stream", []packet{{real, 1, false}, {real, 1, false}, {real, 2, false}, {real, 3, false}}, signalled},
		{"the signalled one wins", []packet{{stranger, 2, false}, {stranger, 2, false}, {signalled, 1, true}, {stranger, 2, false}}, signalled},
		{"even when it comes late", []packet{{stranger, 2, false}, {stranger, 2, false}, {stranger, 2, true}, {signalled, 1, true}, {stranger, 2, false}}, signalled},
		{"next to it is its own host", []packet{{stranger, 2, false}, {stranger, 2, false}, {stranger, 2, true},
			{beside, 1, false}, {stranger, 2, true}, {beside, 1, false}, {stranger, 2, true}, {beside, 1, true}, {stranger, 2, false}}, beside},
		{"but not before it", []packet{{signalled, 1, true}, {beside, 1, false}, {beside, 1, false}, {beside, 1, false}}, signalled},
	} {
		l := latch{need: 3}
		l.signal(signalled, netip.AddrPort{})
		for i, p := range c.packets {
			if got := l.accept(p.from, p.ssrc, false); got != p.want {
				t.Errorf("%s: packet %d accepted %v, want %v", c.name, i, got, p.want)
			}
		}
		if l.remote != c.remote {
			t.Errorf("%s: sends to %v, want %v", c.name, l.remote, c.remote)
		}
	}
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// TestStranger: once locked, a stream cannot be stolen nor spoken into.
func TestStranger(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	r.run(200 * time.Millisecond)
	b.forget()
	a.forget()

	stranger := &phone{rig: r, leg: 9, port: a.port, addr: addr("198.51.100.6:9000"), codec: codec.PCMA, talks: true, voice: a.voice, header: a.header}
	stranger.header.SSRC = 666
	r.wire.phones[stranger.addr] = stranger
	r.phones = append(r.phones, stranger)
	r.run(2 * time.Second)

	if len(stranger.got) != 0 {
		t.Errorf("the stranger got %d packets", len(stranger.got))
	}
	b.mustHear(a)
	b.mustNotHear(stranger)
	if n := len(b.got); n > 101 {
		t.Errorf("%d packets in two seconds to b: the stranger's among them", n)
	}
	if n := r.engine.Stats().Strangers; n != 100 {
		t.Errorf("%d strange packets counted, want 100", n)
	}
}

// TestLatchMoves: the phone is behind a NAT, later it moves by signalling.
func TestLatchMoves(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	a.talks = false
	signal := a.stream()
	signal.Remote = addr("10.1.1.1:4000")
	r.session.Do(signal)
	r.run(100 * time.Millisecond)
	if len(a.got) != 0 {
		t.Fatal("sent to an address that nobody named")
	}
	a.talks = true
	r.run(200 * time.Millisecond)
	if len(a.got) == 0 {
		t.Fatal("not latched to where the phone really is")
	}
	a.oneStream()

	r.session.Do(signal) // a re-INVITE that changes nothing keeps the latch
	a.forget()
	r.run(200 * time.Millisecond)
	if len(a.got) != 10 {
		t.Errorf("%d packets after the same Stream again, want 10", len(a.got))
	}

	moved := &phone{rig: r, leg: 1, port: a.port, addr: addr("127.0.0.8:5000"), codec: codec.PCMA, talks: true, voice: a.voice, header: a.header}
	r.wire.phones[moved.addr] = moved
	r.session.Do(moved.stream())
	a.talks = false
	r.phones = append(r.phones, moved)
	r.run(200 * time.Millisecond)
	if len(moved.got) < 9 {
		t.Errorf("%d packets to the new address, want 10", len(moved.got))
	}
}

// TestStrangerFirst: a stranger who speaks into the port before the party does is not heard, and what
// he has caught meanwhile is the party's again with its first packet.
func TestStrangerFirst(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	a.talks = false
	stranger := &phone{rig: r, leg: 9, port: a.port, addr: addr("198.51.100.6:9000"), codec: codec.PCMA, talks: true, voice: a.voice, header: a.header}
	stranger.header.SSRC = 666
	r.wire.phones[stranger.addr] = stranger
	r.phones = append(r.phones, stranger)
	for range r.shard.cfg.LatchPackets - 1 {
		r.step()
	}
	b.mustNotHear(stranger)
	r.run(time.Second)
	a.talks = true
	r.step()
	a.forget()
	b.forget()
	stranger.forget()
	r.run(time.Second)
	if len(stranger.got) != 0 || len(a.got) != 50 {
		t.Errorf("of 50 packets %d go to the stranger and %d to the party", len(stranger.got), len(a.got))
	}
	b.mustHear(a)
	b.mustNotHear(stranger)
}

// TestLatchMovesAway: signalling moves the stream to another host while the one it comes from talks on.
func TestLatchMovesAway(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	r.run(200 * time.Millisecond)
	moved := &phone{rig: r, leg: 1, port: a.port, addr: addr("127.0.0.8:5000"), codec: codec.PCMA, voice: b.voice, header: b.header}
	r.wire.phones[moved.addr] = moved
	r.session.Do(moved.stream())
	r.run(300 * time.Millisecond) // the old one has not heard of it yet
	r.phones, moved.talks = append(r.phones, moved), true
	r.step()
	b.forget()
	moved.forget()
	r.run(time.Second)
	b.mustHear(moved)
	if len(moved.got) != 50 {
		t.Errorf("%d packets to the new address, want 50", len(moved.got))
	}
}

// RFC 6263 §4.6: a party behind a NAT that is on hold gets an empty packet now and then, in the
// one stream that there is; one that is where it says gets nothing.
func TestHeldPartyBehindNATIsHeldOpen(t *testing.T) {
	for _, behind := range []bool{false, true} {
		r := newRig(t, labConfig(testLibrary(t)))
		p := r.phone(1, codec.PCMA)
		signalled := p.stream()
		if behind {
			p.addr = netip.MustParseAddrPort("127.0.0.77:7777")
			r.wire.phones[p.addr] = p
		}
		r.run(time.Second)
		signalled.Send = false
		r.session.Do(signalled)
		p.talks = false
		r.pass(0)
		last := p.got[len(p.got)-1].SequenceNumber
		p.forget()
		r.run(65 * time.Second)
		want := 0
		if behind {
			want = 4
		}
		if len(p.got) != want {
			t.Fatalf("behind a NAT %v: %d packets, want %d", behind, len(p.got), want)
		}
		for i, got := range p.got {
			if got.PayloadType != noPayload || len(got.Payload) != 0 || got.SequenceNumber != last+1+uint16(i) {
				t.Errorf("%d: %+v after %d", i, got.Header, last)
			}
		}
	}
}

// TestPartyComesBackFromAnotherPort: a NAT forgets a party and gives it another port, while signalling
// stays the same. Sealed packets are proof of who sends them; in the open it is the same stream from the
// same host, after the old port has fallen silent. Nobody else moves anything.
func TestPartyComesBackFromAnotherPort(t *testing.T) {
	for _, tt := range []struct {
		what   string
		sealed bool
		silent time.Duration
		from   string
		ssrc   uint32 // more than the party's
		moves  bool
	}{
		{"sealed", true, 0, "127.0.0.77:8888", 0, true},
		{"sealed, another host and stream", true, 0, "198.51.100.6:9000", 1, true},
		{"in the open", false, 3 * time.Second, "127.0.0.77:8888", 0, true},
		{"in the open, while the old port talks", false, 0, "127.0.0.77:8888", 0, false},
		{"in the open, another stream", false, 3 * time.Second, "127.0.0.77:8888", 1, false},
		{"in the open, another host", false, 3 * time.Second, "198.51.100.6:9000", 0, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := newRig(t, labConfig(testLibrary(t)))
			a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
			if tt.sealed {
				secure(r, aesCM, 0)
			}
			a.hears(Playlist{}, b)
			b.hears(Playlist{}, a)
			a.addr = addr("127.0.0.77:7777") // not the one that was signalled
			r.wire.phones[a.addr] = a
			r.run(time.Second)
			a.talks = false
			r.run(tt.silent)
			again := &phone{rig: r, leg: 1, port: a.port, addr: addr(tt.from), codec: codec.PCMA, talks: true, voice: a.voice, header: a.header, sender: a.sender, receiver: a.receiver}
			again.header.SSRC += tt.ssrc
			r.wire.phones[again.addr] = again
			r.phones = append(r.phones, again)
			r.run(300 * time.Millisecond)
			a.forget()
			b.forget()
			again.forget()
			r.run(time.Second)
			if got := len(again.got) == 50; got != tt.moves || len(a.got)+len(again.got) != 50 {
				t.Errorf("%d packets to the new port, %d to the old", len(again.got), len(a.got))
			}
			if tt.moves {
				b.mustHear(again)
			} else {
				b.mustNotHear(again)
			}
		})
	}
}
