package socket

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"liandong/media/socket/sys"
)

const (
	rawBatch    = 64 // datagrams for one sendmmsg
	ipHeader    = 20
	udpHeader   = 8
	rawHeaders  = ipHeader + udpHeader
	dontFrag    = 0x40 // RFC 791 §3.1, in the high byte of the fragment offset
	timeToLive  = 64
	udpProtocol = 17
	rawSendRoom = 4 << 20 // bytes under way on the socket of an address
)

// rawPath sends the datagrams of all legs through a raw socket for each address, many in a
// system call. It writes the IP and UDP headers itself, with the port that the leg's own socket
// holds. IPv4 only. It needs CAP_NET_RAW.
type rawPath struct {
	senders []*rawSender // few: one for each network
	sources []rawSource  // by socket
}

// rawSource says how a socket's datagrams leave; port 0: the socket sends for itself.
type rawSource struct {
	port   uint16
	sender uint16
}

// newRawPath fails without the privilege, which is no fault.
func newRawPath() (*rawPath, error) {
	fd, err := rawSocket()
	if err != nil {
		return nil, err
	}
	return &rawPath{}, unix.Close(fd)
}

func rawSocket() (int, error) {
	return unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
}

// adopt lets a socket send this way. Of one that is bound to any address only the kernel knows
// which one it would send from.
func (r *rawPath) adopt(s ID, local netip.AddrPort) {
	for len(r.sources) <= int(s) {
		r.sources = append(r.sources, rawSource{})
	}
	r.sources[s] = rawSource{}
	if !local.Addr().Is4() || local.Addr().IsUnspecified() {
		return
	}
	if sender, ok := r.senderOf(local.Addr().As4()); ok {
		r.sources[s] = rawSource{local.Port(), sender}
	}
}

func (r *rawPath) senderOf(addr [4]byte) (uint16, bool) {
	for i, sender := range r.senders {
		if sender.addr == addr {
			return uint16(i), true
		}
	}
	sender, err := newRawSender(addr)
	if err != nil {
		return 0, false
	}
	r.senders = append(r.senders, sender)
	return uint16(len(r.senders) - 1), true
}

// queue is false when the datagram cannot go this way.
func (r *rawPath) queue(s ID, to netip.AddrPort, data []byte) bool {
	if int(s) >= len(r.sources) || r.sources[s].port == 0 || !to.Addr().Is4() {
		return false
	}
	r.senders[r.sources[s].sender].queue(r.sources[s].port, to, data)
	return true
}

func (r *rawPath) flush() (sent, failed int) {
	for _, sender := range r.senders {
		s, f := sender.flush()
		sent, failed = sent+s, failed+f
	}
	return sent, failed
}

func (r *rawPath) close() {
	for _, sender := range r.senders {
		_ = unix.Close(sender.fd)
	}
}

// rawSender sends from one address. Its socket is bound to it, so that the kernel routes as it
// does for the legs' own sockets: on a machine with a foot in two networks the way out may
// depend on where a packet comes from.
type rawSender struct {
	fd       int
	addr     [4]byte
	n        int // datagrams queued
	failed   int
	sent     int
	messages [rawBatch]sys.Message
	parts    [rawBatch]unix.Iovec
	to       [rawBatch]unix.RawSockaddrInet4
	data     [rawBatch][rawHeaders + DatagramSize]byte
}

func newRawSender(addr [4]byte) (*rawSender, error) {
	fd, err := rawSocket()
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: addr}); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, rawSendRoom) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, rawSendRoom) // as much as the system lets us have
	}
	r := &rawSender{fd: fd, addr: addr}
	for i := range r.messages {
		r.parts[i].Base = &r.data[i][0]
		head := &r.messages[i].Head
		head.Name, head.Namelen = (*byte)(unsafe.Pointer(&r.to[i])), unix.SizeofSockaddrInet4
		head.Iov = &r.parts[i]
		head.SetIovlen(1)
		r.to[i].Family = unix.AF_INET
	}
	return r, nil
}

func (r *rawSender) queue(port uint16, to netip.AddrPort, data []byte) {
	i := r.n
	datagram := r.data[i][:rawHeaders+len(data)]
	r.to[i].Addr = to.Addr().As4()
	writeHeaders(datagram, r.addr, r.to[i].Addr, port, to.Port())
	copy(datagram[rawHeaders:], data)
	binary.BigEndian.PutUint16(datagram[ipHeader+6:], udpChecksum(datagram))
	r.parts[i].SetLen(len(datagram))
	r.n++
	if r.n == rawBatch {
		r.push()
	}
}

// writeHeaders leaves the IP header's checksum and identification to the kernel (raw(7)).
func writeHeaders(datagram []byte, from, to [4]byte, fromPort, toPort uint16) {
	ip, udp := datagram[:ipHeader], datagram[ipHeader:rawHeaders]
	clear(ip)
	ip[0], ip[6], ip[8], ip[9] = 0x45, dontFrag, timeToLive, udpProtocol
	binary.BigEndian.PutUint16(ip[2:], uint16(len(datagram)))
	copy(ip[12:], from[:])
	copy(ip[16:], to[:])
	binary.BigEndian.PutUint16(udp[0:], fromPort)
	binary.BigEndian.PutUint16(udp[2:], toPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(datagram)-ipHeader))
	udp[6], udp[7] = 0, 0
}

// udpChecksum is that of RFC 768 over addresses, protocol, length and the datagram, whose own
// checksum is zero.
func udpChecksum(datagram []byte) uint16 {
	sum := uint64(udpProtocol) + uint64(len(datagram)-ipHeader)
	rest := datagram[ipHeader-8:] // from the addresses on
	for len(rest) >= 8 {
		x := binary.BigEndian.Uint64(rest)
		sum += x>>32 + x&0xffffffff
		rest = rest[8:]
	}
	var tail [8]byte
	copy(tail[:], rest)
	x := binary.BigEndian.Uint64(tail[:])
	sum += x>>32 + x&0xffffffff
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		return 0xffff // RFC 768: a checksum of zero is sent as all ones
	}
	return ^uint16(sum)
}

// push sends what is queued. A datagram that the kernel refuses is left out and counted.
func (r *rawSender) push() {
	for at := 0; at < r.n; {
		n, errno := sys.Transfer(unix.SYS_SENDMMSG, r.fd, r.messages[at:r.n])
		r.sent += n
		at += n
		if errno != 0 {
			r.failed++
			at++
		}
	}
	r.n = 0
}

func (r *rawSender) flush() (sent, failed int) {
	if r.n > 0 {
		r.push()
	}
	sent, failed = r.sent, r.failed
	r.sent, r.failed = 0, 0
	return sent, failed
}
