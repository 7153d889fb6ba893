package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// parseHEP takes a HEPv3 packet apart, as a Homer does.
func parseHEP(t testing.TB, b []byte) map[uint16][]byte {
	t.Helper()
	if len(b) < 6 || string(b[:4]) != "HEP3" || int(binary.BigEndian.Uint16(b[4:])) != len(b) {
		t.Fatalf("no HEPv3 packet: %.20q, %d bytes", b, len(b))
	}
	chunks := map[uint16][]byte{}
	for b = b[6:]; len(b) > 0; {
		n := int(binary.BigEndian.Uint16(b[4:]))
		if binary.BigEndian.Uint16(b) != 0 || n < 6 || n > len(b) {
			t.Fatalf("a chunk of %d bytes in %d", n, len(b))
		}
		chunks[binary.BigEndian.Uint16(b[2:])] = b[6:n]
		b = b[n:]
	}
	return chunks
}

func sample(ref string) Message {
	return Message{
		At: time.Unix(1700000000, 123456789), CallID: "id@host", Ref: ref, Out: true, Network: "gov", Transport: "tcp",
		Local: netip.MustParseAddrPort("[2001:db8::1]:5060"), Remote: netip.MustParseAddrPort("[2001:db8::2]:40000"),
		Text: []byte(invite),
	}
}

func TestHEPPacket(t *testing.T) {
	cfg := HEPConfig{ID: 2001, Password: "s3cr3t"}
	c := parseHEP(t, AppendHEP(nil, cfg, sample("the-call")))
	for kind, want := range map[uint16][]byte{
		1: {10}, 2: {6}, 5: netip.MustParseAddr("2001:db8::1").AsSlice(),
		6: netip.MustParseAddr("2001:db8::2").AsSlice(),
		7: {0x13, 0xc4}, 8: {0x9c, 0x40}, 9: {0x65, 0x53, 0xf1, 0x00}, 10: {0, 1, 0xe2, 0x40}, 11: {1},
		12: {0, 0, 0x07, 0xd1}, 14: []byte("s3cr3t"), 15: []byte(invite), 17: []byte("the-call"),
	} {
		if !bytes.Equal(c[kind], want) {
			t.Errorf("chunk %d is %x, not %x", kind, c[kind], want)
		}
	}
	m := sample("")
	m.Out, m.Transport = false, "udp"
	m.Local, m.Remote = netip.MustParseAddrPort("0.0.0.0:5060"), netip.MustParseAddrPort("10.0.0.2:5061")
	m.Text = make([]byte, 65535)
	b := AppendHEP(nil, HEPConfig{}, m)
	if c = parseHEP(t, b); len(b) > 65507 || !bytes.Equal(c[3], []byte{10, 0, 0, 2}) || string(c[17]) != "id@host" ||
		!bytes.Equal(c[2], []byte{17}) || c[14] != nil {
		t.Errorf("%d bytes, %x %q", len(b), c[3], c[17])
	}
}

// By UDP and by TCP each message of the network that is named comes to the Homer.
func TestHEPIsSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	read := map[string]func() []byte{
		"udp": func() []byte {
			b := make([]byte, 65536)
			n, _, err := u.ReadFrom(b)
			if err != nil {
				t.Fatal(err)
			}
			return b[:n]
		},
		"tcp": func() []byte {
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			head := make([]byte, 6)
			if _, err := io.ReadFull(c, head); err != nil {
				t.Fatal(err)
			}
			rest := make([]byte, binary.BigEndian.Uint16(head[4:])-6)
			if _, err := io.ReadFull(c, rest); err != nil {
				t.Fatal(err)
			}
			return append(head, rest...)
		},
	}
	for transport, at := range map[string]net.Addr{"udp": u.LocalAddr(), "tcp": l.Addr()} {
		h := NewHEP(HEPConfig{Address: netip.MustParseAddrPort(at.String()), Transport: transport, Network: "gov"})
		other := sample("police's")
		other.Network = "police"
		h.Message(other)
		h.Message(sample("gov's"))
		if c := parseHEP(t, read[transport]()); string(c[17]) != "gov's" {
			t.Errorf("by %s came %q", transport, c[17])
		}
		h.Stop()
		if sent, dropped := h.Stats(); sent != 1 || dropped != 0 {
			t.Errorf("by %s %d are sent and %d dropped", transport, sent, dropped)
		}
	}
}

// A Homer that is not there, or takes nothing, holds up nobody: what it does not take is counted.
func TestHEPNeverWaits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts or reads
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := NewHEP(HEPConfig{Address: netip.MustParseAddrPort(l.Addr().String()), Transport: "tcp"})
	big := sample("x")
	big.Text = bytes.Repeat([]byte("x"), 60_000)
	begun := time.Now()
	const n = 3 * hepQueue
	for range n {
		h.Message(big)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("who has captured waited %v", took)
	}
	h.Stop()
	if sent, dropped := h.Stats(); dropped < hepQueue || sent+dropped > n {
		t.Errorf("%d are sent and %d dropped", sent, dropped)
	}
}

// What a message costs on its way to the Homer, with the system's sending.
func BenchmarkHEP(b *testing.B) {
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer u.Close()
	out, err := net.Dial("udp", u.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	h, buf, m := &HEP{}, []byte(nil), sample("the-call")
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendHEP(buf[:0], HEPConfig{ID: 2001, Password: "x"}, m)
		h.write(out, buf)
	}
}
