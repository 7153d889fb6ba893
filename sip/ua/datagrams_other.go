//go:build !linux

package ua

import (
	"net"
	"net/netip"
	"time"
)

// datagrams takes what has come by a socket. Owned by the reader of the socket.
type datagrams struct {
	conn *net.UDPConn
	buf  [maxMessage]byte
}

func newDatagrams(c *net.UDPConn) (*datagrams, error) {
	return &datagrams{conn: c}, nil
}

// each gives one datagram after the other until there is an error.
func (d *datagrams) each(handle func(data []byte, from netip.AddrPort, at time.Time)) error {
	for {
		n, from, err := d.conn.ReadFromUDPAddrPort(d.buf[:])
		if err != nil {
			return err
		}
		handle(d.buf[:n], unmap(from), time.Time{})
	}
}
