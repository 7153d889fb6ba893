package ua

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostAtOnce bounds what is taken from a socket by one recvmmsg(2). What has been taken is lost when the process dies;
// its senders say it again.
const mostAtOnce = 8

// datagrams takes what has come by a socket, as much at once as there is. Owned by the reader of the socket.
type datagrams struct {
	conn    syscall.RawConn
	all     [mostAtOnce]mmsghdr
	from    [mostAtOnce]unix.RawSockaddrInet6
	parts   [mostAtOnce]unix.Iovec
	control [mostAtOnce][64]byte
	zones   map[uint32]string // of link-local addresses, by interface
}

// mmsghdr is the kernel's: recvmmsg(2).
type mmsghdr struct {
	head unix.Msghdr
	size uint32
}

func newDatagrams(c *net.UDPConn) (*datagrams, error) {
	conn, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &datagrams{conn: conn, zones: map[uint32]string{}}
	for i := range d.all {
		d.parts[i].Base = &make([]byte, maxMessage)[0]
		d.parts[i].SetLen(maxMessage)
		head := &d.all[i].head
		head.Name, head.Iov, head.Control = (*byte)(unsafe.Pointer(&d.from[i])), &d.parts[i], &d.control[i][0]
		head.SetIovlen(1)
	}
	return d, nil
}

// each gives one datagram after the other until there is an error. at is when the kernel had it; zero: it has not said.
func (d *datagrams) each(handle func(data []byte, from netip.AddrPort, at time.Time)) error {
	var n int
	var errno unix.Errno
	take := func(fd uintptr) (done bool) {
		n, errno = d.receive(fd)
		return errno != unix.EAGAIN
	}
	for {
		if err := d.conn.Read(take); err != nil {
			return err
		}
		if errno != 0 {
			return os.NewSyscallError("recvmmsg", errno)
		}
		for i := range n {
			data := unsafe.Slice(d.parts[i].Base, d.all[i].size)
			handle(data, d.source(&d.from[i]), arrived(d.control[i][:d.all[i].head.Controllen]))
		}
	}
}

// receive takes what there is now.
func (d *datagrams) receive(fd uintptr) (n int, errno unix.Errno) {
	for i := range d.all {
		d.all[i].head.Namelen = unix.SizeofSockaddrInet6
		d.all[i].head.SetControllen(len(d.control[i]))
	}
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&d.all[0])), mostAtOnce,
			unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(got), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// source is an address as the kernel has written it.
func (d *datagrams) source(raw *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:])
	if raw.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	addr := netip.AddrFrom16(raw.Addr).Unmap()
	if raw.Scope_id != 0 && addr.Is6() {
		addr = addr.WithZone(d.zone(raw.Scope_id))
	}
	return netip.AddrPortFrom(addr, port)
}

// zone is the name of an interface, or its number where it has gone.
func (d *datagrams) zone(index uint32) string {
	if name, known := d.zones[index]; known {
		return name
	}
	name := strconv.FormatUint(uint64(index), 10)
	if link, err := net.InterfaceByIndex(int(index)); err == nil {
		name = link.Name
	}
	d.zones[index] = name
	return name
}
