package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/socket"
)

// patience is generous: these tests run over real sockets on machines that are busy.
const patience = 20 * time.Second

func loopback(t *testing.T, cfg Config) *Engine { return loopbackOver(t, cfg, socket.Default()) }

func loopbackOver(t *testing.T, cfg Config, sockets socket.Config) *Engine {
	t.Helper()
	e, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e
}

// loopbackConfig has a range of its own for each test, so that none waits for another's.
func loopbackConfig(t *testing.T, pairs int) Config {
	cfg := labConfig(testLibrary(t))
	cfg.Shards = 2
	cfg.PortQuarantine = 0
	first := uint16(30000 + 2*rand.IntN(10000))
	cfg.Networks = map[string]Network{"lab": {Address: labNetwork.Address, PortMin: first,
		PortMax: first + uint16(2*pairs) - 1}}
	return cfg
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not in %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// handset is a phone on a real socket: it says one word over and over and keeps what it hears.
type handset struct {
	t      *testing.T
	conn   *net.UDPConn
	engine netip.AddrPort
	leg    LegID
	codec  codec.ID
	word   []byte // 160 ms, coded
	said   []int16

	stop   chan struct{}
	done   sync.WaitGroup
	silent atomic.Bool
	pace   atomic.Int64 // ns from a packet to the next, where it is not frameTime
	mu     sync.Mutex   // guards got
	got    []rtp.Packet
}

func (h *handset) pause()  { h.silent.Store(true) }
func (h *handset) resume() { h.silent.Store(false) }

func pickUp(t *testing.T, s *Session, leg LegID, id codec.ID) *handset {
	t.Helper()
	at, err := s.Open(leg, "lab")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	h := &handset{t: t, conn: conn, engine: at, leg: leg, codec: id, stop: make(chan struct{})}
	voice := rand.New(rand.NewPCG(uint64(leg), 2))
	for range 8 * int(frameSamples) {
		h.said = append(h.said, int16(voice.IntN(8001)-4000))
	}
	h.word = make([]byte, len(h.said))
	codec.Encode(id, h.word, h.said)
	s.Do(Stream{Leg: leg, Remote: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codec: id, PT: id.PayloadType(),
		Send: true, Receive: true, DTMFRecv: map[uint8]int{101: 8000}, DTMFSend: 101})
	h.done.Go(h.listen)
	h.done.Go(h.talk)
	t.Cleanup(h.hangUp)
	return h
}

func (h *handset) hangUp() {
	close(h.stop)
	h.conn.Close()
	h.done.Wait()
}

func (h *handset) listen() {
	buffer := make([]byte, 2000)
	for {
		n, err := h.conn.Read(buffer)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if isRTCP(buffer[:n]) || packet.Unmarshal(append([]byte(nil), buffer[:n]...)) != nil {
			continue
		}
		h.mu.Lock()
		h.got = append(h.got, packet)
		h.mu.Unlock()
	}
}

func (h *handset) talk() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	packet := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: h.codec.PayloadType(), SSRC: uint32(h.leg)}}
	for i := 0; ; i++ {
		at := i % 8 * int(frameSamples)
		packet.Payload = h.word[at : at+int(frameSamples)]
		if data, err := packet.Marshal(); err == nil && !h.silent.Load() {
			_, _ = h.conn.WriteToUDPAddrPort(data, h.engine)
		}
		packet.SequenceNumber++
		packet.Timestamp += frameSamples
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
		if pace := time.Duration(h.pace.Load()); pace != 0 {
			tick.Reset(pace)
		}
	}
}

const recent = 16 // packets

// hears says whether the last 0.32 s of sound have the other's word in them. More would be too much on a
// machine that is busy: where the delay adapts, what is heard moves in time.
func (h *handset) hears(other *handset) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.got) < recent {
		return false
	}
	var sound []int16
	for _, packet := range h.got[len(h.got)-recent:] {
		frame := make([]int16, len(packet.Payload))
		codec.Decode(h.codec, frame, packet.Payload)
		sound = append(sound, frame...)
	}
	said := sound[:0:0]
	for len(said) < len(sound) {
		said = append(said, other.said...)
	}
	_, r := pcm.Correlate(said[:len(sound)], sound, len(other.said))
	return r > 0.4
}

func (h *handset) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.got)
}

// inOrder checks that the whole stream has one SSRC and no number twice or left out.
func (h *handset) inOrder() {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.got[1:] {
		before, packet := h.got[i], h.got[i+1]
		if packet.SSRC != before.SSRC || packet.SequenceNumber != before.SequenceNumber+1 {
			h.t.Errorf("leg %d: %x/%d after %x/%d", h.leg, packet.SSRC, packet.SequenceNumber, before.SSRC,
				before.SequenceNumber)
		}
	}
}

