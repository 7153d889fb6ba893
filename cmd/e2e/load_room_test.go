package e2e

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"

	"liandong/cmd/internal/load"
	"liandong/cmd/internal/phone"
)

// bridge is a conference server that shares nothing with the switch: whoever calls is in its one room, and hears the
// sum of the others, 20 ms at a time.
type bridge struct {
	t    *testing.T
	done chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex
	seats []*seat // guarded by mu
}

// seat is one who called.
type seat struct {
	*bridge
	conn  *net.UDPConn
	to    netip.AddrPort // guarded by mu
	said  [][]int16      // guarded by mu
	frame []int16        // of this tick; owned by mix
	next  rtp.Packet     // owned by mix
}

func startBridge(t *testing.T) *bridge {
	b := &bridge{t: t, done: make(chan struct{})}
	b.wg.Go(b.mix)
	t.Cleanup(func() {
		close(b.done)
		b.mu.Lock()
		for _, s := range b.seats {
			s.conn.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

// voice is a seat for a new call.
func (b *bridge) voice() (phone.Voice, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: here.AsSlice()})
	if err != nil {
		return nil, err
	}
	s := &seat{bridge: b, conn: conn}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.next.Header = rtp.Header{Version: 2, PayloadType: uint8(phone.PCMA), SSRC: uint32(len(b.seats) + 1)}
	b.seats = append(b.seats, s)
	b.wg.Go(s.listen)
	return s, nil
}

func (s *seat) Addr() netip.AddrPort { return s.conn.LocalAddr().(*net.UDPAddr).AddrPort() }
func (s *seat) Mute()                { s.Connect(phone.Talk{}) }
func (s *seat) Close()               { s.Connect(phone.Talk{}) }

func (s *seat) Connect(t phone.Talk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = t.To
}

func (s *seat) listen() {
	buf := make([]byte, 2000)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		var p rtp.Packet
		if p.Unmarshal(buf[:n]) != nil {
			continue
		}
		s.mu.Lock()
		if s.said = append(s.said, phone.PCMA.Decode(nil, p.Payload)); len(s.said) > 4 {
			s.said = s.said[1:]
		}
		s.mu.Unlock()
	}
}

func (b *bridge) mix() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-b.done:
			return
		case <-tick.C:
		}
		b.mu.Lock()
		for _, s := range b.seats {
			if s.frame = make([]int16, 160); len(s.said) > 0 {
				s.frame, s.said = s.said[0], s.said[1:]
			}
		}
		for _, s := range b.seats {
			s.hearOthers()
		}
		b.mu.Unlock()
	}
}

// hearOthers sends the sum of the others; mu is held.
func (s *seat) hearOthers() {
	sum := make([]int16, 160)
	for _, o := range s.seats {
		for i := range sum {
			if o != s {
				sum[i] += o.frame[i]
			}
		}
	}
	s.next.Payload = phone.PCMA.Encode(nil, sum)
	s.next.SequenceNumber++
	s.next.Timestamp += 160
	if raw, err := s.next.Marshal(); err == nil && s.to.IsValid() {
		_, _ = s.conn.WriteToUDPAddrPort(raw, s.to) // a lost packet
	}
}

// Three callers in a room of a server that is not ours.
func TestLoadRoom(t *testing.T) {
	t.Parallel()
	b := startBridge(t)
	server := newPhone(t, phone.Config{User: "room", Policy: phone.AnswerAfter(0), Voice: b.voice})
	l := lab{server: server.Addr()}
	target := l.target()
	target.From, target.Seats = here, 0
	r := measure(t, t.Context(), load.Conf{Target: target, Calls: 1, Duration: 4 * time.Second, Key: "*3",
		Room: "80{n}"})
	if r.Calls.Up != 3 || r.SIP.Registers != 0 {
		t.Errorf("%+v", r.Calls)
	}
	chirps(t, r, 1)
}
