package sys

import (
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockaddr holds an address of either family, as the kernel reads and writes it.
type Sockaddr struct {
	Raw  unix.RawSockaddrInet6
	size uint32
}

// Set writes an address and says how long it is.
func (a *Sockaddr) Set(to netip.AddrPort) {
	addr := to.Addr()
	if addr.Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.Raw))
		*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: NetworkOrder(to.Port()), Addr: addr.As4()}
		a.size = unix.SizeofSockaddrInet4
		return
	}
	a.Raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: NetworkOrder(to.Port()), Addr: addr.As16()}
	a.size = unix.SizeofSockaddrInet6
}

// Get is the address that a receive left.
func (a *Sockaddr) Get() netip.AddrPort {
	if a.Raw.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.Raw))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), NetworkOrder(v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a.Raw.Addr).Unmap(), NetworkOrder(a.Raw.Port))
}

// NetworkOrder swaps the bytes of a port where the machine's order is not the network's.
func NetworkOrder(port uint16) uint16 {
	b := [2]byte{byte(port >> 8), byte(port)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// ReceiveFrom takes one datagram; ok is false when there is none.
func ReceiveFrom(fd int, data []byte, from *Sockaddr) (n int, ok bool) {
	from.size = unix.SizeofSockaddrInet6
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(&from.Raw)), uintptr(unsafe.Pointer(&from.size)))
		if errno != unix.EINTR {
			return int(got), errno == 0
		}
	}
}

// SendTo sends one datagram now or not at all.
func SendTo(fd int, data []byte, to *Sockaddr) bool {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&data[0])),
			uintptr(len(data)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&to.Raw)), uintptr(to.size))
		if errno != unix.EINTR {
			return errno == 0
		}
	}
}

// Message is the kernel's mmsghdr.
type Message struct {
	Head unix.Msghdr
	Size uint32
}

// Transfer is recvmmsg or sendmmsg: n messages were done before errno.
func Transfer(call uintptr, fd int, messages []Message) (n int, errno unix.Errno) {
	for {
		got, _, errno := unix.RawSyscall6(call, uintptr(fd),
			uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(got), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// WaitEvents waits for events of an epoll instance, to the nanosecond where the kernel has
// epoll_pwait2 (5.11) and lets us call it: seccomp filters that are older than the call refuse it.
// Without waiting it is a raw call.
func WaitEvents(ep int, events []unix.EpollEvent, wait time.Duration) int {
	if wait <= 0 {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		return ready(n, errno)
	}
	limit := [2]int64{int64(wait / time.Second), int64(wait % time.Second)} // 64 bits on every machine
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 && errno != unix.EINTR {
		ms := (wait + time.Millisecond - 1) / time.Millisecond
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep),
			uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	}
	return ready(n, errno)
}

func ready(n uintptr, errno unix.Errno) int {
	if errno != 0 {
		return 0 // a signal: the caller comes again
	}
	return int(n)
}

// Nap sleeps on the thread itself: time.Sleep would hand it to the scheduler and back.
func Nap(d time.Duration) {
	span := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&span)), 0, 0, 0)
}

// Overruns counts the datagrams for which a socket had no room.
func Overruns(fd int) uint64 {
	var info [9]uint32 // SK_MEMINFO_VARS
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(info[unix.SK_MEMINFO_DROPS])
}

// longestWait is more than a packet lies in a socket that is looked at: beyond it the clock was set.
const longestWait = 10 * time.Second

// Waited is how long the packet that was read last had been in its socket; 0 when that is not known.
func Waited(fd int) time.Duration {
	var came unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGSTAMPNS, uintptr(unsafe.Pointer(&came)))
	if errno != 0 {
		return 0 // ENOENT: none has come since the first question
	}
	if d := time.Since(time.Unix(came.Unix())); d > 0 && d < longestWait {
		return d
	}
	return 0
}
