package engine

import (
	"net/netip"

	"liandong/media/socket"
)

// hushed is a transport by which nothing leaves while another machine carries the calls. It asks once for all that
// leaves together.
type hushed struct {
	socket.Transport
	silent func() bool

	asked, mute bool
}

func (h *hushed) Queue(s socket.ID, to netip.AddrPort, data []byte) {
	if !h.asked {
		h.asked, h.mute = true, h.silent()
	}
	if !h.mute {
		h.Transport.Queue(s, to, data)
	}
}

func (h *hushed) Flush() (sent, failed int) {
	h.asked = false
	return h.Transport.Flush()
}
