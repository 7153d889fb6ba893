package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// lo is the number of the interface lo in each network.
const lo = 1

// way is how packets leave.
type way struct {
	at   int        // interface; 0: they stay on this machine
	next netip.Addr // whom they are given to there: a gateway, or the party itself
}

// route is how packets from one address of this machine to another address leave. rtnetlink(7).
func route(from, to netip.Addr) (way, error) {
	answer, err := ask(unix.NETLINK_ROUTE, routeQuestion(from, to))
	if err != nil {
		return way{}, fmt.Errorf("kernel: route: %w", err)
	}
	out, err := routeAnswer(answer)
	if err != nil {
		return way{}, fmt.Errorf("kernel: no route from %v to %v that the kernel can relay by: %w", from, to, err)
	}
	if !out.next.IsValid() {
		out.next = to
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

func routeAnswer(m []byte) (out way, err error) {
	const head = unix.SizeofNlMsghdr + unix.SizeofRtMsg
	if err := refusal(m); err != nil {
		return way{}, err
	}
	if len(m) < head {
		return way{}, unix.EBADMSG
	}
	switch m[unix.SizeofNlMsghdr+7] { // rtm_type
	case unix.RTN_LOCAL:
		return way{}, nil
	case unix.RTN_UNICAST:
	default:
		return way{}, unix.EHOSTUNREACH
	}
	for kind, value := range attributes(m[head:]) {
		switch {
		case kind == unix.RTA_OIF && len(value) == 4:
			out.at = int(binary.NativeEndian.Uint32(value))
		case kind == unix.RTA_GATEWAY:
			out.next, _ = netip.AddrFromSlice(value)
		case kind == unix.RTA_VIA && len(value) > 2: // a gateway of the other family, behind which that is
			out.next, _ = netip.AddrFromSlice(value[2:])
		}
	}
	if out.at == 0 {
		return way{}, unix.EBADMSG
	}
	return out, nil
}

// refusal is the error that the kernel answers with, or nil.
func refusal(m []byte) error {
	if len(m) < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(m[4:]) != unix.NLMSG_ERROR {
		return nil
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(m[unix.SizeofNlMsghdr:])))
}

// attributes are the kinds and values of struct rtattr, one behind the other.
func attributes(m []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(m) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(m))
			if size < unix.SizeofRtAttr || size > len(m) ||
				!yield(binary.NativeEndian.Uint16(m[2:]), m[unix.SizeofRtAttr:size]) {
				return
			}
			m = m[min((size+3)&^3, len(m)):]
		}
	}
}

// listener is a socket that the kernel tells of changes.
type listener struct{ fd, family int }

// watch is sockets that hear of each change of links, routes, rules, and policies of IPsec, and of neighbours. An
// address that comes or goes has a route of its own, in the table local; one whose lifetime is renewed changes nothing.
func watch(neighbours bool) (all []listener, err error) {
	routes := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV4_RULE | unix.RTMGRP_IPV6_ROUTE |
		1<<(unix.RTNLGRP_IPV6_RULE-1) | 1<<(unix.RTNLGRP_NEXTHOP-1))
	if neighbours {
		routes |= unix.RTMGRP_NEIGH
	}
	for family, groups := range map[int]uint32{
		unix.NETLINK_ROUTE: routes,
		unix.NETLINK_XFRM:  1 << (policyGroup - 1),
	} {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, family)
		if err == unix.EPROTONOSUPPORT {
			continue // a kernel without IPsec
		}
		if err == nil {
			all = append(all, listener{fd, family})
			// Thousands of neighbours change within a moment when a switch of the network has come back.
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
			err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
		}
		if err != nil {
			return all, fmt.Errorf("kernel: changes of routes: %w", err)
		}
	}
	return all, nil
}

// Routes is another number after each change of this machine's routes, or of what of them is sealed: flows still leave
// by the interface that they were put by, and are lost where that is wrong. It never waits.
func (r *Relay) Routes() uint32 {
	if !r.hears.TryLock() {
		return r.routes.Load() // somebody else is at it
	}
	defer r.hears.Unlock()
	for _, l := range r.changes {
		for more := true; more; {
			var matters bool
			if more, matters = r.heard(l); matters {
				r.routes.Add(1)
			}
		}
	}
	if len(r.changes) > 0 {
		atomic.StoreUint64(r.state(watchSlot).double(slotAt), uint64(monotonic()))
	}
	return r.routes.Load()
}

// heard takes a message, if there is one. An interface by which nothing of ours comes in or leaves does not matter: its
// routes have messages of their own.
func (r *Relay) heard(l listener) (more, matters bool) {
	var m [4096]byte
	n, _, err := unix.Recvfrom(l.fd, m[:], 0)
	if err == unix.ENOBUFS { // there were more than it has room for
		return true, true
	}
	if err != nil {
		return false, false
	}
	if l.family != unix.NETLINK_ROUTE {
		return true, true
	}
	if of, at, ok := neighbourAnswer(m[:n]); ok {
		r.front.moved(of, at)
		return true, false
	}
	if refusal(m[:n]) != nil { // it knows no such neighbour
		return true, false
	}
	order := binary.NativeEndian
	const head = unix.SizeofNlMsghdr + 8 // up to ifi_index of struct ifinfomsg
	if kind := order.Uint16(m[4:]); n < head || kind != unix.RTM_NEWLINK && kind != unix.RTM_DELLINK {
		return true, true
	}
	_, used := r.used.Load(int(order.Uint32(m[head-4:])))
	return true, used
}
