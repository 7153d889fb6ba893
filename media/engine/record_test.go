package engine

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"liandong/media/codec"
)

// tape is a Tap that keeps what it is given.
type tape struct {
	sound map[int][]byte
	last  time.Time
	keep  bool
}

func (c *tape) Put(channel int, id codec.ID, _ uint32, payload []byte, now time.Time) {
	c.last = now
	if c.keep {
		c.sound[channel] = append(c.sound[channel], payload...)
	}
}

func (c *tape) Paused() bool { return false }

func newTape() *tape { return &tape{sound: map[int][]byte{}, keep: true} }

// spoken is what a phone has said, as its packets had it.
func (p *phone) spoken() []byte {
	b := make([]byte, len(p.said))
	codec.Encode(p.codec, b, p.said)
	return b
}

// heads is a Sniffer that keeps what it is given.
type heads []Head

func (h *heads) Sniff(p Head) { *h = append(*h, p) }

// Who looks at a session gets the header of each packet, both ways, also of a leg that comes later, and nothing of what
// is said; when he looks no more, nothing.
func TestSniff(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	b.hears(Playlist{}, a)
	r.run(100 * time.Millisecond)
	var got heads
	r.session.Do(Sniff{To: &got})
	r.run(time.Second)
	c := r.phone(3, codec.PCMA)
	r.run(time.Second)
	count := map[LegID][2]int{}
	var last Head
	for _, h := range got {
		n := count[h.Leg]
		if h.Out {
			n[1]++
		} else {
			n[0]++
		}
		count[h.Leg] = n
		if h.Leg == 1 && !h.Out {
			seq := binary.BigEndian.Uint16(h.RTP[2:])
			if last.Size != 0 && seq != binary.BigEndian.Uint16(last.RTP[2:])+1 {
				t.Fatalf("%d after %v", seq, last.RTP)
			}
			last = h
		}
	}
	if last.Remote != a.addr || last.Local.Port() != a.port || last.Network != "lab" || last.Size != 172 ||
		binary.BigEndian.Uint32(last.RTP[8:]) != a.header.SSRC || last.RTP[1]&0x7f != a.header.PayloadType {
		t.Errorf("%+v", last)
	}
	if count[1][0] < 99 || count[2][1] < 99 || count[c.leg][0] < 45 {
		t.Errorf("packets in and out by leg: %v", count)
	}
	r.session.Do(Sniff{})
	r.step()
	n := len(got)
	if r.run(time.Second); len(got) != n {
		t.Errorf("%d more when nobody looks", len(got)-n)
	}
}

// Each party is recorded as it sent, whether it is relayed, mixed, on hold or heard by nobody.
func TestRecordEachParty(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a, b, d := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
	b.hears(Playlist{}, a)    // relay
	d.hears(Playlist{}, a, b) // mix; nobody hears d
	r.run(100 * time.Millisecond)
	kept := newTape()
	for _, p := range r.phones {
		p.forget()
		r.session.Do(Record{Leg: p.leg, Tap: kept, Channel: int(p.leg) + 10})
	}
	r.run(400 * time.Millisecond)
	held := d.stream()
	held.Receive = false
	r.session.Do(held)
	r.run(400 * time.Millisecond)
	for _, p := range r.phones {
		if got := kept.sound[int(p.leg)+10]; !bytes.Equal(got, p.spoken()) {
			t.Errorf("leg %d: %d bytes are kept of %d that it said", p.leg, len(got), len(p.said))
		}
	}
	if !kept.last.Equal(r.now.Add(-7 * time.Millisecond)) {
		t.Errorf("the last packet came at %v, not at %v", r.now, kept.last)
	}
	for _, p := range r.phones {
		r.session.Do(Record{Leg: p.leg})
	}
	r.shard.step(r.now)
	before := len(kept.sound[11])
	r.run(100 * time.Millisecond)
	if len(kept.sound[11]) != before {
		t.Error("it goes on after its end")
	}
	r.session.Do(Record{Leg: 9, Tap: kept}) // a leg that is gone
	r.step()
}

// A stranger's packets and the tones beside key presses are no evidence.
func TestRecordOnlyTheParty(t *testing.T) {
	r := newRig(t, labConfig(nil))
	a := r.phone(1, codec.PCMA)
	kept := newTape()
	r.session.Do(Record{Leg: 1, Tap: kept})
	r.run(100 * time.Millisecond)
	a.talks = false
	before := len(kept.sound[0])
	start := a.header.Timestamp
	for i := range 5 {
		a.press(1, start, false, uint16(i+1)*160)
		a.send(loud(codec.PCMA))
		a.put(r.phones[0].addr, a.header, nil)
		r.step()
	}
	stranger := a.header
	stranger.SSRC++
	a.put(netip.MustParseAddrPort("198.51.100.6:9000"), stranger, loud(codec.PCMA))
	r.step()
	if got := len(kept.sound[0]); got != before {
		t.Errorf("%d bytes more are kept", got-before)
	}
}
