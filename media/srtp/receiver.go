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
	key                Key
	context            *srtp.Context
	past               *srtp.Context // of the key before; nil once the key has opened something
	sources, reporters int           // under the newest key
	spare              []byte        // what came, while it may have to be tried again
	resumed            *Progress     // what another process had heard; nil once something has come
	rtp                rtp.Header
	rtcp               rtcp.Header
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
	r.key, r.context, r.sources, r.reporters = k, c, 0, 0
	return nil
}

// RTP opens a packet in place. With ErrRefused nothing is left of it.
func (r *Receiver) RTP(packet []byte) ([]byte, error) {
	if len(packet) < 12 {
		return nil, ErrRefused
	}
	r.keep(packet)
	if r.resumed != nil {
		return r.resuming(packet)
	}
	plain, err := r.open(r.context, packet)
	if err == nil {
		r.past = nil
		return plain, nil
	}
	if r.past == nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	copy(packet, r.spare)
	return r.changing(packet)
}

// keep has a copy of what is to be tried with two keys: AES-GCM wipes what it
// cannot open.
func (r *Receiver) keep(packet []byte) {
	if r.past != nil {
		r.spare = append(r.spare[:0], packet...)
	}
}

// changing opens a packet while nothing has come by the new key.
func (r *Receiver) changing(packet []byte) ([]byte, error) {
	if plain, err := r.open(r.past, packet); err == nil {
		return plain, nil
	}
	ssrc := binary.BigEndian.Uint32(packet[8:])
	roc, ok := r.past.ROC(ssrc)
	if !ok {
		return nil, ErrRefused
	}
	for _, guess := range [...]uint32{roc, roc + 1} { // the number may have wrapped meanwhile
		copy(packet, r.spare)
		if plain, err := r.goOn(packet, ssrc, guess); err == nil {
			return plain, nil
		}
	}
	return nil, ErrRefused
}

// goOn opens a packet by the new key with the roll-over counter of the old one.
func (r *Receiver) goOn(packet []byte, ssrc, roc uint32) ([]byte, error) {
	c, err := r.key.context()
	if err != nil {
		return nil, err
	}
	c.SetROC(ssrc, roc)
	plain, err := r.open(c, packet)
	if err == nil {
		r.context, r.past, r.sources = c, nil, 1
	}
	return plain, err
}

func (r *Receiver) open(c *srtp.Context, packet []byte) ([]byte, error) {
	_, known := c.ROC(binary.BigEndian.Uint32(packet[8:]))
	if !known && r.sources >= maxSources {
		return nil, ErrRefused // who has the key could fill the memory with sources
	}
	r.rtp = rtp.Header{}
	plain, err := c.DecryptRTP(packet, packet, &r.rtp)
	if err == nil && !known {
		r.sources++
	}
	return plain, err
}

// RTCP opens a compound in place.
func (r *Receiver) RTCP(compound []byte) ([]byte, error) {
	if len(compound) < 8 {
		return nil, ErrRefused
	}
	r.keep(compound)
	plain, err := r.openReport(r.context, compound)
	if err != nil && r.past != nil {
		copy(compound, r.spare)
		plain, err = r.openReport(r.past, compound)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return plain, nil
}

func (r *Receiver) openReport(c *srtp.Context, compound []byte) ([]byte, error) {
	_, known := c.Index(binary.BigEndian.Uint32(compound[4:]))
	if !known && r.reporters >= maxSources {
		return nil, ErrRefused
	}
	plain, err := c.DecryptRTCP(compound, compound, &r.rtcp)
	if err == nil && !known {
		r.reporters++
	}
	return plain, err
}
