package engine

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/prompt"
	"liandong/media/socket"
	"liandong/media/srtp"
)

// fakeWire is a Transport in memory: what is put in is drained by the next step, what the
// engine sends goes to the phone of that address.
type fakeWire struct {
	last   socket.ID
	open   map[socket.ID]netip.AddrPort
	in     []socket.Packet
	sent   int
	queued int
	phones map[netip.AddrPort]*phone
	mute   bool // count only: what is sent is not kept
	closed int  // sockets, since the last Flush
	most   int  // of closed
}

func newFakeWire() *fakeWire {
	return &fakeWire{open: map[socket.ID]netip.AddrPort{}, phones: map[netip.AddrPort]*phone{}}
}

func (w *fakeWire) Open(local netip.AddrPort) (socket.ID, error) {
	w.last++
	w.open[w.last] = local
	return w.last, nil
}

func (w *fakeWire) Name() string                           { return "fake" }
func (w *fakeWire) Watch(socket.ID, socket.Care)           {}
func (w *fakeWire) Wake()                                  {}
func (w *fakeWire) Poll(time.Duration)                     {}
func (w *fakeWire) Collect(socket.ID, func(socket.Packet)) {}
func (w *fakeWire) Stop()                                  { clear(w.open) }
func (w *fakeWire) Lost() uint64                           { return 0 }

func (w *fakeWire) Close(s socket.ID) {
	delete(w.open, s)
	w.closed++
	w.most = max(w.most, w.closed)
}

func (w *fakeWire) Drain(receive func(socket.Packet)) {
	for _, p := range w.in {
		receive(p)
	}
	w.in = w.in[:0]
}

func (w *fakeWire) Queue(s socket.ID, to netip.AddrPort, data []byte) {
	w.queued++
	if w.mute {
		return
	}
	if p := w.phones[to]; p != nil {
		p.take(w.open[s], data)
	}
}

func (w *fakeWire) Flush() (int, int) {
	n := w.queued
	w.queued, w.closed = 0, 0
	w.sent += n
	return n, 0
}

// socketAt finds the socket bound to a port.
func (w *fakeWire) socketAt(port uint16) socket.ID {
	for s, addr := range w.open {
		if addr.Port() == port {
			return s
		}
	}
	return 0
}

// rig is one shard that a test steps, and a session with its phones.
type rig struct {
	t       testing.TB
	engine  *Engine
	shard   *shard
	wire    *fakeWire
	now     time.Time
	session *Session
	phones  []*phone
}

var labNetwork = Network{Address: netip.MustParseAddr("127.0.0.1"), PortMin: 20000, PortMax: 29999}

func labConfig(library *prompt.Library) Config {
	cfg := Default()
	cfg.Shards = 1
	cfg.Prompts = library
	cfg.Networks = map[string]Network{"lab": labNetwork}
	return cfg
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, wire: newFakeWire(), now: time.Unix(1_700_000_000, 0)}
	r.engine = &Engine{cfg: cfg, ports: map[string]*ports{}}
	for name, n := range cfg.Networks {
		r.engine.ports[name] = newPorts(n, cfg.PortQuarantine)
	}
	r.shard = newShard(cfg, slog.New(slog.DiscardHandler), r.wire, r.engine.ports)
	r.shard.next = r.now.Add(frameTime)
	r.engine.shards = []*shard{r.shard}
	r.session = r.engine.NewSession("test", func(Event) {})
	return r
}

// events takes what was reported since the last call, but for who talks, who gives a sign of life, how legs sound, and
// keys that are up.
func (r *rig) events() []Event {
	return slices.DeleteFunc(r.allEvents(), func(e Event) bool {
		_, talks := e.(Talking)
		_, up := e.(DigitReleased)
		_, checkpoint := e.(Checkpoint)
		_, measured := e.(Measured)
		return talks || up || checkpoint || measured || isSign(e)
	})
}

// signs takes who has gone silent and who is there again.
func (r *rig) signs() []Event {
	return slices.DeleteFunc(r.allEvents(), func(e Event) bool { return !isSign(e) })
}

func isSign(e Event) bool {
	switch e.(type) {
	case Silent, Alive:
		return true
	}
	return false
}

func (r *rig) allEvents() (events []Event) {
	for {
		select {
		case o := <-r.shard.occurred:
			events = append(events, o.event)
		default:
			return events
		}
	}
}

