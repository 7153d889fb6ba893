package ua

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
)

// stampArrivals has the kernel say of each datagram when it came: socket(7), SO_TIMESTAMPNS.
func stampArrivals(c *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // without it a message came when it is read
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	})
}

// arrived is the time of a datagram by the wall clock; zero: the kernel has not said it. On the processors that we are
// built for a cmsghdr is 16 bytes on 64 bits and 12 on 32, and a timespec is two words (cmsg(3)).
func arrived(control []byte) time.Time {
	const word = 4 << (^uintptr(0) >> 63) // bytes
	const head = word + 8
	if len(control) < head+2*word {
		return time.Time{}
	}
	number := func(at int) int64 {
		if word == 8 {
			return int64(binary.NativeEndian.Uint64(control[at:]))
		}
		return int64(int32(binary.NativeEndian.Uint32(control[at:])))
	}
	level := binary.NativeEndian.Uint32(control[word:])
	kind := binary.NativeEndian.Uint32(control[word+4:])
	if level != syscall.SOL_SOCKET || kind != syscall.SO_TIMESTAMPNS {
		return time.Time{}
	}
	return time.Unix(number(head), number(head+word))
}
