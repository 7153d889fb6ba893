package srtp

import (
	"encoding/binary"
	"fmt"
)

// Progress is how far one source has come under a key, for another process to go on with it.
type Progress struct {
	Key   Key
	SSRC  uint32
	Begun bool   // false: no packet was sealed, or opened
	Index uint64 // of the newest packet: RFC 3711 §3.3.1, roll-over counter and sequence number
	RTCP  uint32 // index of the newest report that was sealed: RFC 3711 §3.4
}

// Progress of the one stream that is sealed.
func (s *Sender) Progress(ssrc uint32) Progress {
	roc, _ := s.context.ROC(ssrc)
	reports, _ := s.context.Index(ssrc)
	return Progress{Key: s.key, SSRC: ssrc, Begun: s.begun, Index: uint64(roc)<<16 | uint64(s.highest), RTCP: reports}
}

// ResumeSender goes on behind a Progress: the next packet has to have a higher index. RFC 3711 §9.1: no index is used
// twice under a key, so whoever resumes reserves what may have been sent since.
func ResumeSender(p Progress) (*Sender, error) {
	s, err := NewSender(p.Key)
	if err != nil {
		return nil, err
	}
	s.context.SetIndex(p.SSRC, p.RTCP)
	if p.Begun {
		s.context.SetROC(p.SSRC, uint32(p.Index>>16))
		s.begun, s.pausing, s.highest = true, true, uint16(p.Index)
	}
	return s, nil
}

// Progress of a source that is heard. While nothing has come since another process has heard one it is that one's.
func (r *Receiver) Progress(ssrc uint32, seq uint16) Progress {
	roc, begun := r.context.ROC(ssrc)
	if !begun && r.resumed != nil {
		p := *r.resumed
		p.Key = r.key
		return p
	}
	return Progress{Key: r.key, SSRC: ssrc, Begun: begun, Index: uint64(roc)<<16 | uint64(seq)}
}

// ResumeReceiver goes on behind a Progress. What was heard before it is refused, as a copy is.
func ResumeReceiver(p Progress) (*Receiver, error) {
	r, err := NewReceiver(p.Key)
	if err == nil && p.Begun {
		r.resumed = &p
	}
	return r, err
}

// resuming opens the first packet of a source that another process has heard: its roll-over counter is guessed from
// there, RFC 3711 §3.3.1. Any other source begins as ever.
func (r *Receiver) resuming(packet []byte) ([]byte, error) {
	ssrc, seq := binary.BigEndian.Uint32(packet[8:]), binary.BigEndian.Uint16(packet[2:])
	if ssrc != r.resumed.SSRC {
		return refusal(r.open(r.context, packet))
	}
	ahead := int16(seq - uint16(r.resumed.Index))
	if ahead <= 0 {
		return nil, ErrRefused
	}
	c, err := r.key.context()
	if err != nil {
		return nil, err
	}
	c.SetROC(ssrc, uint32((r.resumed.Index+uint64(ahead))>>16))
	plain, err := r.open(c, packet)
	if err == nil {
		r.context, r.sources, r.resumed = c, r.sources+1, nil
	}
	return refusal(plain, err)
}

func refusal(plain []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return plain, nil
}
