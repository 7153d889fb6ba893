package kernel

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"liandong/media/socket/sockettest"
)

func onLoopback(t testing.TB, r *Relay) *call { return between(t, r, loopback) }

// between is a call of which all parties are at one address.
func between(t testing.TB, r *Relay, a netip.Addr) *call {
	return newCall(t, r, newParty(t, a), newParty(t, a), newParty(t, a), newParty(t, a))
}

// Packets are rewritten to the bit, over the wraps of number and time, and what has passed is counted.
func TestCarries(t *testing.T) {
	r := open(t, nil, loopback, loopback6)
	for name, addr := range families {
		t.Run(name, func(t *testing.T) { carries(t, between(t, r, addr).put()) })
	}
}

func carries(t *testing.T, c *call) {
	var squares uint64
	samples, table := uint32(0), testTables()[1]
	transit, jitter := c.flow.Transit, uint32(0)
	for range 30 {
		p := rtp(0x80, 8, c.seq, c.stamp, ssrc)
		c.passes()
		for i := 0; lookedAt(i) < 160; i++ {
			squares += uint64(table[p[12+lookedAt(i)]])
			samples++
		}
		got := c.read()
		ticks := uint32(got.At.Sub(c.flow.Start)/(time.Millisecond/8)) - got.Timestamp // RFC 3550 §A.8
		d := int32(ticks - transit)
		transit = ticks
		jitter += uint32(max(d, -d)) - (jitter+8)>>4
		want := Progress{Runs: true, Packets: uint64(c.carried), Seq: c.seq - 1, Timestamp: c.stamp - 160, At: got.At,
			Transit: transit, Jitter: jitter, Squares: squares, Samples: samples, Last: p[len(p)-1]}
		if got != want || time.Since(got.At) < 0 || time.Since(got.At) > patience {
			t.Fatalf("after %d packets %+v, want %+v", c.carried, got, want)
		}
	}
	if !c.at.quiet() || !c.by.quiet() {
		t.Error("something came up")
	}
	p := c.packet()
	if got := c.free(); !got.Runs || got.Packets != 30 {
		t.Errorf("stopped: %+v", got)
	}
	c.comesUp(p)
}

// The headers of what leaves are as a socket would have made them, with checksums that are right; nothing of who has
// sent it is in them. A packet that was broken on its way here stays broken: its receiver finds out.
func TestHeaders(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
	wire, seen := newRaw(t), newTap(t, c.to.addr.Port())
	for range 300 { // so that checksums of all kinds occur
		p := c.packet()
		d := datagram(c.from.addr, c.at.addr, p)
		d[1], d[8] = 0xb8, 17 // its own class and hops
		wire.send(d)
		c.carries(p)
		if got, want := seen.gets(), datagram(c.by.addr, c.to.addr, c.rewritten(p)); !slices.Equal(got, want) {
			t.Fatalf("%x\nwant %x", got, want)
		}
	}
	broken := datagram(c.from.addr, c.at.addr, c.packet())
	broken[100] ^= 4
	wire.send(broken)
	c.passes()
}

