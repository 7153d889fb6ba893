package load

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch        = 16 // datagrams taken by one call
	datagramSize = 1500
	controlSize  = 64      // a time and an overflow count
	socketBuffer = 1 << 20 // bytes asked for; the kernel gives what net.core.rmem_max allows
)

// openSocket binds a UDP socket whose datagrams bear the time of their coming (CLOCK_REALTIME, by the kernel: a
// generator that reads late still knows when they came) and the number of those that found no room.
func openSocket(at netip.AddrPort) (fd int, bound netip.AddrPort, err error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, at, fmt.Errorf("load: RTP socket: %w", err)
	}
	if bound, err = setUp(fd, at); err != nil {
		_ = unix.Close(fd) // nothing was sent
		return -1, at, fmt.Errorf("load: RTP socket on %s: %w", at, err)
	}
	return fd, bound, nil
}

func setUp(fd int, at netip.AddrPort) (netip.AddrPort, error) {
	for _, o := range [][2]int{{unix.SO_TIMESTAMPNS, 1}, {unix.SO_RXQ_OVFL, 1}, {unix.SO_RCVBUF, socketBuffer},
		{unix.SO_SNDBUF, socketBuffer}} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, o[0], o[1]); err != nil {
			return at, err
		}
	}
	if err := unix.Bind(fd, sockaddr(at)); err != nil {
		return at, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return at, err
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(at.Addr(), uint16(a.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(at.Addr(), uint16(a.Port)), nil
	}
	return at, unix.EAFNOSUPPORT
}

func sockaddr(at netip.AddrPort) unix.Sockaddr {
	if at.Addr().Is6() {
		return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [unix.SizeofPtr - 4]byte
}

// reader takes datagrams off sockets, many with one call and without allocating. Owned by one thread.
type reader struct {
	head    [batch]mmsghdr
	iov     [batch]unix.Iovec
	data    [batch][datagramSize]byte
	control [batch][controlSize]byte
}

func newReader() *reader {
	r := &reader{}
	for i := range r.head {
		r.iov[i] = unix.Iovec{Base: &r.data[i][0]}
		r.iov[i].SetLen(datagramSize)
		h := &r.head[i].hdr
		h.Iov, h.Control = &r.iov[i], &r.control[i][0]
		h.SetIovlen(1)
	}
	return r
}

// arrival is one datagram; data is good until the next read.
type arrival struct {
	data []byte
	at   int64  // ns since 1970, when the kernel had it
	lost uint32 // datagrams that found no room in the socket, since it was opened
}

// read hands over what has come to a socket, at most batch. It says how many, 0 for none.
func (r *reader) read(fd int, take func(arrival)) int {
	for i := range r.head {
		r.head[i].hdr.SetControllen(controlSize)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.head[0])), batch,
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0 // EAGAIN, or the ICMP error of a packet of ours
	}
	for i := range int(n) {
		a := arrival{data: r.data[i][:r.head[i].len]}
		a.control(r.control[i][:r.head[i].hdr.Controllen])
		take(a)
	}
	return int(n)
}

// control reads the ancillary data (cmsg(3)).
func (a *arrival) control(b []byte) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > len(b) {
			return
		}
		data := b[unix.CmsgLen(0):size]
		switch {
		case h.Level != unix.SOL_SOCKET:
		case h.Type == unix.SO_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			a.at = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		case h.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			a.lost = binary.NativeEndian.Uint32(data)
		}
		b = b[min(len(b), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
}
