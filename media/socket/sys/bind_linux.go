package sys

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Bind opens a socket that never blocks and is bound to an address; port 0: the kernel chooses one.
func Bind(local netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err = bind(fd, local); err != nil {
		_ = unix.Close(fd)
		return 0, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

func bind(fd int, local netip.AddrPort) error {
	if local.Addr().Is4() {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(local.Port()), Addr: local.Addr().As4()})
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
		return err
	}
	to := &unix.SockaddrInet6{Port: int(local.Port()), Addr: local.Addr().As16()}
	if zone := local.Addr().Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return err
		}
		to.ZoneId = uint32(link.Index)
	}
	return unix.Bind(fd, to)
}

// BoundPort is the port that the kernel chose.
func BoundPort(fd int) uint16 {
	switch at, _ := unix.Getsockname(fd); at := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(at.Port)
	case *unix.SockaddrInet6:
		return uint16(at.Port)
	}
	return 0
}
