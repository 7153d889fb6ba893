//go:build !unix

package ua

import "net"

// peekConn is a read: no keeper hands a connection on here.
func peekConn(c *net.TCPConn, b []byte) (n int, err error) { return c.Read(b) }

func peekNow(*net.TCPConn, []byte) int { return 0 }

func consume(*net.TCPConn, []byte) {}
