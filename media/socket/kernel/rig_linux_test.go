package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"liandong/media/socket"
)

// patience is generous: these tests run over real sockets on machines that are busy.
const patience = 20 * time.Second

var (
	loopback  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// families are the addresses of this machine to itself.
var families = map[string]netip.Addr{"IPv4": loopback, "IPv6": loopback6}

// open skips where the kernel, or the privileges, do not have it.
func open(t testing.TB, k socket.Keeper, addresses ...netip.Addr) *Relay {
	t.Helper()
	r, err := Open(addresses, testTables(), false, k)
	if err != nil {
		if os.Getuid() == 0 && os.Getenv("LIANDONG_PEERS") == "required" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	t.Cleanup(r.Close)
	return r
}

// testTables have other numbers for each byte, and in each table.
func testTables() (tables [2][256]uint32) {
	for i := range tables {
		for b := range tables[i] {
			tables[i][b] = uint32(i*100000 + b*b + 7)
		}
	}
	return tables
}

// party is a UDP socket.
type party struct {
	t    testing.TB
	conn *net.UDPConn
	addr netip.AddrPort
}

func newParty(t testing.TB, addr netip.Addr) *party {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &party{t, conn, conn.LocalAddr().(*net.UDPAddr).AddrPort()}
}

func (p *party) send(to netip.AddrPort, packet []byte) {
	p.t.Helper()
	if _, err := p.conn.WriteToUDPAddrPort(packet, to); err != nil {
		p.t.Fatal(err)
	}
}

// gets waits for a datagram; from is who has sent it.
func (p *party) gets() (packet []byte, from netip.AddrPort) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 2000)
	n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
	if err != nil {
		p.t.Fatalf("%v gets nothing: %v", p.addr, err)
	}
	return buffer[:n], from
}

// quiet says that nothing waits. On lo, and between namespaces, a packet is there when its sendto has returned.
func (p *party) quiet() bool {
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, _, err := p.conn.ReadFromUDPAddrPort(make([]byte, 2000))
	return err != nil
}

// rtp is a packet of 160 bytes of sound.
func rtp(first, second byte, seq uint16, stamp, ssrc uint32) []byte {
	b := []byte{first, second}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, stamp)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	for i := range 160 {
		b = append(b, byte(i*int(seq+1)))
	}
	return b
}

const (
	ssrc    = 0x11223344
	newSSRC = 0xa5b6c7d8
)

// call is a flow from one party to another by two of our ports.
type call struct {
	t                testing.TB
	r                *Relay
	from, at, by, to *party // at and by are ours
	flow             Flow
	slot             Slot
	seq              uint16 // of the next packet
	stamp            uint32
	carried          int
}

func newCall(t testing.TB, r *Relay, from, at, by, to *party) *call {
	c := &call{t: t, r: r, from: from, at: at, by: by, to: to, seq: 65530, stamp: 1<<32 - 800}
	c.flow = Flow{
		From: from.addr, At: at.addr, By: by.addr, To: to.addr, SSRC: ssrc, OutSSRC: newSSRC, PT: 8, OutPT: 0,
		Payload: 160,
		Seq:     c.seq - 1, Timestamp: c.stamp - 160, Span: 160, AddSeq: 41000, AddStamp: 3_000_000_000,
		Clock: 8, Start: time.Now(), Loud: BySecond,
	}
	c.regular(time.Hour)
	return c
}

// regular has the flow take what is so far ahead of real time, or behind it.
func (c *call) regular(by time.Duration) {
	ticks := uint32(by / time.Millisecond * 8)
	c.flow.Transit = uint32(time.Since(c.flow.Start)/time.Millisecond*8) - c.flow.Timestamp
	c.flow.Earliest, c.flow.Latest = c.flow.Transit-ticks, c.flow.Transit+ticks
}