// step lets 20 ms pass: each phone sends its frame 7 ms before the tick.
func (r *rig) step() {
	for _, p := range r.phones {
		if p.talks {
			p.talk()
		}
	}
	r.pass(13 * time.Millisecond)
	r.pass(7 * time.Millisecond)
}

func (r *rig) run(d time.Duration) {
	for range d / frameTime {
		r.step()
	}
}

// settle lets the delay of who is mixed become what the network needs, which moves what is heard
// in time, and forgets what was said until then.
func (r *rig) settle() {
	r.run(6 * time.Second) // noise has few places to cut at
	for _, p := range r.phones {
		p.forget()
	}
}

// pass lets time pass in which the shard wakes up once, at its end.
func (r *rig) pass(d time.Duration) {
	r.now = r.now.Add(d)
	r.shard.step(r.now)
}

// phone is a party at the far end of a fake wire. It speaks noise of its own that
// correlates with nobody else's.
type phone struct {
	rig   *rig
	leg   LegID
	addr  netip.AddrPort
	port  uint16 // the engine's RTP port for it
	codec codec.ID
	talks bool

	encoder codec.Encoder
	header  rtp.Header // of the next packet
	said    []int16
	voice   *rand.Rand

	sender   *srtp.Sender // nil: what it sends is in the open
	receiver *srtp.Receiver

	got  []taken
	rtcp [][]byte
	from uint16 // the engine's port that RTCP came from
}

type taken struct {
	rtp.Packet
	at time.Time
}

func (r *rig) phone(leg LegID, id codec.ID) *phone {
	r.t.Helper()
	local, err := r.session.Open(leg, "lab")
	if err != nil {
		r.t.Fatal(err)
	}
	p := &phone{
		rig: r, leg: leg, port: local.Port(), codec: id, talks: true,
		addr:  netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), 40000+2*uint16(leg)),
		voice: rand.New(rand.NewPCG(uint64(leg), 1)),
		header: rtp.Header{Version: 2, PayloadType: id.PayloadType(), SSRC: rand.Uint32(),
			SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32()},
	}
	r.wire.phones[p.addr] = p
	r.wire.phones[netip.AddrPortFrom(p.addr.Addr(), p.addr.Port()+1)] = p
	r.phones = append(r.phones, p)
	r.session.Do(p.stream())
	r.shard.step(r.now)
	return p
}

func (p *phone) stream() Stream {
	return Stream{
		Leg: p.leg, Remote: p.addr, Codec: p.codec, PT: p.codec.PayloadType(),
		Recv:     recvAll(),
		DTMFSend: 101, DTMFRecv: map[uint8]int{101: p.codec.ClockRate()}, Ptime: frameTime, Send: true, Receive: true,
	}
}

// recvAll are the payload types of all codecs of the build.
func recvAll() map[uint8]codec.ID {
	all := map[uint8]codec.ID{}
	for _, id := range codec.List() {
		all[id.PayloadType()] = id
	}
	return all
}

func (p *phone) hears(play Playlist, from ...*phone) {
	l := Listen{Leg: p.leg, Play: play}
	for _, other := range from {
		l.From = append(l.From, other.leg)
	}
	p.rig.session.Do(l)
}

// talk sends 20 ms of noise, softened so that it survives G.711 and a sum of three.
func (p *phone) talk() {
	frame := p.noise()
	p.said = append(p.said, frame[:]...)
	p.send(p.encode(frame))
}

func (p *phone) encode(samples []int16) []byte {
	if p.encoder == nil {
		p.encoder = codec.NewEncoder(p.codec)
	}
	payload := make([]byte, socket.DatagramSize)
	return payload[:p.encoder.Encode(payload, samples)]
}

func (p *phone) noise() []int16 {
	level, frame := 0, make([]int16, p.codec.Rate()/50)
	for i := range frame {
		level = level/2 + p.voice.IntN(6001) - 3000
		frame[i] = int16(level)
	}
	return frame
}

// send sends a packet of audio and goes on in sequence and time.
func (p *phone) send(payload []byte) {
	p.put(p.addr, p.header, payload)
	p.header.SequenceNumber++
	p.header.Timestamp += uint32(p.codec.Ticks(payload))
}

