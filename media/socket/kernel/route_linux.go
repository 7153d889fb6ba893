package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// route is the interface by which packets from one address of this machine to another address leave; 0: they stay.
// rtnetlink(7).
func route(from, to netip.Addr) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, fmt.Errorf("kernel: route: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, routeQuestion(from, to), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("kernel: route: %w", err)
	}
	var answer [4096]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0) // the kernel has answered within Sendto
	if err != nil {
		return 0, fmt.Errorf("kernel: route: %w", err)
	}
	out, err := routeAnswer(answer[:n])
	if err != nil {
		return 0, fmt.Errorf("kernel: no route from %v to %v that the kernel can relay by: %w", from, to, err)
	}
	return out, nil
}

func routeQuestion(from, to netip.Addr) []byte {
	order := binary.NativeEndian
	var q []byte
	q = order.AppendUint32(q, unix.SizeofNlMsghdr+unix.SizeofRtMsg+2*(unix.SizeofRtAttr+4))
	q = order.AppendUint16(q, unix.RTM_GETROUTE)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...)
	q = append(q, unix.AF_INET, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, a := range []struct {
		kind uint16
		addr [4]byte
	}{{unix.RTA_DST, to.As4()}, {unix.RTA_SRC, from.As4()}} {
		q = order.AppendUint16(q, unix.SizeofRtAttr+4)
		q = order.AppendUint16(q, a.kind)
		q = append(q, a.addr[:]...)
	}
	return q
}

func routeAnswer(m []byte) (int, error) {
	order := binary.NativeEndian
	const head = unix.SizeofNlMsghdr + unix.SizeofRtMsg
	if len(m) >= unix.SizeofNlMsghdr+4 && order.Uint16(m[4:]) == unix.NLMSG_ERROR {
		return 0, unix.Errno(-int32(order.Uint32(m[unix.SizeofNlMsghdr:])))
	}
	if len(m) < head {
		return 0, unix.EBADMSG
	}
	switch m[unix.SizeofNlMsghdr+7] { // rtm_type
	case unix.RTN_LOCAL:
		return 0, nil
	case unix.RTN_UNICAST:
	default:
		return 0, unix.EHOSTUNREACH
	}
	for m = m[head:]; len(m) >= unix.SizeofRtAttr+4; {
		size := int(order.Uint16(m))
		if order.Uint16(m[2:]) == unix.RTA_OIF {
			return int(order.Uint32(m[unix.SizeofRtAttr:])), nil
		}
		if size = (size + 3) &^ 3; size < unix.SizeofRtAttr || size > len(m) {
			break
		}
		m = m[size:]
	}
	return 0, unix.EBADMSG
}

// watch is a socket that hears of each change of links, addresses, routes and rules.
func watch() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return -1, fmt.Errorf("kernel: changes of routes: %w", err)
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV4_RULE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("kernel: changes of routes: %w", err)
	}
	return fd, nil
}

// Routes is another number after each change of this machine's routes: flows still leave by the interface that they
// were put by, and are lost where that is wrong. It never waits.
func (r *Relay) Routes() uint32 {
	var m [4096]byte
	for {
		// ENOBUFS: there were more than it has room for.
		_, _, err := unix.Recvfrom(r.changes, m[:], 0)
		if err != nil && err != unix.ENOBUFS {
			return r.routes.Load()
		}
		r.routes.Add(1)
	}
}
