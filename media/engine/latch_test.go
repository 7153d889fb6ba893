package engine

import (
	"net/netip"
	"testing"
	"time"

	"liandong/media/codec"
)

func TestLatch(t *testing.T) {
	signalled, real, stranger := addr("10.0.0.1:4000"), addr("192.0.2.7:61000"), addr("198.51.100.6:9")
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
		{"behind NAT, after three", []packet{{real, 1, true}, {real, 1, true}, {real, 1, true}, {signalled, 1, false}}, real},
		{"two are not enough", []packet{{real, 1, true}, {real, 1, true}}, signalled},
		{"not in a row", []packet{{real, 1, true}, {real, 1, true}, {stranger, 2, true}, {real, 1, true}, {real, 1, true}}, signalled},
		{"not one stream", []packet{{real, 1, true}, {real, 1, true}, {real, 2, true}, {real, 3, true}}, signalled},
		{"the signalled one wins", []packet{{stranger, 2, true}, {stranger, 2, true}, {signalled, 1, true}, {stranger, 2, false}}, signalled},
	} {
		l := latch{need: 3}
		l.signal(signalled, netip.AddrPort{})
		for i, p := range c.packets {
			if got := l.accept(p.from, p.ssrc); got != p.want {
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
