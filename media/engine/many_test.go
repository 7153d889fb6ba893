package engine

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/socket"
)

// manyWire is a Transport in memory of which each watched port has its party's next packet whenever it is asked for:
// as much as many calls need of it, and no more. Sockets are numbered from 1, RTP and RTCP in turn.
type manyWire struct {
	fakeWire
	ports []manyPort // by socket
}

// manyPort is what the party of a port sends.
type manyPort struct {
	from netip.AddrPort // zero: nothing
	care socket.Care
	data []byte
}

func (w *manyWire) Watch(s socket.ID, c socket.Care) { w.ports[s].care = c }

func (w *manyWire) Open(local netip.AddrPort) (socket.ID, error) {
	w.last++
	for len(w.ports) <= int(w.last) {
		w.ports = append(w.ports, manyPort{})
	}
	return w.last, nil
}

func (w *manyWire) Collect(s socket.ID, receive func(socket.Packet)) {
	if p := &w.ports[s]; p.from.IsValid() {
		p.next()
		receive(socket.Packet{Socket: s, From: p.from, Data: p.data})
	}
}

// next numbers a party's packet on.
func (p *manyPort) next() {
	binary.BigEndian.PutUint16(p.data[2:], binary.BigEndian.Uint16(p.data[2:])+1)
	binary.BigEndian.PutUint32(p.data[4:], binary.BigEndian.Uint32(p.data[4:])+frameSamples)
}

// manyCalls is a shard with many calls of so many parties, who all hear and say something.
type manyCalls struct {
	rig   *rig
	wire  *manyWire
	drain []socket.ID // of relayed parties, whose packets come by themselves
}

func newManyCalls(tb testing.TB, calls, parties int) *manyCalls {
	cfg := labConfig(testLibrary(tb))
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: 10000, PortMax: 39999}}
	m := &manyCalls{rig: newRig(tb, cfg), wire: &manyWire{}}
	m.rig.shard.net = m.wire
	to, dice := addr("127.0.0.9:40000"), rand.New(rand.NewPCG(5, 6))
	for range calls {
		s := m.rig.engine.NewSession("call", func(Event) {})
		for leg := range LegID(parties) {
			if _, err := s.Open(leg, "lab"); err != nil {
				tb.Fatal(err)
			}
			rtp := m.wire.last - 1
			data := make([]byte, rtpSize)
			data[0], data[1] = 0x80, 8
			binary.BigEndian.PutUint32(data[8:], dice.Uint32())
			murmur(data[headerBytes:], uint64(rtp))
			m.wire.ports[rtp] = manyPort{from: to, data: data}
			m.drain = append(m.drain, rtp)
			s.Do(Stream{Leg: leg, Remote: to, Codec: codec.PCMA, PT: 8, Send: true, Receive: true,
				DTMFRecv: map[uint8]int{101: 8000}, DTMFSend: 101})
		}
		for leg := range LegID(parties) {
			s.Do(Listen{Leg: leg, From: []LegID{0, 1, 2}[:parties]})
		}
	}
	return m
}

// tick lets 20 ms pass, in which the shard wakes up each millisecond.
func (m *manyCalls) tick() {
	for i := range phases {
		for at := i; at < len(m.drain); at += phases {
			if p := &m.wire.ports[m.drain[at]]; p.care == socket.Promptly {
				p.next()
				m.wire.in = append(m.wire.in, socket.Packet{Socket: m.drain[at], From: p.from, Data: p.data})
			}
		}
		m.rig.pass(phaseTime)
	}
	m.rig.allEvents()
}

// heap is what is alive.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what had a finalizer
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// callBytes is what a call takes of the heap after ten seconds in which it is heard.
func callBytes(tb testing.TB, parties int) int {
	const few, many = 10, 110
	of := func(calls int) int {
		m := newManyCalls(tb, calls, parties)
		for range 10 * time.Second / frameTime {
			m.tick()
		}
		m.wire, m.rig.shard.net = nil, nil
		defer runtime.KeepAlive(m)
		return heap()
	}
	least := of(few)
	return (of(many) - least) / (many - few)
}

// TestMemoryOfACall: what a call takes of the heap, in the media engine, is within what is allowed for all of a call.
func TestMemoryOfACall(t *testing.T) {
	for parties, most := range map[int]int{2: 12 << 10, 3: 36 << 10} {
		got := callBytes(t, parties)
		if t.Logf("a call of %d parties takes %d bytes", parties, got); got > most {
			t.Errorf("at most %d are allowed", most)
		}
	}
}
