package srtp

import (
	"encoding/binary"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Sender seals what one party gets. Owned by one goroutine.
type Sender struct {
	key     Key
	context *srtp.Context
	highest uint16 // sequence number
	begun   bool
	pausing bool // others have gone on with the numbers
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

// Pause tells that the stream goes on without the Sender for a while, in the
// open or by another key.
func (s *Sender) Pause() { s.pausing = s.begun }

// RTP seals a packet of the one stream that there is, in place; behind it there
// has to be room for Overhead bytes, or it is copied.
func (s *Sender) RTP(packet []byte) ([]byte, error) {
	if len(packet) < 12 {
		return nil, ErrRefused
	}
	seq := binary.BigEndian.Uint16(packet[2:])
	if s.pausing {
		s.resume(seq, binary.BigEndian.Uint32(packet[8:]))
	}
	if !s.begun || int16(seq-s.highest) > 0 {
		s.begun, s.highest = true, seq
	}
	s.rtp = rtp.Header{}
	return s.context.EncryptRTP(packet, packet, &s.rtp)
}

// resume counts the wrap that a pause may have had. RFC 3711 §3.3.1 guesses it
// from the packet before, and after half a cycle would guess one that has been.
func (s *Sender) resume(seq uint16, ssrc uint32) {
	roc, _ := s.context.ROC(ssrc)
	if seq <= s.highest {
		roc++
	}
	s.context.SetROC(ssrc, roc)
	s.pausing, s.highest = false, seq
}

// RTCP seals a compound likewise.
func (s *Sender) RTCP(compound []byte) ([]byte, error) {
	return s.context.EncryptRTCP(compound, compound, &s.rtcp)
}
