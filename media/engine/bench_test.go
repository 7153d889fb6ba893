package engine

import (
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/socket"
)

// call sets up a session and lets it run in; its phones stay silent unless fed.
func call(t testing.TB, connect func(r *rig)) *rig {
	r := newRig(t, labConfig(testLibrary(t)))
	for id := range LegID(3) {
		p := r.phone(id+1, codec.PCMA)
		p.talks = false
	}
	connect(r)
	r.step()
	r.wire.mute = true
	return r
}

func connectRelay(r *rig) {
	r.phones[0].hears(Playlist{}, r.phones[1])
	r.phones[1].hears(Playlist{}, r.phones[0])
	r.session.Do(Close{Leg: 3})
}

func widen(phones ...*phone) {
	for _, p := range phones {
		p.change(codec.G722)
	}
}

func connectThree(r *rig) {
	r.phones[0].hears(Playlist{}, r.phones[1], r.phones[2])
	r.phones[1].hears(Playlist{}, r.phones[0], r.phones[2])
	r.phones[2].hears(Playlist{}, r.phones[0], r.phones[1])
}

func connectRecorded(r *rig) {
	connectThree(r)
	for _, p := range r.phones {
		r.session.Do(Record{Leg: p.leg, Tap: &tape{}, Channel: int(p.leg)})
	}
}

func connectPrompt(r *rig) {
	r.phones[0].hears(Playlist{ID: 1, Items: []string{"music"}, Loop: true})
	r.phones[1].hears(Playlist{ID: 1, Items: []string{"music"}, Loop: true}, r.phones[0])
	r.phones[2].hears(Playlist{})
}

// feed keeps one packet per phone and sends it anew, numbered on, without an allocation.
type feed struct {
	rig     *rig
	packets []socket.Packet
	sealed  [][]byte // of phones that have SRTP
}

func newFeed(r *rig, phones int) *feed {
	f := &feed{rig: r}
	for _, p := range r.phones[:phones] {
		sender := p.sender
		p.sender = nil // send seals anew each time
		p.talk()
		p.sender = sender
		f.sealed = append(f.sealed, make([]byte, socket.DatagramSize))
	}
	f.packets = append(f.packets, r.wire.in...)
	return f
}

func (f *feed) tick() {
	f.rig.wire.in = f.rig.wire.in[:0]
	for i := range f.packets {
		f.send(i)
	}
	f.rig.pass(frameTime)
}

func (f *feed) send(i int) {
	data := f.packets[i].Data
	seq := uint16(data[2])<<8 | uint16(data[3]) + 1
	data[2], data[3] = byte(seq>>8), byte(seq)
	ts := uint32(data[4])<<24 | uint32(data[5])<<16 | uint32(data[6])<<8 | uint32(data[7])
	ts += frameSamples
	data[4], data[5], data[6], data[7] = byte(ts>>24), byte(ts>>16), byte(ts>>8), byte(ts)
	packet := f.packets[i]
	if sender := f.rig.phones[i].sender; sender != nil {
		packet.Data, _ = sender.RTP(f.sealed[i][:copy(f.sealed[i], data)])
	}
	f.rig.wire.in = append(f.rig.wire.in, packet)
}

// BenchmarkSecureRelayPacket is a relay between two who have SRTP: against BenchmarkRelayPacket
// it is what they cost, together with the phone's own sealing of what it sends.
func BenchmarkSecureRelayPacket(b *testing.B) {
	for _, suite := range suites {
		b.Run(suite, func(b *testing.B) {
			benchmarkRelay(b, func(r *rig) { connectRelay(r); secure(r, suite, 0, 1) })
		})
	}
}

// TestNoAllocations: in the steady state neither a packet nor a tick allocates. Reports,
// each five seconds, may.
func TestNoAllocations(t *testing.T) {
	for _, c := range []struct {
		name    string
		phones  int
		connect func(*rig)
	}{
		{"relay", 2, connectRelay},
		{"three-way", 3, connectThree},
		{"prompts", 3, connectPrompt},
		{"recorded", 3, connectRecorded},
		{"relay of G.722", 2, func(r *rig) { connectRelay(r); widen(r.phones[0], r.phones[1]) }},
		{"G.722 and G.711", 2, func(r *rig) { connectRelay(r); widen(r.phones[0]) }},
		{"three-way with G.722", 3, func(r *rig) { connectThree(r); widen(r.phones[1]) }},
		{"prompts in G.722", 3, func(r *rig) { connectPrompt(r); widen(r.phones[0], r.phones[1]) }},
		{"relay of SRTP", 2, func(r *rig) { connectRelay(r); secure(r, aesCM, 0, 1) }},
		{"relay of SRTP by GCM", 2, func(r *rig) { connectRelay(r); secure(r, "AEAD_AES_128_GCM", 0, 1) }},
		{"relay of SRTP and RTP", 2, func(r *rig) { connectRelay(r); secure(r, aesCM, 1) }},
		{"three-way of SRTP", 3, func(r *rig) { connectThree(r); secure(r, aesCM, 0, 1, 2) }},
		{"packets of 30 ms", 2, func(r *rig) {
			connectRelay(r)
			for _, p := range r.phones[:2] {
				stream := p.stream()
				stream.Ptime = 30 * time.Millisecond
				r.session.Do(stream)
			}
		}},
	} {
		r := call(t, c.connect)
		f := newFeed(r, c.phones)
		for range 500 {
			f.tick()
		}
		before := r.wire.sent
		for _, l := range r.session.room.legs {
			l.reports.due = r.now.Add(1000 * reportInterval)
		}
		// sync.Pool forgets then
		if n := testing.AllocsPerRun(200, f.tick); n != 0 && !(raceEnabled && strings.Contains(c.name, "SRTP")) {
			t.Errorf("%s: %v allocations in a tick", c.name, n)
		}
		if sent := r.wire.sent - before; sent < 200*c.phones*2/3 {
			t.Errorf("%s: %d packets sent in 200 ticks of %d phones", c.name, sent, c.phones)
		}
	}
}

func BenchmarkRelayPacket(b *testing.B) { benchmarkRelay(b, connectRelay) }

func benchmarkRelay(b *testing.B, connect func(*rig)) {
	r := call(b, connect)
	f := newFeed(r, 2)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r.wire.in = r.wire.in[:0]
		f.send(n % 2)
		r.pass(frameTime / 2)
	}
	b.ReportMetric(float64(r.wire.sent)/float64(b.N), "sent/op")
}

// BenchmarkWideTick is a tick of a three-way call in which one has G.722.
func BenchmarkWideTick(b *testing.B) {
	f := newFeed(call(b, func(r *rig) { connectThree(r); widen(r.phones[1]) }), 3)
	b.ReportAllocs()
	for b.Loop() {
		f.tick()
	}
}

func BenchmarkThreeWayTick(b *testing.B) {
	f := newFeed(call(b, connectThree), 3)
	b.ReportAllocs()
	for b.Loop() {
		f.tick()
	}
}
