package srtp

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Receiver opens what comes from one party. Owned by one goroutine.
//
// A new key takes the place of the old one with the first packet that it opens;
// until then what is still on its way by the old one is opened too. RFC 3711
// §3.3.1 has the roll-over counter go on through a change of the key; most phones
// begin anew at 0. Both are understood.
type Receiver struct {
	key     Key
	context *srtp.Context
	past    *srtp.Context // of the key before; nil once the key has opened something
	sources int
	spare   []byte // what came, while two keys have to be tried on it
	rtp     rtp.Header
	rtcp    rtcp.Header
}

// NewReceiver fails on a key that is none.
func NewReceiver(k Key) (*Receiver, error) {
	c, err := k.context()
	return &Receiver{key: k, context: c}, err
}

// Key is the newest.
func (r *Receiver) Key() Key { return r.key }

// Rekey takes another key; the same again changes nothing, and what was heard
// before stays known. On an error nothing is changed.
func (r *Receiver) Rekey(k Key) error {
	if k == r.key {
		return nil
	}
	c, err := k.context()
	if err != nil {
		return err
	}
	if r.past == nil { // else the key in between was never used
		r.past = r.context
	}
	r.key, r.context, r.sources = k, c, 0
	return nil
}

// RTP opens a packet in place. With ErrRefused nothing is left of it.
func (r *Receiver) RTP(packet []byte) ([]byte, error) {
	if len(packet) < 12 {
		return nil, ErrRefused
	}
	ssrc := binary.BigEndian.Uint32(packet[8:])
	_, known := r.context.ROC(ssrc)
	if !known && r.sources >= maxSources {
		return nil, ErrRefused // who has the key could fill the memory with sources
	}
	r.keep(packet)
	plain, err := r.open(r.context, packet)
	if err == nil {
		r.past = nil
		if !known {
			r.sources++
		}
		return plain, nil
	}
	if r.past == nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	copy(packet, r.spare)
	return r.changing(ssrc, packet)
}

// keep has a copy of what is to be tried with two keys: AES-GCM wipes what it
// cannot open.
func (r *Receiver) keep(packet []byte) {
	if r.past != nil {
		r.spare = append(r.spare[:0], packet...)
	}
}

// changing opens a packet while nothing has come by the new key.
func (r *Receiver) changing(ssrc uint32, packet []byte) ([]byte, error) {
	if plain, err := r.open(r.past, packet); err == nil {
		return plain, nil
	}
	copy(packet, r.spare)
	roc, ok := r.past.ROC(ssrc)
	if !ok || roc == 0 {
		return nil, ErrRefused
	}
	c, err := r.key.context()
	if err != nil {
		return nil, ErrRefused
	}
	c.SetROC(ssrc, roc)
	plain, err := r.open(c, packet)
	if err != nil {
		return nil, ErrRefused
	}
	r.context, r.past, r.sources = c, nil, 1
	return plain, nil
}

func (r *Receiver) open(c *srtp.Context, packet []byte) ([]byte, error) {
	r.rtp = rtp.Header{}
	return c.DecryptRTP(packet, packet, &r.rtp)
}

// RTCP opens a compound in place.
func (r *Receiver) RTCP(compound []byte) ([]byte, error) {
	r.keep(compound)
	plain, err := r.context.DecryptRTCP(compound, compound, &r.rtcp)
	if err != nil && r.past != nil {
		copy(compound, r.spare)
		plain, err = r.past.DecryptRTCP(compound, compound, &r.rtcp)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return plain, nil
}