// What is not regular comes up as it is, and all that follows: in the order in which it came.
func TestOddPackets(t *testing.T) {
	r := open(t, nil, loopback, loopback6)
	for name, odd := range map[string]func(c *call) []byte{
		"key":              func(c *call) []byte { return rtp(0x80, 101, c.seq, c.stamp, ssrc) },
		"marker":           func(c *call) []byte { return rtp(0x80, 0x88, c.seq, c.stamp, ssrc) },
		"comfort noise":    func(c *call) []byte { return rtp(0x80, 13, c.seq, c.stamp, ssrc)[:13] },
		"another SSRC":     func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp, ssrc+1) },
		"SSRC, high half":  func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp, ssrc^1<<30) },
		"padding":          func(c *call) []byte { return rtp(0xa0, 8, c.seq, c.stamp, ssrc) },
		"extension":        func(c *call) []byte { return rtp(0x90, 8, c.seq, c.stamp, ssrc) },
		"CSRC":             func(c *call) []byte { return rtp(0x81, 8, c.seq, c.stamp, ssrc) },
		"version 0":        func(c *call) []byte { return rtp(0x00, 8, c.seq, c.stamp, ssrc) },
		"a packet again":   func(c *call) []byte { return rtp(0x80, 8, c.seq-1, c.stamp-160, ssrc) },
		"a packet is lost": func(c *call) []byte { return rtp(0x80, 8, c.seq+1, c.stamp+160, ssrc) },
		"a pause":          func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp+1600, ssrc) },
		"time goes back":   func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp-1600, ssrc) },
		"shorter":          func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp, ssrc)[:92] },
		"longer":           func(c *call) []byte { return append(rtp(0x80, 8, c.seq, c.stamp, ssrc), 1) },
		"STUN": func(c *call) []byte {
			return append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
		},
		"a header alone": func(c *call) []byte { return rtp(0x80, 8, c.seq, c.stamp, ssrc)[:12] },
		"one byte":       func(c *call) []byte { return []byte{0x80} },
		"nothing":        func(c *call) []byte { return nil },
	} {
		for family, addr := range families {
			t.Run(name+"/"+family, func(t *testing.T) {
				c := between(t, r, addr).put()
				c.passes()
				c.passes()
				p := odd(c)
				c.comesUp(p)
				next := c.packet()
				if len(p) > 12 { // what is shorter than RTP is seen by the program as no packet of the flow
					c.comesUp(next)
				}
				if got := c.free(); got.Packets != 2 || got.Runs != (len(p) < 12) {
					t.Errorf("%+v", got)
				}
				if !c.to.quiet() {
					t.Error("something has passed besides")
				}
			})
		}
	}
}

// RTCP on the same port, and packets of others to it, come up and do not end the flow.
func TestBeside(t *testing.T) {
	r := open(t, nil, loopback, loopback6)
	for name, addr := range families {
		t.Run(name, func(t *testing.T) { beside(t, between(t, r, addr).put()) })
	}
}

func beside(t *testing.T, c *call) {
	c.passes()
	c.comesUp(rtp(0x80, 200, 6, 12345, ssrc))
	stranger := newParty(t, c.at.addr.Addr())
	p := rtp(0x80, 8, c.seq, c.stamp, ssrc)
	stranger.send(c.at.addr, p)
	if got, from := c.at.gets(); !slices.Equal(got, p) || from != stranger.addr {
		t.Errorf("%x from %v", got, from)
	}
	c.from.send(c.by.addr, p) // the party itself, to the other port
	if got, _ := c.by.gets(); !slices.Equal(got, p) {
		t.Errorf("%x", got)
	}
	c.passes()
}

// Datagrams that IP has odd: without a checksum, with options, in pieces.
func TestOddDatagrams(t *testing.T) {
	r, wire := open(t, nil, loopback), newRaw(t)
	for name, odd := range map[string]func(d []byte) [][]byte{
		"no checksum": func(d []byte) [][]byte { d[26], d[27] = 0, 0; return [][]byte{d} },
		"options": func(d []byte) [][]byte {
			d = slices.Concat(d[:20], []byte{1, 1, 1, 0}, d[20:])
			d[0] = 0x46
			binary.BigEndian.PutUint16(d[2:], uint16(len(d)))
			return [][]byte{d}
		},
		"pieces": func(d []byte) [][]byte {
			head, tail := slices.Clone(d[:20+96]), slices.Concat(d[:20], d[20+96:])
			head[6], tail[6], tail[7] = 0x20, 0, 96/8
			for _, piece := range [][]byte{head, tail} {
				binary.BigEndian.PutUint16(piece[2:], uint16(len(piece)))
				piece[5] = 7 // of one datagram
			}
			return [][]byte{head, tail}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := onLoopback(t, r).put()
			p := c.packet()
			for _, d := range odd(datagram(c.from.addr, c.at.addr, p)) {
				wire.send(d)
			}
			c.has(p)
			if got := c.free(); got.Packets != 0 || !c.to.quiet() {
				t.Errorf("it has passed: %+v", got)
			}
		})
	}
}

