package phone

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

const (
	frame     = 160 // samples at 8 kHz
	frameTime = 20 * time.Millisecond
)

// media is a call's voice: one RTP socket, a reader and a 20 ms sender.
type media struct {
	board
	addr   netip.AddrPort
	rtp    *net.UDPConn
	rtcp   *net.UDPConn // nil without RTCP
	speech []int16
	record bool
	tap    func([]byte)
	done   chan struct{}

	// Guarded by mu: what we send.
	to, rtcpTo netip.AddrPort
	codec      Codec
	events     uint8 // payload type of keys that we send, 0 for none
	ourEvents  uint8 // and that we offered
	sending    bool
	ssrc, ts   uint32
	seq        uint16
	marker     bool
	srtp       Sealing
	spoken     int
	presses    []press
	begun      int // keys that have started to sound, and below: that are done
	pressed    int
	sent       uint32
	octets     uint32
	closed     bool

	wide g722 // guarded by mu: of both directions

	// Guarded by mu: what came.
	heard   heard
	passed  Continuity
	keys    keysSeen
	reports Reports
}

// openMedia binds an even port, and the odd one above it when RTCP is wanted (RFC 3550 §11).
func openMedia(p *Phone) (*media, error) {
	m := &media{speech: p.cfg.Speech, record: p.cfg.Record, tap: p.tap, done: make(chan struct{}), marker: true}
	m.ssrc, m.ts, m.seq = random32(), random32(), p.cfg.First
	if m.seq == 0 {
		m.seq = uint16(random32())
	}
	var err error
	for range 50 {
		if m.rtp, err = net.ListenUDP("udp", &net.UDPAddr{IP: p.addr.Addr().AsSlice()}); err != nil {
			return nil, fmt.Errorf("phone: RTP: %w", err)
		}
		port := m.rtp.LocalAddr().(*net.UDPAddr).Port
		m.addr = netip.AddrPortFrom(p.addr.Addr(), uint16(port))
		if port%2 == 0 && !p.cfg.RTCP {
			break
		}
		if port%2 == 0 {
			if m.rtcp, err = net.ListenUDP("udp", &net.UDPAddr{IP: p.addr.Addr().AsSlice(),
				Port: port + 1}); err == nil {
				break
			}
		}
		m.rtp.Close()
		m.rtp = nil
	}
	if m.rtp == nil {
		return nil, fmt.Errorf("phone: no even RTP port: %w", err)
	}
	p.wg.Go(m.read)
	p.wg.Go(m.speak)
	if m.rtcp != nil {
		p.wg.Go(m.readRTCP)
	}
	return m, nil
}

// Addr is where RTP is heard.
func (m *media) Addr() netip.AddrPort { return m.addr }

// Close ends sound both ways; what was heard stays. The goroutines end soon after and are waited for by the phone.
func (m *media) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	m.touch()
	close(m.done)
	m.rtp.Close()
	if m.rtcp != nil {
		m.rtcp.Close()
	}
}

// Connect says where to and how we speak from now on. SSRC, sequence and timestamp go on.
func (m *media) Connect(t Talk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.srtp.Rekey(t.Ours, t.Theirs) != nil {
		m.sending = false
		return
	}
	m.to, m.rtcpTo, m.codec, m.events, m.ourEvents = t.To, t.RTCP, t.Codec, t.Events, t.OurEvents
	if m.sending != t.Sends {
		m.marker = true
	}
	m.sending = t.Sends
}

// Mute stops speaking; hearing goes on.
func (m *media) Mute() {
	m.mu.Lock()
	m.sending = false
	m.mu.Unlock()
}

// speak sends what is due; a late goroutine catches up by a burst, as a phone behind a slow link would.
func (m *media) speak() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	start, done := time.Now(), 0
	report := start.Add(5 * time.Second)
	for {
		select {
		case <-m.done:
			return
		case <-tick.C:
		}
		now := time.Now()
		due := int(now.Sub(start) / frameTime)
		if due-done > 50 {
			m.skip(due - done - 1)
			done = due - 1
		}
		for ; done < due; done++ {
			packets, to := m.next()
			for _, p := range packets {
				m.rtp.WriteToUDPAddrPort(p, to)
			}
		}
		if m.rtcp != nil && now.After(report) {
			report = now.Add(5 * time.Second)
			m.sendReport(now)
		}
	}
}

// skip is for a machine that stood still: time went by, nothing was said.
func (m *media) skip(frames int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ts += uint32(frames * frame)
	m.marker = true
}

// next is the packets of one tick: speech, or a key in its place.
func (m *media) next() ([][]byte, netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() { m.ts += frame; m.spoken += frame }()
	if !m.sending {
		return nil, m.to
	}
	pcm := m.say()
	if key := m.key(); key != nil {
		if !key.inBand {
			return m.eventPackets(key), m.to
		}
		key.tone(pcm)
	}
	packet := m.packet(uint8(m.codec), m.ts, m.marker, m.encode(pcm))
	m.marker = false
	return [][]byte{packet}, m.to
}

// say is the next 20 ms of speech, round and round.
func (m *media) say() []int16 {
	pcm := make([]int16, frame)
	for i := range pcm {
		if len(m.speech) > 0 {
			pcm[i] = m.speech[(m.spoken+i)%len(m.speech)]
		}
	}
	return pcm
}

func (m *media) packet(pt uint8, ts uint32, marker bool, payload []byte) []byte {
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: m.seq, Timestamp: ts, SSRC: m.ssrc,
		Marker: marker}, Payload: payload}
	m.seq++
	m.sent++
	m.octets += uint32(len(payload))
	raw, _ := p.Marshal() // fails only on header extensions, and there are none
	return m.srtp.Seal(nil, raw)
}

func (m *media) read() {
	buf := make([]byte, 2048)
	for {
		n, from, err := m.rtp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m.tap(buf[:n])
		raw, ok := m.opened(buf[:n])
		if !ok {
			continue
		}
		var p rtp.Packet
		if err := p.Unmarshal(raw); err != nil || p.Version != 2 {
			continue
		}
		m.take(&p, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), time.Now())
	}
}

// take files one packet that came.
func (m *media) take(p *rtp.Packet, from netip.AddrPort, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.touch()
	codec := Codec(p.PayloadType)
	voice := codec == PCMA || codec == PCMU || codec == G722
	m.passed.take(p, from, at, voice)
	switch {
	case voice && m.record:
		m.heard.take(p, m.decode(codec, p.Payload), at)
	case !voice && m.events != 0 && (p.PayloadType == m.ourEvents || p.PayloadType == m.events):
		// RFC 3264 §5.1: it should be ours; phones that send their own are common enough.
		m.keys.take(p)
	}
}
