package capture

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// HEP sends what is captured to a Homer (HEPv3, the Homer project's "HEP/EEP network protocol specification", revision
// 36). Who gives it a message never waits: what the network or the Homer does not take is dropped and counted.
type HEP struct {
	cfg     HEPConfig
	queue   chan Message
	done    chan struct{}
	wg      sync.WaitGroup
	sent    atomic.Uint64
	dropped atomic.Uint64
	stopped atomic.Bool
}

// HEPConfig is where a Homer is. Immutable.
type HEPConfig struct {
	Address   netip.AddrPort
	Transport string // udp, tcp
	ID        uint32 // of the switch among those that send there
	Password  string // "": none is sent
	Network   string // whose messages are sent; "": of all
}

const (
	hepQueue    = 4096            // messages that wait; more are dropped
	hepPatience = 2 * time.Second // for a Homer that does not read, or does not answer
	hepPause    = time.Second     // before it is called again
)

// The chunks of HEPv3, of the vendor 0.
const (
	chunkFamily      = 1
	chunkProtocol    = 2
	chunkFrom4       = 3
	chunkTo4         = 4
	chunkFrom6       = 5
	chunkTo6         = 6
	chunkFromPort    = 7
	chunkToPort      = 8
	chunkSeconds     = 9
	chunkMicros      = 10
	chunkKind        = 11 // of what is in it
	chunkAgent       = 12
	chunkPassword    = 14
	chunkPayload     = 15
	chunkCorrelation = 17

	kindSIP = 1
)

// NewHEP begins to send.
func NewHEP(cfg HEPConfig) *HEP {
	h := &HEP{cfg: cfg, queue: make(chan Message, hepQueue), done: make(chan struct{})}
	h.wg.Go(h.run)
	return h
}

// Message takes a message.
func (h *HEP) Message(m Message) {
	if m.Fault != "" || h.cfg.Network != "" && m.Network != h.cfg.Network {
		return
	}
	select {
	case h.queue <- m:
	default:
		h.dropped.Add(1)
	}
}

// Stats are the messages sent, and those that were not.
func (h *HEP) Stats() (sent, dropped uint64) {
	if h == nil {
		return 0, 0
	}
	return h.sent.Load(), h.dropped.Load()
}

// Stop ends it and waits.
func (h *HEP) Stop() {
	if !h.stopped.Swap(true) {
		close(h.done)
	}
	h.wg.Wait()
}

// run sends until it is stopped.
func (h *HEP) run() {
	var out net.Conn
	defer func() {
		if out != nil {
			_ = out.Close()
		}
	}()
	var buf []byte
	var failed time.Time
	for {
		select {
		case <-h.done:
			return
		case m := <-h.queue:
			if out == nil && time.Since(failed) >= hepPause {
				out, failed = h.dial()
			}
			buf = AppendHEP(buf[:0], h.cfg, m)
			if out == nil || !h.write(out, buf) {
				h.dropped.Add(1)
				if out != nil && h.cfg.Transport == "tcp" { // after half a message nothing else can be said on it
					_ = out.Close()
					out, failed = nil, time.Now()
				}
			}
		}
	}
}

// dial opens the way; nil with the time when it could not.
func (h *HEP) dial() (net.Conn, time.Time) {
	network := "udp"
	if h.cfg.Transport == "tcp" {
		network = "tcp"
	}
	c, err := net.DialTimeout(network, h.cfg.Address.String(), hepPatience)
	if err != nil {
		return nil, time.Now()
	}
	return c, time.Time{}
}

func (h *HEP) write(out net.Conn, b []byte) bool {
	_ = out.SetWriteDeadline(time.Now().Add(hepPatience))
	if _, err := out.Write(b); err != nil {
		return false
	}
	h.sent.Add(1)
	return true
}

// AppendHEP appends a message as HEPv3. What belongs together has one correlation id: the call's reference, or the
// Call-ID while that is not known.
func AppendHEP(b []byte, cfg HEPConfig, m Message) []byte {
	begin := len(b)
	b = append(b, 'H', 'E', 'P', '3', 0, 0)
	from, to := m.Remote, m.Local
	if m.Out {
		from, to = to, from
	}
	from, to = alike(from, to)
	family, fromChunk, toChunk := byte(2), uint16(chunkFrom4), uint16(chunkTo4) // AF_INET
	if from.Addr().Is6() {
		family, fromChunk, toChunk = 10, chunkFrom6, chunkTo6
	}
	protocol := byte(protoUDP)
	if m.Transport != "udp" {
		protocol = protoTCP
	}
	correlation := m.Ref
	if correlation == "" {
		correlation = m.CallID
	}
	b = chunk(b, chunkFamily, []byte{family})
	b = chunk(b, chunkProtocol, []byte{protocol})
	b = chunk(b, fromChunk, from.Addr().AsSlice())
	b = chunk(b, toChunk, to.Addr().AsSlice())
	b = chunk(b, chunkFromPort, binary.BigEndian.AppendUint16(nil, from.Port()))
	b = chunk(b, chunkToPort, binary.BigEndian.AppendUint16(nil, to.Port()))
	b = chunk(b, chunkSeconds, binary.BigEndian.AppendUint32(nil, uint32(m.At.Unix())))
	b = chunk(b, chunkMicros, binary.BigEndian.AppendUint32(nil, uint32(m.At.Nanosecond()/1000)))
	b = chunk(b, chunkKind, []byte{kindSIP})
	b = chunk(b, chunkAgent, binary.BigEndian.AppendUint32(nil, cfg.ID))
	if cfg.Password != "" {
		b = chunk(b, chunkPassword, []byte(cfg.Password))
	}
	b = chunk(b, chunkCorrelation, []byte(correlation[:min(len(correlation), 1024)]))
	room := 65507 - (len(b) - begin) - 6 // of a datagram (RFC 768)
	b = chunk(b, chunkPayload, m.Text[:min(len(m.Text), room)])
	binary.BigEndian.PutUint16(b[begin+4:], uint16(len(b)-begin))
	return b
}

func chunk(b []byte, kind uint16, data []byte) []byte {
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(6+len(data)))
	return append(b, data...)
}
