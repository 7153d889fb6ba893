package engine

import (
	"net/netip"
	"testing"

	"liandong/media/socket"
)

// counting is a transport that counts what leaves.
type counting struct {
	socket.Transport
	queued, left int
}

func (c *counting) Queue(socket.ID, netip.AddrPort, []byte) { c.queued++ }

func (c *counting) Flush() (int, int) {
	c.left += c.queued
	c.queued = 0
	return c.left, 0
}

// Nothing leaves while another machine has the calls, and everything again afterwards; it is asked once a round.
func TestHushed(t *testing.T) {
	silent, asked := true, 0
	c := &counting{}
	h := &hushed{Transport: c, silent: func() bool { asked++; return silent }}
	for range 3 {
		h.Queue(0, netip.AddrPort{}, nil)
	}
	h.Flush()
	if c.left != 0 || asked != 1 {
		t.Errorf("%d left, asked %d times", c.left, asked)
	}
	silent = false
	for range 3 {
		h.Queue(0, netip.AddrPort{}, nil)
	}
	h.Flush()
	if c.left != 3 || asked != 2 {
		t.Errorf("%d left, asked %d times", c.left, asked)
	}
}