func (p *phone) put(from netip.AddrPort, h rtp.Header, payload []byte) {
	data, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err == nil && p.sender != nil {
		data, err = p.sender.RTP(data)
	}
	if err != nil {
		p.rig.t.Fatal(err)
	}
	p.rig.wire.in = append(p.rig.wire.in, socket.Packet{Socket: p.rig.wire.socketAt(p.port), From: from, Data: data})
}

// press sends one packet of a key: RFC 4733 §2.3.
func (p *phone) press(key byte, start uint32, end bool, duration uint16) {
	payload := []byte{key, 10, 0, 0}
	if end {
		payload[1] |= 0x80
	}
	binary.BigEndian.PutUint16(payload[2:], duration)
	h := p.header
	h.PayloadType, h.Timestamp = 101, start
	p.put(p.addr, h, payload)
	p.header.SequenceNumber++
}

func (p *phone) take(from netip.AddrPort, data []byte) {
	data = p.opened(slices.Clone(data))
	if isRTCP(data) {
		p.from = from.Port()
		p.rtcp = append(p.rtcp, append([]byte(nil), data...))
		return
	}
	got := taken{at: p.rig.now}
	if err := got.Unmarshal(append([]byte(nil), data...)); err != nil {
		p.rig.t.Fatalf("leg %d got what is no RTP: %v", p.leg, err)
	}
	p.got = append(p.got, got)
}

func (p *phone) opened(data []byte) []byte {
	if p.receiver == nil {
		return data
	}
	open := p.receiver.RTP
	if isRTCP(data) {
		open = p.receiver.RTCP
	}
	plain, err := open(data)
	if err != nil {
		p.rig.t.Fatalf("leg %d got what it cannot open: %v", p.leg, err)
	}
	return plain
}

// forget drops what was said and heard so far.
func (p *phone) forget() { p.got, p.said = nil, nil }

// heard decodes what the phone got since the last forget, each packet in its place, at the rate of
// its codec.
func (p *phone) heard() []int16 {
	if len(p.got) == 0 {
		return nil
	}
	first, decoders := p.got[0].Timestamp, map[uint8]codec.Decoder{}
	rate, clock := p.codec.Rate(), p.codec.ClockRate()
	sound, buffer := make([]int16, 60*pcm.WideRate), make([]int16, pcm.WideRate)
	end := 0
	for _, packet := range p.got {
		id, ok := recvAll()[packet.PayloadType]
		if !ok {
			continue // a key
		}
		if decoders[packet.PayloadType] == nil {
			decoders[packet.PayloadType] = codec.NewDecoder(id)
		}
		n := decoders[packet.PayloadType].Decode(buffer, packet.Payload)
		at := int(packet.Timestamp-first) * rate / clock
		copy(sound[at:], buffer[:n])
		end = max(end, at+n)
	}
	return slices.Clone(sound[:end])
}

// at gives sound of one rate at another.
func at(rate int, sound []int16, from int) []int16 {
	switch {
	case from < rate:
		wide := make([]int16, 2*len(sound))
		new(pcm.Upsampler).Up(wide, sound)
		return wide
	case from > rate:
		narrow := make([]int16, len(sound)/2)
		new(pcm.Downsampler).Down(narrow, sound)
		return narrow
	}
	return sound
}

// likeness is how well another's speech is found in what the phone got.
func (p *phone) likeness(of *phone) float64 {
	sound, rate := p.heard(), p.codec.Rate()
	if len(sound) == 0 || pcm.Level(sound) < -60 {
		return 0 // comfort noise resembles anything
	}
	best := 0.0
	for half := range 2 { // what is mixed at 16 kHz may be off by half a sample of 8 kHz
		said := at(rate, of.said[min(half, len(of.said)):], of.codec.Rate())
		n := min(len(sound), len(said))
		if n == 0 {
			return best
		}
		_, r := pcm.Correlate(said[:n], sound[:n], rate/5)
		best = max(best, r)
	}
	return best
}

func (p *phone) mustHear(others ...*phone) {
	p.rig.t.Helper()
	for _, other := range others {
		if r := p.likeness(other); r < 0.5 {
			p.rig.t.Errorf("leg %d hears leg %d with correlation %.2f, want 0.5 or more", p.leg, other.leg, r)
		}
	}
}

func (p *phone) mustNotHear(others ...*phone) {
	p.rig.t.Helper()
	for _, other := range others {
		if r := p.likeness(other); r > 0.1 {
			p.rig.t.Errorf("leg %d hears leg %d with correlation %.2f, want none", p.leg, other.leg, r)
		}
	}
}