// Who reads does not wait for a packet that is never done with; who stops the flow does.
func TestAtWork(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
	c.passes()
	word := c.r.state(c.slot).word(slotState)
	atomic.OrUint32(word, busy)
	if got, ok := c.r.Read(c.slot); ok {
		t.Errorf("%+v while it is at work", got)
	}
	stopped := make(chan Progress, 1)
	go func() { stopped <- c.r.Stop(c.slot) }()
	for atomic.LoadUint32(word)&runs != 0 {
		runtime.Gosched()
	}
	atomic.StoreUint64(c.r.state(c.slot).double(slotPackets), 7)
	select {
	case got := <-stopped:
		t.Errorf("%+v while it is at work", got)
	default:
	}
	atomic.AndUint32(word, ^uint32(busy))
	if got := <-stopped; got.Packets != 7 || !got.Runs {
		t.Errorf("%+v", got)
	}
	c.r.Free(c.slot)
}

// A flow takes what is as far ahead of real time, or behind it, as it was told, and no more.
func TestBounds(t *testing.T) {
	r := open(t, nil, loopback)
	ahead := onLoopback(t, r)
	ahead.regular(time.Hour)
	ahead.flow.Earliest = ahead.flow.Transit - 3*160 - 80 // three packets and a half
	ahead.put()
	for range 3 {
		ahead.passes() // all at once: each is 20 ms further ahead, less what the test takes
	}
	start := time.Now()
	for ahead.at.quiet() { // until it is too much
		ahead.from.send(ahead.at.addr, ahead.packet())
		if time.Since(start) > patience {
			t.Fatal("a burst without end is carried")
		}
	}
	behind := onLoopback(t, r)
	behind.flow.Start = behind.flow.Start.Add(-time.Hour)
	behind.flow.Latest = behind.flow.Transit + 8000
	behind.put()
	behind.comesUp(behind.packet())
}

// The first packet has to be the very next, also after another has gone ahead of it to the socket.
func TestJoin(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback))
	waits := c.packet()
	c.from.send(c.at.addr, waits) // and is not read when the flow is put
	c.put()
	c.from.send(c.at.addr, c.packet())
	c.has(waits)
	c.has(rtp(0x80, 8, c.seq-1, c.stamp-160, ssrc))
	if got := c.free(); got.Packets != 0 || got.Runs {
		t.Errorf("%+v", got)
	}
}

// Flows come to an end, their places are used again, and one of the same addresses is refused while there is one.
func TestPlaces(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
	if _, err := c.r.Put(c.flow); err == nil {
		t.Error("a second flow of the same addresses was taken")
	}
	for range 3 {
		c.passes()
		c.free()
		c.flow.Seq, c.flow.Timestamp = c.seq-1, c.stamp-160
		c.regular(time.Hour)
		c.put()
	}
	if n := len(c.r.free); n != MostFlows-1 {
		t.Errorf("%d places are free, want all but one of %d", n, MostFlows)
	}
	for range MostFlows {
		f := c.flow
		f.From = netip.AddrPortFrom(loopback, 1)
		f.At = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(len(c.r.free) >> 8), byte(len(c.r.free))}), 9)
		if _, err := c.r.Put(f); err != nil && (len(c.r.free) > 0 || !errors.Is(err, ErrFull)) {
			t.Fatal(err)
		}
	}
	c.passes()
}

