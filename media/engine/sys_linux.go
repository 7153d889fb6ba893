package engine

import (
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the packet path, without what package unix does around them: its
// Recvfrom and Sendto allocate a Sockaddr for each packet. Those that cannot block are raw:
// the Go scheduler need not hear of them.

// sockaddr holds an address of either family, as the kernel reads and writes it.
type sockaddr struct {
	raw  unix.RawSockaddrInet6
	size uint32
}

// set writes an address and says how long it is.
func (a *sockaddr) set(to netip.AddrPort) {
	addr := to.Addr()
	if addr.Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
		*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port()), Addr: addr.As4()}
		a.size = unix.SizeofSockaddrInet4
		return
	}
	a.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(to.Port()), Addr: addr.As16()}
	a.size = unix.SizeofSockaddrInet6
}

// get is the address that a receive left.
func (a *sockaddr) get() netip.AddrPort {
	if a.raw.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), networkOrder(v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(a.raw.Addr).Unmap(), networkOrder(a.raw.Port))
}

// networkOrder swaps the bytes of a port where the machine's order is not the network's.
func networkOrder(port uint16) uint16 {
	b := [2]byte{byte(port >> 8), byte(port)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// receiveFrom takes one datagram; ok is false when there is none.
func receiveFrom(fd int, data []byte, from *sockaddr) (n int, ok bool) {
	from.size = unix.SizeofSockaddrInet6
	for {
		got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&from.size)))
		if errno != unix.EINTR {
			return int(got), errno == 0
		}
	}
}

// sendTo sends one datagram now or not at all.
func sendTo(fd int, data []byte, to *sockaddr) bool {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.size))
		if errno != unix.EINTR {
			return errno == 0
		}
	}
}

// message is the kernel's mmsghdr.
type message struct {
	head unix.Msghdr
	size uint32
}

// transfer is recvmmsg or sendmmsg: n messages were done before errno.
func transfer(call uintptr, fd int, messages []message) (n int, errno unix.Errno) {
	for {
		got, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(got), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// waitEvents waits for events of an epoll instance, to the nanosecond where the kernel has
// epoll_pwait2 (5.11) and lets us call it: seccomp filters that are older than the call refuse it.
// Without waiting it is a raw call.
func waitEvents(ep int, events []unix.EpollEvent, wait time.Duration) int {
	if wait <= 0 {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		return ready(n, errno)
	}
	limit := [2]int64{int64(wait / time.Second), int64(wait % time.Second)} // 64 bits on every machine
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 && errno != unix.EINTR {
		ms := (wait + time.Millisecond - 1) / time.Millisecond
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
	}
	return ready(n, errno)
}

func ready(n uintptr, errno unix.Errno) int {
	if errno != 0 {
		return 0 // a signal: the caller comes again
	}
	return int(n)
}

// nap sleeps on the thread itself: time.Sleep would hand it to the scheduler and back.
func nap(d time.Duration) {
	span := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&span)), 0, 0, 0)
}

// overruns counts the datagrams for which a socket had no room.
func overruns(fd int) uint64 {
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

// waited is how long the packet that was read last had been in its socket; 0 when that is not known.
func waited(fd int) time.Duration {
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

// mediaNice is the priority of the media threads where the process may raise it (CAP_SYS_NICE,
// or a limit): nobody hears that a web page came a millisecond later.
const mediaNice = -15

// preferThread raises the calling thread's priority, if allowed.
func preferThread() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), mediaNice) }

// openFiles is how many files and sockets this process may have open.
func openFiles() (limit uint64, known bool) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}
