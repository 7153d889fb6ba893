package engine

import (
	"errors"

	"liandong/media/srtp"
)

// errHalf: sound that is protected one way only.
var errHalf = errors.New("engine: a key for one direction only")

// protection is a leg's SRTP. What it began with a key it keeps as long as the
// leg lives, also through a time in the open, so that no part of a key stream is
// ever used twice. Owned by the leg.
type protection struct {
	on       bool
	sender   *srtp.Sender
	receiver *srtp.Receiver
}

// protect takes the keys of a Stream. On an error nothing is changed.
func (p *protection) protect(c Stream) error {
	if c.Seal.IsZero() != c.Open.IsZero() {
		return errHalf
	}
	if c.Seal.IsZero() {
		p.on = false
		return nil
	}
	sender, err := p.sender, error(nil)
	if sender == nil || sender.Key() != c.Seal {
		if sender, err = srtp.NewSender(c.Seal); err != nil {
			return err
		}
	}
	if p.receiver == nil {
		p.receiver, err = srtp.NewReceiver(c.Open)
	} else {
		err = p.receiver.Rekey(c.Open)
	}
	if err != nil {
		return err
	}
	p.sender, p.on = sender, true
	return nil
}

// open gives what was sealed, and false for what was not by the party: a
// stranger, a copy, or the open. It is dropped before anything is made of it.
func (l *leg) open(data []byte, rtcp bool) ([]byte, bool) {
	if !l.protection.on {
		return data, true
	}
	var err error
	if rtcp {
		data, err = l.protection.receiver.RTCP(data)
	} else {
		data, err = l.protection.receiver.RTP(data)
	}
	if err != nil {
		l.shard.count.forged.Add(1)
		return nil, false
	}
	return data, true
}
