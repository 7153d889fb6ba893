package engine

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"liandong/media/codec"
)

func TestLatch(t *testing.T) {
	signalled, beside := addr("10.0.0.1:4000"), addr("10.0.0.1:61000")
	real, again := addr("192.0.2.7:61000"), addr("192.0.2.7:61002") // whence its signalling comes
	neighbour, stranger := addr("172.16.1.5:9"), addr("198.51.100.6:9")
	type packet struct {
		from netip.AddrPort
		ssrc uint32
		want bool
	}
	three := func(from netip.AddrPort) []packet {
		return []packet{{from, 1, false}, {from, 1, false}, {from, 1, true}}
	}
	for _, c := range []struct {
		name    string
		claim   claim
		packets []packet
		remote  netip.AddrPort
	}{
		{"as signalled, at once", claim{}, []packet{{signalled, 1, true}, {stranger, 1, false}, {real, 1, false}},
			signalled},
		{"behind NAT, with the third", claim{}, append(three(real), packet{real, 2, true}, packet{stranger, 1, false}),
			real},
		{"two are not enough", claim{}, []packet{{real, 1, false}, {real, 1, false}}, signalled},
		{"not in a row", claim{}, []packet{{real, 1, false}, {real, 1, false}, {neighbour, 2, false}, {real, 1, false},
			{real, 1, false}}, signalled},
		{"not one stream", claim{}, []packet{{real, 1, false}, {real, 1, false}, {real, 2, false}, {real, 3, false}},
			signalled},
		{"a stranger never", claim{quiet: true, same: true},
			[]packet{{stranger, 2, false}, {stranger, 2, false}, {stranger, 2, false}, {stranger, 2, false}},
			signalled},
		{"a stranger only with SRTP", claim{sealed: true}, three(stranger), stranger},
		{"a neighbour where the config says so", claim{}, three(neighbour), neighbour},
		{"the signalled one wins", claim{}, []packet{{neighbour, 2, false}, {neighbour, 2, false}, {signalled, 1, true},
			{neighbour, 2, false}}, signalled},
		{"even when it comes late", claim{}, append(three(neighbour), packet{signalled, 1, true},
			packet{neighbour, 1, false}), signalled},
		{"its own host is better than a neighbour", claim{},
			append(three(neighbour), append(three(beside), packet{neighbour, 1, false})...), beside},
		{"and so is the one that signals", claim{}, append(three(neighbour),
			append(three(real), packet{neighbour, 1, false})...), real},
		{"but not before it", claim{}, []packet{{signalled, 1, true}, {beside, 1, false}, {beside, 1, false},
			{beside, 1, false}}, signalled},
		{"another port of its equal, while it talks", claim{},
			append(three(real), packet{again, 1, false}, packet{again, 1, false}, packet{again, 1, false}), real},
		{"another port when it has fallen quiet", claim{quiet: true}, append(three(real), three(again)...), again},
		{"a neighbour in the place of the party", claim{quiet: true},
			append(three(real), packet{neighbour, 1, false}, packet{neighbour, 1, false}, packet{neighbour, 1, false}),
			real},
	} {
		l := latch{need: 3, signaller: real.Addr(), permits: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")}}
		l.signal(signalled, netip.AddrPort{})
		for i, p := range c.packets {
			if got := l.accept(p.from, p.ssrc, c.claim); got != p.want {
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

	stranger := r.stranger(a)
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
	signal.Remote, signal.Signaller = addr("10.1.1.1:4000"), a.addr.Addr()
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

	moved := &phone{rig: r, leg: 1, port: a.port, addr: addr("127.0.0.8:5000"), codec: codec.PCMA, talks: true,
		voice: a.voice, header: a.header}
	r.wire.phones[moved.addr] = moved
	r.session.Do(moved.stream())
	a.talks = false
	r.phones = append(r.phones, moved)
	r.run(200 * time.Millisecond)
	if len(moved.got) < 9 {
		t.Errorf("%d packets to the new address, want 10", len(moved.got))
	}
}

// TestStrangerFirst: a stranger who speaks into the port before the party does neither hears the call nor is heard in
// it, presses no key, and gets nothing, however long he keeps at it.
func TestStrangerFirst(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	a.talks = false
	stranger := r.stranger(a)
	r.run(time.Second)
	stranger.press(9, 1, true, 800)
	r.run(time.Second)
	b.mustNotHear(stranger)
	if len(stranger.got) != 0 {
		t.Errorf("the stranger got %d packets", len(stranger.got))
	}
	for _, e := range r.events() {
		if _, ok := e.(DigitReceived); ok {
			t.Errorf("%+v by a stranger", e)
		}
	}
	a.talks = true
	r.step()
	a.forget()
	b.forget()
	r.run(time.Second)
	if len(stranger.got) != 0 || len(a.got) != 50 {
		t.Errorf("of 50 packets %d go to the stranger and %d to the party", len(stranger.got), len(a.got))
	}
	b.mustHear(a)
	b.mustNotHear(stranger)
}

// TestNeighbourFirst: where the config takes sound from all of a network's peers, what one of them has caught is the
// party's again with its first packet.
func TestNeighbourFirst(t *testing.T) {
	cfg := labConfig(nil)
	lab := cfg.Networks["lab"]
	lab.Latch = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	cfg.Networks["lab"] = lab
	r := newRig(t, cfg)
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	a.talks = false
	neighbour := r.stranger(a)
	r.run(time.Second)
	b.mustHear(neighbour)
	a.talks = true
	r.step()
	a.forget()
	b.forget()
	neighbour.forget()
	r.run(time.Second)
	if len(neighbour.got) != 0 || len(a.got) != 50 {
		t.Errorf("of 50 packets %d go to the neighbour and %d to the party", len(neighbour.got), len(a.got))
	}
	b.mustHear(a)
	b.mustNotHear(neighbour)
}

// stranger speaks into the port of a phone from elsewhere.
func (r *rig) stranger(of *phone) *phone {
	p := &phone{
		rig: r, leg: 9, port: of.port, addr: addr("198.51.100.6:9000"), codec: of.codec, talks: true,
		voice: rand.New(rand.NewPCG(9, 1)), header: of.header,
	}
	p.header.SSRC = 666
	r.wire.phones[p.addr] = p
	r.phones = append(r.phones, p)
	return p
}

// TestLatchMovesAway: signalling moves the stream to another host while the one it comes from talks on.
func TestLatchMovesAway(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	r.run(200 * time.Millisecond)
	moved := &phone{rig: r, leg: 1, port: a.port, addr: addr("127.0.0.8:5000"), codec: codec.PCMA, voice: b.voice,
		header: b.header}
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
		signalled.Signaller = netip.MustParseAddr("127.0.0.77")
		r.session.Do(signalled)
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
// host that signals, after the old port has fallen silent. Nobody else moves anything.
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
		{"in the open, another stream", false, 3 * time.Second, "127.0.0.77:8888", 1, true},
		{"in the open, another stream while the old one talks", false, 0, "127.0.0.77:8888", 1, false},
		{"in the open, another host", false, 3 * time.Second, "198.51.100.6:9000", 0, false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := newRig(t, labConfig(testLibrary(t)))
			a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
			a.hears(Playlist{}, b)
			b.hears(Playlist{}, a)
			behind := a.stream()
			if tt.sealed {
				behind = a.secured(aesCM, 1, 101)
				a.has(behind)
			}
			behind.Signaller = addr("127.0.0.77:7777").Addr()
			r.session.Do(behind)
			a.addr = addr("127.0.0.77:7777") // not the one that was signalled
			r.wire.phones[a.addr] = a
			r.run(time.Second)
			a.talks = false
			r.run(tt.silent)
			again := &phone{rig: r, leg: 1, port: a.port, addr: addr(tt.from), codec: codec.PCMA, talks: true,
				voice: a.voice, header: a.header, sender: a.sender, receiver: a.receiver}
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
