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

func onLoopback(t testing.TB, r *Relay) *call {
	return newCall(t, r, newParty(t, loopback), newParty(t, loopback), newParty(t, loopback), newParty(t, loopback))
}

// Packets are rewritten to the bit, over the wraps of number and time, and what has passed is counted.
func TestCarries(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
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
	r := open(t, nil, loopback)
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
		t.Run(name, func(t *testing.T) {
			c := onLoopback(t, r).put()
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

// RTCP on the same port, and packets of others to it, come up and do not end the flow.
func TestBeside(t *testing.T) {
	c := onLoopback(t, open(t, nil, loopback)).put()
	c.passes()
	c.comesUp(rtp(0x80, 200, 6, 12345, ssrc))
	stranger := newParty(t, loopback)
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

func TestRefused(t *testing.T) {
	r := open(t, nil, loopback)
	for name, change := range map[string]func(f *Flow){
		"IPv6":             func(f *Flow) { f.To = netip.MustParseAddrPort("[::1]:9") },
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
	if _, err := Open([]netip.Addr{netip.MustParseAddr("192.0.2.1")}, testTables(), nil); err == nil {
		t.Error("an address of nobody was taken")
	}
}

// Flows go on while there is no process, and another one takes them over as they are.
func TestFlowsGoOn(t *testing.T) {
	keeper := sockettest.NewKeeper()
	c := onLoopback(t, open(t, keeper, loopback)).put()
	lost := onLoopback(t, c.r).put()
	c.passes()
	lost.passes()
	c.r.Close()
	c.passes()
	next := open(t, keeper, loopback)
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
	if _, _, ok := next.Adopt(c.by.addr); ok {
		t.Error("adopted twice")
	}
	lost.passes()
	next.Drop(netip.AddrPortFrom(loopback, 1))
	lost.passes()
	next.Drop(lost.at.addr)
	lost.comesUp(lost.packet())
	c.passes()
	c.free()
	c.comesUp(c.packet())
	if n := len(next.free); n != MostFlows {
		t.Errorf("%d places are free, want all %d", n, MostFlows)
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
