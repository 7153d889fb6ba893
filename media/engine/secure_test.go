package engine

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
	"liandong/media/socket"
	"liandong/media/srtp"
)

const aesCM = "AES_CM_128_HMAC_SHA1_80"

var (
	suites = []string{aesCM, "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"}
	sizes  = map[string]int{aesCM: 30, "AES_256_CM_HMAC_SHA1_80": 46, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}
)

func keyOf(suite string, seed byte) srtp.Key {
	b := make([]byte, sizes[suite])
	for i := range b {
		b[i] = seed + byte(i)
	}
	return srtp.Key{Suite: suite, Material: string(b)}
}

// secured is the phone's Stream with keys of its own: the engine seals by ours, the phone by theirs.
func (p *phone) secured(suite string, ours, theirs byte) Stream {
	s := p.stream()
	s.Seal, s.Open = keyOf(suite, ours), keyOf(suite, theirs)
	return s
}

// has gives the phone the keys of a Stream.
func (p *phone) has(s Stream) {
	p.rig.t.Helper()
	var err error
	if p.sender == nil || p.sender.Key() != s.Open {
		if p.sender, err = srtp.NewSender(s.Open); err != nil {
			p.rig.t.Fatal(err)
		}
	}
	if p.receiver == nil || p.receiver.Key() != s.Seal {
		if p.receiver, err = srtp.NewReceiver(s.Seal); err != nil {
			p.rig.t.Fatal(err)
		}
	}
}

// secure gives SRTP to some phones of a rig.
func secure(r *rig, suite string, phones ...int) {
	for _, i := range phones {
		p := r.phones[i]
		s := p.secured(suite, byte(10*i+1), byte(10*i+101))
		r.session.Do(s)
		p.has(s)
	}
	r.shard.step(r.now)
}

// A relay, a mix, and two of whom one is in the open: all are heard, whatever the suite.
func TestSecureParties(t *testing.T) {
	for _, suite := range suites {
		r := newRig(t, labConfig(testLibrary(t)))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA), r.phone(3, codec.PCMU)
		secure(r, suite, 0, 1)
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
		r.run(time.Second)
		a.mustHear(b)
		b.mustHear(a)
		connectThree(r)
		r.settle()
		r.run(time.Second)
		a.mustHear(b, c)
		c.mustHear(a, b)
		if n := r.engine.Stats().Forged; n != 0 {
			t.Errorf("%s: %d packets refused", suite, n)
		}
	}
}

// What is not the party's is dropped before anything is made of it: no sound, no
// key, and above all no other address to send to.
func TestForgedPacketsMoveNothing(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	secure(r, aesCM, 0)
	b.hears(Playlist{}, a)
	a.talks, b.talks = false, false
	r.run(100 * time.Millisecond)
	b.forget()
	thief := netip.MustParseAddrPort("127.0.0.66:6666")
	stolen, _ := srtp.NewSender(keyOf(aesCM, 55))
	for n := range 50 {
		h := a.header
		h.SequenceNumber += uint16(n)
		own := a.sender
		a.sender = stolen
		a.put(thief, h, make([]byte, 160))
		a.sender = nil
		a.put(a.addr, h, make([]byte, 160)) // in the open, from the right address
		h.PayloadType = 101
		a.put(thief, h, []byte{11, 0x8a, 0, 160})
		a.sender = own
	}
	r.run(200 * time.Millisecond)
	l := r.session.room.legs[0]
	if l.latch.locked || l.latch.remote != a.addr {
		t.Errorf("latched to %v", l.latch.remote)
	}
	if s := r.engine.Stats(); s.Forged != 150 {
		t.Errorf("%d refused, want 150", s.Forged)
	}
	if got := r.events(); len(got) != 0 {
		t.Errorf("events %v", got)
	}
	a.talks = true
	r.run(500 * time.Millisecond)
	b.mustHear(a)
}

// A copy that somebody sends again, a day later or from elsewhere, is refused.
func TestReplayIsRefused(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMA)
	secure(r, aesCM, 0)
	a.talk()
	copied := r.wire.in[0]
	copied.Data, copied.From = slices.Clone(copied.Data), netip.MustParseAddrPort("127.0.0.66:6666")
	r.pass(frameTime)
	for range 10 {
		again := copied
		again.Data = slices.Clone(copied.Data)
		r.wire.in = append(r.wire.in, again)
	}
	r.pass(frameTime)
	if s := r.engine.Stats(); s.Forged != 10 || r.session.room.legs[0].latch.remote != a.addr {
		t.Errorf("%d refused", s.Forged)
	}
}