// TestLoopback: a call grows from two to three parties and shrinks again, over real sockets.
func TestLoopback(t *testing.T) {
	for name, sockets := range paths {
		t.Run(name, func(t *testing.T) { loopbackCall(t, sockets) })
	}
}

func loopbackCall(t *testing.T, sockets socket.Config) {
	e := loopbackOver(t, loopbackConfig(t, 8), sockets)
	t.Log(e.shards[0].net.Name())
	s := e.NewSession("loopback", func(Event) {})
	a, b, c := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMU), pickUp(t, s, 3, codec.PCMA)
	s.Do(Listen{Leg: 1, From: []LegID{2}})
	s.Do(Listen{Leg: 2, From: []LegID{1}})
	eventually(t, "a and b hear each other", func() bool { return a.hears(b) && b.hears(a) })
	if a.hears(c) || c.hears(a) {
		t.Error("c is in the call before it was let in")
	}

	s.Do(Listen{Leg: 1, From: []LegID{2, 3}})
	s.Do(Listen{Leg: 2, From: []LegID{1, 3}})
	s.Do(Listen{Leg: 3, From: []LegID{1, 2}})
	eventually(t, "each hears the two others", func() bool {
		return a.hears(b) && a.hears(c) && b.hears(a) && b.hears(c) && c.hears(a) && c.hears(b)
	})
	if a.hears(a) || b.hears(b) || c.hears(c) {
		t.Error("somebody hears himself")
	}

	s.Do(Close{Leg: 2})
	eventually(t, "a and c hear each other", func() bool { return a.hears(c) && c.hears(a) && !a.hears(b) })
	a.inOrder()
	c.inOrder()
	s.Close()
	eventually(t, "all ports are free", func() bool { return e.Stats().Ports["lab"].Free == 8 && e.Stats().Legs == 0 })
}

// TestLoopbackPorts: the ports are really bound, really free again, and a port that another
// program holds is gone around.
func TestLoopbackPorts(t *testing.T) {
	cfg := loopbackConfig(t, 3)
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1),
		Port: int(cfg.Networks["lab"].PortMin) + 1})
	if err != nil {
		t.Skipf("the port is in use: %v", err)
	}
	defer taken.Close()
	e := loopback(t, cfg)
	for round := range 5 {
		s := e.NewSession("ports", func(Event) {})
		for leg := range LegID(2) {
			// A port is free a moment after its leg, when its reader has seen it.
			eventually(t, "a port in round "+fmt.Sprint(round), func() bool {
				at, err := s.Open(leg, "lab")
				return err == nil && at.Port()%2 == 0 && at.Port() != cfg.Networks["lab"].PortMin
			})
		}
		if _, err := s.Open(7, "lab"); err == nil {
			t.Error("a port that is not ours was given out")
		}
		s.Close()
		eventually(t, "the legs are closed", func() bool { return e.Stats().Legs == 0 })
	}
	eventually(t, "the half of a pair that could not be had is given back", func() bool {
		half, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1),
			Port: int(cfg.Networks["lab"].PortMin)})
		if err == nil {
			half.Close()
		}
		return err == nil
	})
}

// TestSlowSink: a sink that does not return holds up events, never sound.
func TestSlowSink(t *testing.T) {
	cfg := loopbackConfig(t, 4)
	cfg.Shards = 1
	e := loopback(t, cfg)
	entered, release := make(chan Event), make(chan struct{})
	s := e.NewSession("slow", func(ev Event) {
		if _, ok := ev.(PlayDone); !ok {
			return
		}
		entered <- ev
		<-release
	})
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	s.Do(Listen{Leg: 1, Play: Playlist{ID: 1, Items: []string{"short"}}, From: []LegID{2}})
	s.Do(Listen{Leg: 2, Play: Playlist{ID: 2, Items: []string{"long"}}})
	if got := <-entered; got != (PlayDone{Leg: 1, ID: 1}) {
		t.Fatalf("event %v", got)
	}
	before, ticks := a.count(), e.Stats().Ticks
	eventually(t, "a second of sound and ticks while the sink is stuck", func() bool {
		return a.count() > before+50 && e.Stats().Ticks > ticks+50 && a.hears(b)
	})
	close(release)
	if got := <-entered; got != (PlayDone{Leg: 2, ID: 2}) {
		t.Errorf("event %v, want the one that waited", got)
	}
}

