package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// datagram is one of a capture: its UDP payload, and when it was sent.
type datagram struct {
	at   time.Duration // from the first
	data []byte
}

// captured reads a pcap file of microseconds in which everything is IPv4 and UDP over Ethernet or nothing.
func captured(t testing.TB, name string) (all []datagram) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	link := map[uint32]int{1: 14, 101: 0, 228: 0}
	head, ok := link[binary.LittleEndian.Uint32(raw[20:])]
	if !ok {
		t.Fatalf("%s has another link layer", name)
	}
	const ip, udp = 20, 8
	var first time.Duration
	for rest := raw[24:]; len(rest) >= 16; {
		at := time.Duration(binary.LittleEndian.Uint32(rest))*time.Second +
			time.Duration(binary.LittleEndian.Uint32(rest[4:]))*time.Microsecond
		size := int(binary.LittleEndian.Uint32(rest[8:]))
		if len(all) == 0 {
			first = at
		}
		all = append(all, datagram{at - first, rest[16+head+ip+udp : 16+size]})
		rest = rest[16+size:]
	}
	return all
}

// replayed is a phone's sound that is a capture, sent once from when offer and answer are agreed. What comes is not
// heard.
type replayed struct {
	conn  *net.UDPConn
	all   []datagram
	begin sync.Once
	close sync.Once
	done  chan struct{}
	over  sync.WaitGroup
}

func replay(at netip.Addr, all []datagram) (phone.Voice, error) {
	for {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
		if err != nil {
			return nil, err
		}
		if r := (&replayed{conn: conn, all: all, done: make(chan struct{})}); r.Addr().Port()%2 == 0 {
			return r, nil
		}
		_ = conn.Close() // RTP is on even ports
	}
}

func (r *replayed) Addr() netip.AddrPort { return r.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *replayed) Connect(talk phone.Talk) {
	r.begin.Do(func() {
		r.over.Go(func() {
			for began := time.Now(); len(r.all) > 0; r.all = r.all[1:] {
				select {
				case <-time.After(time.Until(began.Add(r.all[0].at))):
					_, _ = r.conn.WriteToUDPAddrPort(r.all[0].data, talk.To) // what is lost is lost
				case <-r.done:
					return
				}
			}
		})
	})
}

func (r *replayed) Mute() {}

func (r *replayed) Close() {
	r.close.Do(func() { close(r.done); _ = r.conn.Close() })
	r.over.Wait()
}

// A phone's own sound as it was captured, keys in it: `*` is held for 2 s, and `1` follows at once, which is a code, as
// the time between keys runs from the end of the first.
func TestCapturedKeysAreACode(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	keys := captured(t, "star_held_2s_then_1.pcap")
	desk := newPhone(t, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: l.server,
		Policy: phone.AnswerAfter(0), Voice: func() (phone.Voice, error) { return replay(here, keys) }})
	must(t, desk.Register(within(t, 10*time.Second)))
	partner := l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := l.call(t, l.caller(t, callerTone), "110")
	waitConfirmed(t, next(t, partner))
	hears(t, c, partnerTone)
	hangUp(t, c)
}
