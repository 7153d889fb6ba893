package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// lo is the number of the interface lo in each network.
const lo = 1

// route is the interface by which packets from one address of this machine to another address leave; 0: they stay.
// rtnetlink(7).
func route(from, to netip.Addr) (int, error) {
	answer, err := ask(unix.NETLINK_ROUTE, routeQuestion(from, to))
	if err != nil {
		return 0, fmt.Errorf("kernel: route: %w", err)
	}
	out, err := routeAnswer(answer)
	if err != nil {
		return 0, fmt.Errorf("kernel: no route from %v to %v that the kernel can relay by: %w", from, to, err)
	}
	return out, nil
}

// ask gives the one message that answers a question to the kernel.
func ask(family int, question []byte) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, family)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, question, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT) // the kernel has answered within Sendto
	return answer[:max(n, 0)], err
}

// Of linux/xfrm.h.
const (
	getPolicies  = 0x25 // XFRM_MSG_GETSPDINFO
	policyCounts = 1    // XFRMA_SPD_INFO, a struct xfrmu_spdinfo: incnt, outcnt …
	policyGroup  = 4    // XFRMNLGRP_POLICY
)

// seals says that IPsec has a policy for what comes in or leaves, which a flow would go around.
func seals() (bool, error) {
	order := binary.NativeEndian
	var q []byte
	q = order.AppendUint32(q, unix.SizeofNlMsghdr+4)
	q = order.AppendUint16(q, getPolicies)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8+4)...)
	m, err := ask(unix.NETLINK_XFRM, q)
	if err == unix.EPROTONOSUPPORT {
		return false, nil // a kernel without IPsec
	}
	if err != nil {
		return false, fmt.Errorf("kernel: policies of IPsec: %w", err)
	}
	const head = unix.SizeofNlMsghdr + 4
	if len(m) < head+unix.SizeofRtAttr+8 || order.Uint16(m[head+2:]) != policyCounts {
		return false, fmt.Errorf("kernel: policies of IPsec: %w", unix.EBADMSG)
	}
	in, out := order.Uint32(m[head+unix.SizeofRtAttr:]), order.Uint32(m[head+unix.SizeofRtAttr+4:])
	return in > 0 || out > 0, nil
}

func routeQuestion(from, to netip.Addr) []byte {
	order := binary.NativeEndian
	family, size := byte(unix.AF_INET6), to.BitLen()/8
	if to.Is4() {
		family = unix.AF_INET
	}
	var q []byte
	q = order.AppendUint32(q, uint32(unix.SizeofNlMsghdr+unix.SizeofRtMsg+2*(unix.SizeofRtAttr+size)))
	q = order.AppendUint16(q, unix.RTM_GETROUTE)
	q = order.AppendUint16(q, unix.NLM_F_REQUEST)
	q = append(q, make([]byte, 8)...)
	q = append(q, family, byte(8*size), byte(8*size), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for kind, addr := range map[uint16]netip.Addr{unix.RTA_DST: to, unix.RTA_SRC: from} {
		q = order.AppendUint16(q, uint16(unix.SizeofRtAttr+size))
		q = order.AppendUint16(q, kind)
		q = append(q, addr.AsSlice()...)
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

// watch is sockets that hear of each change of links, routes, rules, and policies of IPsec. An address that comes or
// goes has a route of its own, in the table local; one whose lifetime is renewed changes nothing.
func watch() (fds []int, err error) {
	for family, groups := range map[int]uint32{
		unix.NETLINK_ROUTE: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV4_RULE | unix.RTMGRP_IPV6_ROUTE |
			1<<(unix.RTNLGRP_IPV6_RULE-1),
		unix.NETLINK_XFRM: 1 << (policyGroup - 1),
	} {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, family)
		if err == unix.EPROTONOSUPPORT {
			continue // a kernel without IPsec
		}
		if err == nil {
			fds = append(fds, fd)
			err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
		}
		if err != nil {
			return fds, fmt.Errorf("kernel: changes of routes: %w", err)
		}
	}
	return fds, nil
}

// Routes is another number after each change of this machine's routes, or of what of them is sealed: flows still leave
// by the interface that they were put by, and are lost where that is wrong. It never waits.
func (r *Relay) Routes() uint32 {
	for _, fd := range r.changes {
		for more := true; more; {
			var matters bool
			if more, matters = r.heard(fd); matters {
				r.routes.Add(1)
			}
		}
	}
	return r.routes.Load()
}

// heard takes a message, if there is one. An interface by which nothing of ours comes in or leaves does not matter: its
// routes have messages of their own.
func (r *Relay) heard(fd int) (more, matters bool) {
	var m [4096]byte
	n, _, err := unix.Recvfrom(fd, m[:], 0)
	if err == unix.ENOBUFS { // there were more than it has room for
		return true, true
	}
	if err != nil {
		return false, false
	}
	order := binary.NativeEndian
	const head = unix.SizeofNlMsghdr + 8 // up to ifi_index of struct ifinfomsg
	if kind := order.Uint16(m[4:]); n < head || kind != unix.RTM_NEWLINK && kind != unix.RTM_DELLINK {
		return true, true // no message of XFRMNLGRP_POLICY has one of these numbers
	}
	_, used := r.used.Load(int(order.Uint32(m[head-4:])))
	return true, used
}
