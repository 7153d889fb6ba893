package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"liandong/media/codec"
	"liandong/media/socket"
)

func TestMediaLost(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	r.run(time.Second)
	a.talks = false
	r.run(r.shard.cfg.MediaTimeout - frameTime)
	if got := r.events(); len(got) != 0 {
		t.Fatalf("%v before the time is over", got)
	}
	r.run(time.Second)
	if got := r.events(); !slices.Equal(got, []Event{MediaLost{Leg: 1}}) {
		t.Fatalf("events %v, want MediaLost once", got)
	}
	a.talks = true
	r.run(time.Second)
	if got := r.events(); !slices.Equal(got, []Event{MediaBack{Leg: 1}}) {
		t.Fatalf("events %v, want MediaBack once", got)
	}

	hold := a.stream()
	hold.Receive = false
	r.session.Do(hold)
	a.talks = false
	r.run(2 * r.shard.cfg.MediaTimeout)
	if got := r.events(); len(got) != 0 {
		t.Fatalf("events %v of a party that is on hold", got)
	}
	r.session.Do(a.stream())
	r.run(r.shard.cfg.MediaTimeout / 2)
	if got := r.events(); len(got) != 0 {
		t.Fatalf("events %v: the hold counted", got)
	}
	if n := r.engine.Stats().MediaLost; n != 1 {
		t.Errorf("%d losses counted, want 1", n)
	}
}

// TestSilence: a party that has nothing to hear for a second is counted, once each time.
func TestSilence(t *testing.T) {
	r := newRig(t, labConfig(testLibrary(t)))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	count := func(want uint64, when string) {
		t.Helper()
		if got := r.engine.Stats().Silences; got != want {
			t.Errorf("%d silences %s, want %d", got, when, want)
		}
	}
	r.run(5 * time.Second)
	count(0, "in a conversation")
	b.talks = false
	r.run(900 * time.Millisecond)
	count(0, "after 900 ms without b")
	r.run(3 * time.Second)
	count(1, "after 4 s without b")
	if n := len(a.got); n < 7*50 {
		t.Errorf("%d packets, the stream must go on in silence", n)
	}
	a.hears(Playlist{ID: 1, Items: []string{"music"}, Loop: true})
	r.run(3 * time.Second)
	count(1, "with music")
	a.hears(Playlist{})
	r.run(3 * time.Second)
	count(2, "with nothing again")
	a.oneStream()
}

// TestUnconfigured: before its Stream a leg neither sends nor is heard.
func TestUnconfigured(t *testing.T) {
	r := newRig(t, labConfig(nil))
	at, err := r.session.Open(1, "lab")
	if err != nil {
		t.Fatal(err)
	}
	r.run(time.Second)
	r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(at.Port()), From: addr("127.0.0.9:4000"),
		Data: make([]byte, 172)})
	r.step()
	if s := r.engine.Stats(); s.PacketsOut != 0 || s.Unclaimed != 1 {
		t.Errorf("%+v, want nothing sent and one early packet", s)
	}
	r.session.Do(Stream{Leg: 1, Remote: addr("127.0.0.9:4000"), Codec: 77, Send: true})
	r.session.Do(Stream{Leg: 2, Remote: addr("127.0.0.9:4000"), Codec: codec.PCMA, Send: true})
	r.run(time.Second)
	if n := r.engine.Stats().PacketsOut; n != 0 {
		t.Errorf("%d packets sent by an unknown codec or leg", n)
	}
}

// TestPauses: a party that suppresses silence is not lost while its reports say that it has sent nothing; one whose
// packets do not arrive is, and so is one that is gone.
func TestPauses(t *testing.T) {
	for _, c := range []struct {
		name   string
		report func(p *phone, second uint32) rtcp.Packet
		lost   bool
	}{
		{"receiver reports", func(p *phone, _ uint32) rtcp.Packet { return &rtcp.ReceiverReport{SSRC: p.header.SSRC} },
			false},
		{"sender reports", func(p *phone, _ uint32) rtcp.Packet {
			return &rtcp.SenderReport{SSRC: p.header.SSRC, NTPTime: 1 << 20, PacketCount: 50}
		}, false},
		{"sends into the void", func(p *phone, second uint32) rtcp.Packet {
			return &rtcp.SenderReport{SSRC: p.header.SSRC, NTPTime: 1 << 20, PacketCount: 50 + 50*second}
		}, true},
		{"says nothing", func(*phone, uint32) rtcp.Packet { return nil }, true},
	} {
		r := newRig(t, labConfig(nil))
		a := r.phone(1, codec.PCMA)
		r.run(time.Second)
		a.talks = false
		for second := range uint32(60) {
			if report := c.report(a, second); report != nil && second%5 == 4 {
				data, err := report.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(a.port + 1), From: a.addr,
					Data: data})
			}
			r.run(time.Second)
		}
		if got := len(r.events()) > 0; got != c.lost {
			t.Errorf("%s: lost %v, want %v", c.name, got, c.lost)
		}
	}
}

// A stream may have less patience than the engine, until another offer and answer.
func TestOwnTimeout(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	a.talks = false
	early := a.stream()
	early.Timeout = time.Second
	r.session.Do(early)
	r.run(900 * time.Millisecond)
	if got := r.events(); len(got) != 0 {
		t.Fatalf("%v before the time is over", got)
	}
	r.run(200 * time.Millisecond)
	if got := r.events(); !slices.Equal(got, []Event{MediaLost{Leg: 1}}) {
		t.Fatalf("events %v, want MediaLost once", got)
	}
	r.session.Do(a.stream())
	r.run(r.shard.cfg.MediaTimeout - time.Second)
	if got := r.events(); len(got) != 0 {
		t.Fatalf("%v: the new stream has the engine's own time", got)
	}
	r.run(2 * time.Second)
	if got := r.events(); !slices.Equal(got, []Event{MediaLost{Leg: 1}}) {
		t.Errorf("events %v, want MediaLost of the new stream", got)
	}
}
