package srtp

import (
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sender seals what one party gets. Owned by one goroutine.
type Sender struct {
	key     Key
	context *srtp.Context
	rtp     rtp.Header
	rtcp    rtcp.Header
}

// NewSender fails on a key that is none.
func NewSender(k Key) (*Sender, error) {
	c, err := k.context()
	return &Sender{key: k, context: c}, err
}

// Key is what it seals with. RFC 3711 §9.1: as long as it stays, so has the
// Sender to stay, for a second one would use the same key stream again.
func (s *Sender) Key() Key { return s.key }

// RTP seals a packet in place; behind it there has to be room for Overhead
// bytes, or it is copied.
func (s *Sender) RTP(packet []byte) ([]byte, error) {
	s.rtp = rtp.Header{}
	return s.context.EncryptRTP(packet, packet, &s.rtp)
}

// RTCP seals a compound likewise.
func (s *Sender) RTCP(compound []byte) ([]byte, error) {
	return s.context.EncryptRTCP(compound, compound, &s.rtcp)
}