// RFC 4568 §7.1.4: a later offer may bring a new key; the same key goes on where it
// was, whatever else the offer changes, and so do both roll-over counters.
func TestKeysThroughTheCall(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	secure(r, aesCM, 0)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	a.header.SequenceNumber = 65530 // wraps at once
	r.run(time.Second)
	for i, change := range []struct {
		what string
		to   Stream
	}{
		{"the same keys in another codec", func() Stream { a.codec = codec.PCMU; return a.secured(aesCM, 1, 101) }()},
		{"a new key of the phone", a.secured(aesCM, 1, 150)},
		{"new keys of another suite", a.secured("AEAD_AES_256_GCM", 7, 160)},
		{"the first keys again", a.secured(aesCM, 1, 170)},
	} {
		r.session.Do(change.to)
		r.pass(0)
		a.has(change.to)
		a.header.PayloadType, a.encoder = a.codec.PayloadType(), nil
		if i > 0 { // the first goes on with the source, whose numbers have wrapped
			a.header.SSRC++
		}
		a.forget()
		b.forget()
		r.run(time.Second)
		a.mustHear(b)
		b.mustHear(a)
		if n := r.engine.Stats().Forged; n != 0 {
			t.Errorf("%s: %d packets refused", change.what, n)
		}
	}
	open := a.stream() // as after a 488: in the open from now on
	r.session.Do(open)
	r.pass(0)
	a.sender, a.receiver = nil, nil
	a.forget()
	b.forget()
	r.run(500 * time.Millisecond)
	a.mustHear(b)
}

// RFC 3711 §9.1: no part of a key stream is used twice, also when the party goes back to a suite
// that it had before, or has been in the open meanwhile, for longer than half a cycle.
func TestKeyStreamsAreUsedOnce(t *testing.T) {
	var p protection
	begin := func(suite string) {
		t.Helper()
		if err := p.protect(Stream{Seal: keyOf(suite, 1), Open: keyOf(suite, 101)}); err != nil {
			t.Fatal(err)
		}
	}
	sealed := map[string]bool{}
	once := func(seq uint16) {
		t.Helper()
		packet := make([]byte, 12+40, 200)
		packet[0], packet[2], packet[3] = 0x80, byte(seq>>8), byte(seq)
		sound, err := p.sender.RTP(packet)
		if err != nil {
			t.Fatal(err)
		}
		report := make([]byte, 28, 100)
		copy(report, []byte{0x80, 200, 0, 6})
		sealedReport, err := p.sender.RTCP(report)
		if err != nil {
			t.Fatal(err)
		}
		// the plain text is zeros, or the same
		for _, s := range []string{string(sound[12:28]), string(sealedReport[8:24])} {
			if sealed[s] {
				t.Errorf("key stream of %d used again", seq)
			}
			sealed[s] = true
		}
	}
	for _, suite := range suites {
		begin(suite)
		once(20_000)
		once(20_001)
		begin("AES_256_CM_HMAC_SHA1_80")
		once(40_000)
		begin(suite)
		once(65_535)
		once(0)
		begin("AEAD_AES_128_GCM")
		once(10)
		begin(suite) // with the roll-over counter at 1, and not back to 0
		once(20_001)
		_ = p.protect(Stream{})
		begin(suite)
		once(65_000) // more than half a cycle on
		once(0)
		clear(sealed)
		p = protection{}
	}
}

// SRTCP: reports are sealed both ways, and forged ones are not believed.
func TestSecureReports(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMA)
	secure(r, aesCM, 0)
	r.run(12 * time.Second)
	if len(a.rtcp) < 2 {
		t.Fatalf("%d reports", len(a.rtcp))
	}
	for _, raw := range a.rtcp { // opened by take
		if _, err := rtcp.Unmarshal(raw); err != nil {
			t.Fatal(err)
		}
	}
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: a.header.SSRC}})
	if err != nil {
		t.Fatal(err)
	}
	l, put := r.session.room.legs[0], func(data []byte) {
		from := netip.AddrPortFrom(a.addr.Addr(), a.addr.Port()+7)
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: from, Data: data})
		r.pass(frameTime)
	}
	put(slices.Clone(report))
	if l.reports.from.IsValid() || r.engine.Stats().Forged != 1 {
		t.Error("a report in the open is believed")
	}
	for range 2 * mostCame { // nor do they take the place of the party's
		from := netip.AddrPortFrom(a.addr.Addr(), 6666)
		r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: from,
			Data: slices.Clone(report)})
	}
	sealed, err := a.sender.RTCP(report)
	if err != nil {
		t.Fatal(err)
	}
	put(sealed)
	if !l.reports.from.IsValid() {
		t.Error("a sealed report is not believed")
	}
}

// Sound that would be sealed one way only, or by a key that is none, is none: never
// is anything said in the open instead.
func TestUnusableKeysAreRefused(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a := r.phone(1, codec.PCMA)
	secure(r, aesCM, 0)
	for _, s := range []Stream{func() Stream { s := a.secured(aesCM, 1, 1); s.Open = srtp.Key{}; return s }(),
		func() Stream { s := a.secured(aesCM, 1, 1); s.Seal.Suite = "ROT13"; return s }()} {
		r.session.Do(s)
		r.run(100 * time.Millisecond) // take fails the test when it cannot open what comes
	}
	if len(a.got) == 0 {
		t.Error("the stream ended")
	}
}
