//go:build unix

package ua

import (
	"cmp"
	"net"
	"syscall"
)

// peekConn waits for what has come by a connection and leaves it there. n is 0 at its end.
func peekConn(c *net.TCPConn, b []byte) (n int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		n, fault = look(fd, b)
		return fault != syscall.EAGAIN
	})
	return max(n, 0), cmp.Or(err, fault)
}

// peekNow gives what has come already.
func peekNow(c *net.TCPConn, b []byte) (n int) {
	raw, err := c.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { n, _ = look(fd, b) })
	}
	if err != nil {
		return 0
	}
	return max(n, 0)
}

func look(fd uintptr, b []byte) (n int, err error) {
	for {
		if n, _, err = syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK); err != syscall.EINTR {
			return n, err
		}
	}
}

// consume takes out of the socket what was peeked at, whatever the deadline is by now. b is overwritten.
func consume(c *net.TCPConn, b []byte) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for len(b) > 0 {
			n, err := syscall.Read(int(fd), b)
			if n <= 0 && err != syscall.EINTR {
				return
			}
			b = b[max(n, 0):]
		}
	})
}