func (c *call) put() *call {
	c.t.Helper()
	var err error
	if c.slot, err = c.r.Put(c.flow); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// packet is the next that the party sends.
func (c *call) packet() []byte {
	p := rtp(0x80, 8, c.seq, c.stamp, ssrc)
	c.seq++
	c.stamp += 160
	return p
}

// rewritten is how a packet has to leave.
func (c *call) rewritten(p []byte) []byte {
	p = slices.Clone(p)
	p[1] = c.flow.OutPT
	binary.BigEndian.PutUint16(p[2:], binary.BigEndian.Uint16(p[2:])+c.flow.AddSeq)
	binary.BigEndian.PutUint32(p[4:], binary.BigEndian.Uint32(p[4:])+c.flow.AddStamp)
	binary.BigEndian.PutUint32(p[8:], newSSRC)
	return p
}

// passes sends the next packet, which the kernel carries.
func (c *call) passes() {
	c.t.Helper()
	p := c.packet()
	c.from.send(c.at.addr, p)
	c.carries(p)
}

func (c *call) carries(p []byte) {
	c.t.Helper()
	got, from := c.to.gets()
	if want := c.rewritten(p); !slices.Equal(got, want) || from != c.by.addr {
		c.t.Fatalf("%x from %v, want %x from %v", got, from, want, c.by.addr)
	}
	c.carried++
}

// comesUp sends a packet, which comes to our port as it is.
func (c *call) comesUp(p []byte) {
	c.t.Helper()
	c.from.send(c.at.addr, p)
	c.has(p)
}

func (c *call) has(p []byte) {
	c.t.Helper()
	if got, from := c.at.gets(); !slices.Equal(got, p) || from != c.from.addr {
		c.t.Fatalf("%x from %v came up, want %x from %v", got, from, p, c.from.addr)
	}
}

// read waits until the flow is at rest.
func (c *call) read() Progress {
	c.t.Helper()
	for start := time.Now(); time.Since(start) < patience; {
		if p, ok := c.r.Read(c.slot); ok {
			return p
		}
	}
	c.t.Fatal("the flow is at work for ever")
	return Progress{}
}

func (c *call) free() Progress {
	p := c.r.Stop(c.slot)
	c.r.Free(c.slot)
	return p
}

// datagram puts headers of IP and UDP with right checksums around a packet.
func datagram(from, to netip.AddrPort, packet []byte) []byte {
	wire := binary.BigEndian
	src, dst, udp := from.Addr().AsSlice(), to.Addr().AsSlice(), 8+len(packet)
	var d []byte
	if from.Addr().Is4() {
		d = make([]byte, 28)
		d[0], d[6], d[8], d[9] = 0x45, 0x40, 64, 17
		wire.PutUint16(d[2:], uint16(20+udp))
		copy(d[12:], src)
		copy(d[16:], dst)
		wire.PutUint16(d[10:], ^fold(sum(d[:20])))
	} else {
		d = make([]byte, 48)
		d[0], d[6], d[7] = 0x60, 17, 64
		wire.PutUint16(d[4:], uint16(udp))
		copy(d[8:], src)
		copy(d[24:], dst)
	}
	u := d[len(d)-8:]
	wire.PutUint16(u[0:], from.Port())
	wire.PutUint16(u[2:], to.Port())
	wire.PutUint16(u[4:], uint16(udp))
	d = append(d, packet...)
	wire.PutUint16(d[len(d)-udp+6:], udpSum(d))
	return d
}

// udpSum is RFC 768's, and RFC 8200's §8.1, over a datagram with its headers.
func udpSum(d []byte) uint16 {
	addresses, udp := d[12:20], d[20:]
	if d[0]>>4 == 6 {
		addresses, udp = d[8:40], d[40:]
	}
	n := uint64(17) + uint64(len(udp)) + sum(addresses) + sum(udp[:6])
	rest := udp[8:]
	if len(rest)%2 == 1 {
		rest = append(slices.Clone(rest), 0)
	}
	if s := ^fold(n + sum(rest)); s != 0 {
		return s
	}
	return 0xffff
}

// raw sends datagrams as they are: their checksums are whole, those of a UDP socket on lo are only begun.
type raw struct {
	t       testing.TB
	fd, fd6 int
}

func newRaw(t testing.TB) raw {
	t.Helper()
	fds := [2]int{}
	for i, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		fds[i] = fd
	}
	return raw{t, fds[0], fds[1]}
}

func (r raw) send(d []byte) {
	r.t.Helper()
	var err error
	if d[0]>>4 == 6 {
		err = unix.Sendto(r.fd6, d, 0, &unix.SockaddrInet6{Addr: [16]byte(d[24:])})
	} else {
		err = unix.Sendto(r.fd, d, 0, &unix.SockaddrInet4{Addr: [4]byte(d[16:])})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// tap sees datagrams with their headers as they are delivered to a port here.
type tap struct {
	t    testing.TB
	fd   int
	port uint16
}

func newTap(t testing.TB, port uint16) tap {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)})
	return tap{t, fd, port}
}

func (p tap) gets() []byte {
	p.t.Helper()
	for {
		d := make([]byte, 2000)
		n, _, err := unix.Recvfrom(p.fd, d, 0)
		if err != nil {
			p.t.Fatal(err)
		}
		if d = d[:n]; binary.BigEndian.Uint16(d[22:]) == p.port {
			return d
		}
	}
}