// TestSinkMayPost: the sink gives commands itself.
func TestSinkMayPost(t *testing.T) {
	e := loopback(t, loopbackConfig(t, 4))
	done := make(chan struct{})
	var s *Session
	ready := make(chan struct{})
	s = e.NewSession("post", func(ev Event) {
		<-ready
		switch ev {
		case PlayDone{Leg: 1, ID: 1}:
			s.Do(Listen{Leg: 1, Play: Playlist{ID: 2, Items: []string{"short"}}})
		case PlayDone{Leg: 1, ID: 2}:
			s.Close()
			close(done)
		}
	})
	close(ready)
	pickUp(t, s, 1, codec.PCMA)
	s.Do(Listen{Leg: 1, Play: Playlist{ID: 1, Items: []string{"short"}}})
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the second playlist did not end")
	}
}

// An address of another machine is an error at the start, not of each call.
func TestForeignAddress(t *testing.T) {
	for name, sockets := range paths {
		cfg := loopbackConfig(t, 10)
		there := cfg.Networks["lab"]
		there.Address = netip.MustParseAddr("192.0.2.1") // RFC 5737: nobody's
		cfg.Networks["there"] = there
		e, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
		if err == nil {
			e.Stop()
		}
		if !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "networks.there.rtp.address: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStop: everything that New started has ended when Stop returns.
func TestStop(t *testing.T) {
	cfg := loopbackConfig(t, 40)
	e, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var openers sync.WaitGroup
	for i := range 4 {
		openers.Go(func() {
			for leg := range LegID(10) {
				s := e.NewSession(fmt.Sprint(i), func(Event) {})
				_, _ = s.Open(leg, "lab")
				if leg%2 == 0 {
					s.Close()
				}
			}
		})
	}
	e.Stop()
	openers.Wait()
	e.Stop()
	for _, own := range []string{"(*shard).run", "(*shard).deliver", "(*udp).read"} {
		// A goroutine says that it ends with the last thing that it does, which is not its end yet.
		eventually(t, own+" has ended", func() bool {
			stacks := make([]byte, 1<<20)
			return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), own)
		})
	}
	if got := e.Stats(); got.Legs != 0 || got.Ports["lab"].Used != 0 {
		t.Errorf("after Stop %+v", got)
	}
	s := e.NewSession("late", func(Event) {})
	if _, err := s.Open(1, "lab"); !errors.Is(err, ErrClosed) {
		t.Errorf("open after Stop: %v, want ErrClosed", err)
	}
	s.Do(Listen{Leg: 1})
	s.Close()
	if _, err := New(Config{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an empty config was taken")
	}
}

// TestEventsOverflow: a queue that is full costs events and is counted.
func TestEventsOverflow(t *testing.T) {
	r := newRig(t, labConfig(nil))
	for range maxOccurred + 10 {
		r.shard.emit(r.session, MediaBack{Leg: 1})
	}
	if got, dropped := len(r.events()), r.engine.Stats().EventsDropped; got != maxOccurred || dropped != 10 {
		t.Errorf("%d events and %d dropped, want %d and 10", got, dropped, maxOccurred)
	}
}

func TestMailbox(t *testing.T) {
	var m mailbox
	for round := range 3 {
		for i := range 5 {
			if ok, _ := m.post(order{what: i}); !ok {
				t.Fatal("refused")
			}
		}
		for i, o := range m.take() {
			if o.what != i {
				t.Errorf("round %d: %v in place %d", round, o.what, i)
			}
		}
	}
	m.post(order{what: "last"})
	if got := m.close(); len(got) != 1 || got[0].what != "last" {
		t.Errorf("left at the end: %v", got)
	}
	if ok, _ := m.post(order{}); ok || len(m.take()) != 0 {
		t.Error("an order was taken after close")
	}
}

// TestProcs: each media thread has a processor of the Go scheduler of its own, for as long as it is there, and while
// there is one there are some to spare.
func TestProcs(t *testing.T) {
	engineOf := func(shards int) *Engine {
		cfg := loopbackConfig(t, 4)
		cfg.Shards = shards
		return loopback(t, cfg)
	}
	engineOf(1).Stop() // one that was left has left its places
	before, spare := runtime.GOMAXPROCS(0), spareProcs
	if before < runtime.NumCPU() {
		spare = 0
	}
	first, second := engineOf(2), engineOf(3)
	if n := runtime.GOMAXPROCS(0); n != before+5+spare {
		t.Errorf("%d processors with 5 media threads, %d without", n, before)
	}
	first.Stop()
	if n := runtime.GOMAXPROCS(0); n != before+3+spare {
		t.Errorf("%d processors with 3 media threads, %d without", n, before)
	}
	second.Stop()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d processors are left of %d", n, before)
	}
}