// Datagrams that IPv6 has odd: with a header between, and in pieces, RFC 8200 §4.
func TestOddDatagrams6(t *testing.T) {
	r, wire := open(t, nil, loopback6), newRaw(t)
	between6 := func(d []byte, next byte, header ...byte) []byte {
		d = slices.Concat(d[:40], header, d[40:])
		d[6] = next
		binary.BigEndian.PutUint16(d[4:], uint16(len(d)-40))
		return d
	}
	for name, odd := range map[string]func(d []byte) [][]byte{
		"options": func(d []byte) [][]byte { return [][]byte{between6(d, 60, 17, 0, 1, 4, 0, 0, 0, 0)} },
		"pieces": func(d []byte) [][]byte {
			return [][]byte{between6(d[:40+96], 44, 17, 0, 0, 1, 0, 0, 0, 7),
				between6(slices.Concat(d[:40], d[40+96:]), 44, 17, 0, 0, 96, 0, 0, 0, 7)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := between(t, r, loopback6).put()
			p := c.packet()
			for _, d := range odd(datagram(c.from.addr, c.at.addr, p)) {
				wire.send(d)
			}
			c.has(p)
			if got := c.free(); got.Packets != 0 || !c.to.quiet() {
				t.Errorf("it has passed: %+v", got)
			}
		})
	}
	for name, odd := range map[string]func(d []byte){
		"no checksum":       func(d []byte) { d[46], d[47] = 0, 0 }, // RFC 8200 §8.1: there must be one
		"shorter by its IP": func(d []byte) { d[5]-- },
	} {
		c := between(t, r, loopback6).put()
		for range 10 {
			p := c.packet()
			wire.send(datagram(c.from.addr, c.at.addr, p))
			c.carries(p)
		}
		d := datagram(c.from.addr, c.at.addr, c.packet())
		odd(d)
		wire.send(d)
		if got := c.free(); got.Packets != 10 || got.Runs || !c.to.quiet() {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What has the ports of a flow where UDP has them, and is none, is nobody's: of UDP-Lite, RFC 3828.
func TestNoUDP(t *testing.T) {
	r, wire := open(t, nil, loopback, loopback6), newRaw(t)
	for name, at := range map[string]int{"IPv4": 9, "IPv6": 6} {
		c := between(t, r, families[name]).put()
		d := datagram(c.from.addr, c.at.addr, rtp(0x80, 8, c.seq, c.stamp, ssrc))
		d[at] = 136
		wire.send(d)
		if !c.to.quiet() {
			t.Errorf("%s: it has passed", name)
		}
		c.passes()
	}
}

// What passes is on the tape as it came, with when it came, and there for some two seconds; the oldest goes first.
func TestTape(t *testing.T) {
	r := open(t, nil, loopback, loopback6)
	for name, addr := range families {
		t.Run(name, func(t *testing.T) { tapes(t, between(t, r, addr)) })
	}
}

func tapes(t *testing.T, c *call) {
	c.flow.Taped = true
	c.put()
	const count = 250
	var sent [][]byte
	var by []time.Time
	for range count {
		p := rtp(0x80, 8, c.seq, c.stamp, ssrc)
		sent = append(sent, p[12:])
		c.passes()
		by = append(by, time.Now())
		var got [160]byte
		at, ok := c.r.Copy(c.slot, uint64(len(sent)-1), got[:])
		if now := time.Now(); !ok || !slices.Equal(got[:], p[12:]) || at.After(now) || now.Sub(at) > patience {
			t.Fatalf("packet %d, at %v: %v, %x, want %x", len(sent), at, ok, got, p[12:])
		}
	}
	n := c.r.Copies(c.slot)
	if n < 90 || n > 100 {
		t.Errorf("%d packets of 20 ms are kept, want those of some two seconds", n)
	}
	var before time.Time
	for i := range uint64(count + 3) {
		var got [160]byte
		at, ok := c.r.Copy(c.slot, i, got[:])
		if kept := i < count && i >= count-n; ok != kept {
			t.Fatalf("packet %d of %d is there: %v, want %v", i, count, ok, kept)
		}
		if ok && (!slices.Equal(got[:], sent[i]) || at.Before(before) || at.After(by[i])) {
			t.Fatalf("packet %d came at %v, before it %v: %x, want %x", i, at, before, got, sent[i])
		}
		if ok {
			before = at
		}
	}
	c.free()
	untaped := between(t, c.r, c.at.addr.Addr()).put()
	untaped.passes()
	if _, ok := c.r.Copy(untaped.slot, 0, make([]byte, 160)); ok {
		t.Error("a flow that is not taped has a copy")
	}
}

// A tape has room for packets of each size, one of another's is never written over, and there are so many and no more.
func TestTapes(t *testing.T) {
	r := open(t, nil, loopback)
	for _, size := range []int{LeastPayload, 33, 80, 240, MostPayload} {
		a, b := onLoopback(t, r), onLoopback(t, r)
		for _, c := range []*call{a, b} {
			c.flow.Payload, c.flow.Taped = size, true
			c.put()
		}
		sound := func(n int) []byte {
			p := rtp(0x80, 8, uint16(n), 0, ssrc)[12:]
			return slices.Concat(p, p, p)[:size]
		}
		send := func(c *call, n int) {
			p := append(rtp(0x80, 8, c.seq, c.stamp, ssrc)[:12], sound(n)...)
			c.seq++
			c.stamp += 160
			c.from.send(c.at.addr, p)
			c.carries(p)
		}
		const count = 600
		for n := range count {
			send(a, n)
			send(b, -n)
		}
		kept := r.Copies(a.slot)
		if kept < 30 {
			t.Errorf("%d packets of %d bytes are kept", kept, size)
		}
		for n := max(0, count-int(kept)); n < count; n++ {
			for c, want := range map[*call][]byte{a: sound(n), b: sound(-n)} {
				got := make([]byte, size)
				if _, ok := r.Copy(c.slot, uint64(n), got); !ok || !slices.Equal(got, want) {
					t.Fatalf("packet %d of %d bytes: %v, %x, want %x", n, size, ok, got, want)
				}
			}
		}
		for _, c := range []*call{a, b} {
			tape := r.taped[(r.state(c.slot).load(slotTape)-1)*tapeBytes:][:tapeBytes]
			if c.free(); slices.Max(tape) != 0 {
				t.Error("what was said can be read still when the flow is over")
			}
		}
	}
	if n := len(r.freeTapes); n != MostTapes {
		t.Errorf("%d tapes are free, want all %d", n, MostTapes)
	}
	c := onLoopback(t, r)
	c.flow.Taped = true
	for i := range MostTapes + 1 {
		c.flow.From = netip.AddrPortFrom(loopback, uint16(i+1))
		if _, err := r.Put(c.flow); (err != nil) != (i == MostTapes) || err != nil && !errors.Is(err, ErrFull) {
			t.Fatalf("tape %d: %v", i, err)
		}
	}
	if c.flow.Taped = false; len(r.free) != MostFlows-MostTapes {
		t.Errorf("%d places are free", len(r.free))
	}
	c.put()
}

func TestRefused(t *testing.T) {
	r := open(t, nil, loopback)
	link, mapped := netip.MustParseAddrPort("[fe80::1]:9"), netip.MustParseAddrPort("[::ffff:127.0.0.1]:9")
	for name, change := range map[string]func(f *Flow){
		"IPv6 to IPv4":     func(f *Flow) { f.To = netip.MustParseAddrPort("[::1]:9") },
		"a link's address": func(f *Flow) { f.From, f.At, f.By, f.To = link, link, link, link },
		"IPv4 within IPv6": func(f *Flow) { f.From, f.At, f.By, f.To = mapped, mapped, mapped, mapped },
		"no port":          func(f *Flow) { f.To = netip.AddrPortFrom(loopback, 0) },
		"any address":      func(f *Flow) { f.At = netip.MustParseAddrPort("0.0.0.0:9") },
		"payload":          func(f *Flow) { f.Payload = MostPayload + 1 },
		"short payload":    func(f *Flow) { f.Payload = 0 },
		"clock":            func(f *Flow) { f.Clock = 0 },
		"span":             func(f *Flow) { f.Span = 0 },
		"payload type":     func(f *Flow) { f.OutPT = 128 },
		"loudness":         func(f *Flow) { f.Loud = 3 },
		"no way to there":  func(f *Flow) { f.To = netip.MustParseAddrPort("255.255.255.255:9") },
		"no way from here": func(f *Flow) { f.From = netip.MustParseAddrPort("224.0.0.1:9") },
	} {
		c := onLoopback(t, r)
		change(&c.flow)
		if _, err := r.Put(c.flow); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := Open([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, testTables(), false, nil); err == nil {
		t.Error("an address of nobody was taken")
	}
}

// Flows go on while there is no process, and another one takes them over as they are.
func TestFlowsGoOn(t *testing.T) {
	for name, addr := range families {
		t.Run(name, func(t *testing.T) { goesOn(t, addr) })
	}
}

func goesOn(t *testing.T, addr netip.Addr) {
	keeper := sockettest.NewKeeper()
	c := between(t, open(t, keeper, loopback, loopback6), addr)
	c.flow.Taped = true
	c.put()
	lost := between(t, c.r, addr)
	lost.flow.Taped = true
	lost.put()
	c.passes()
	lost.passes()
	c.r.Close()
	c.passes()
	next := open(t, keeper, loopback, loopback6)
	c.passes()
	slot, flow, ok := next.Adopt(c.by.addr)
	want := c.flow
	want.Seq, want.Timestamp, want.Transit = 0, 0, 0
	if start := flow.Start.Sub(want.Start); start < -20*time.Millisecond || start > 20*time.Millisecond {
		t.Errorf("arrivals are counted from %v later", start)
	}
	if flow.Start = want.Start; !ok || flow != want {
		t.Fatalf("adopted %v, %+v, want %+v", ok, flow, want)
	}
	c.r, c.slot = next, slot
	c.passes()
	if got := c.read(); got.Packets != 4 || !got.Runs || got.Seq != c.seq-1 {
		t.Errorf("%+v", got)
	}
	for n := range uint64(4) {
		var got [160]byte
		want := rtp(0x80, 8, c.seq-4+uint16(n), 0, ssrc)[12:]
		if _, ok := next.Copy(slot, n, got[:]); !ok || !slices.Equal(got[:], want) {
			t.Errorf("packet %d: %v, %x, want %x", n, ok, got, want)
		}
	}
	if n := len(next.freeTapes); n != MostTapes-2 {
		t.Errorf("%d tapes are free, want all but two of %d", n, MostTapes)
	}
	if _, _, ok := next.Adopt(c.by.addr); ok {
		t.Error("adopted twice")
	}
	lost.passes()
	next.Drop(netip.AddrPortFrom(addr, 1))
	lost.passes()
	next.Drop(lost.at.addr)
	lost.comesUp(lost.packet())
	c.passes()
	c.free()
	c.comesUp(c.packet())
	if n, tapes := len(next.free), len(next.freeTapes); n != MostFlows || tapes != MostTapes {
		t.Errorf("%d places and %d tapes are free, want all", n, tapes)
	}
}

// What is relayed for the process before ends with End, and when its layout is not to be read here.
func TestForgotten(t *testing.T) {
	for name, next := range map[string]func(k *sockettest.Keeper){
		"end": func(k *sockettest.Keeper) { End(k) },
		"another layout": func(k *sockettest.Keeper) {
			for _, name := range k.Kept(layout) {
				fd, _ := k.Take(name)
				k.Drop(name)
				k.Hold(anyLayout+"0/"+name[len(layout):], fd)
				_ = unix.Close(fd)
			}
			open(t, k, loopback)
			if old := k.Kept(anyLayout + "0/"); len(old) != 0 {
				t.Errorf("%q are held still", old)
			}
			End(k)
		},
		"half of it": func(k *sockettest.Keeper) { // the links that there are have another program than the new one
			k.Drop(layout + "states")
			r := open(t, k, loopback)
			c := onLoopback(t, r).put()
			c.passes()
			r.Close()
			c.passes()
			End(k)
			c.comesUp(c.packet())
		},
	} {
		t.Run(name, func(t *testing.T) {
			keeper := sockettest.NewKeeper()
			c := onLoopback(t, open(t, keeper, loopback)).put()
			c.passes() // the process before is there still: also what it has must not go on
			keeper.Hold("another's", 0)
			next(keeper)
			c.comesUp(c.packet())
			if left := keeper.Kept(""); !slices.Equal(left, []string{"another's"}) {
				t.Errorf("the keeper has %q", left)
			}
		})
	}
}

// Nothing is left in the kernel when nobody holds it.
func TestLeavesNothing(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
	c.passes()
	c.r.Close()
	c.comesUp(c.packet())
}
