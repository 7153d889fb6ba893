package engine

import (
	"errors"
	"slices"

	"liandong/media/srtp"
)

// errHalf: sound that is protected one way only. errKeys: more keys of ours than there are suites.
var (
	errHalf = errors.New("engine: a key for one direction only")
	errKeys = errors.New("engine: too many keys in one call")
)

// protection is a leg's SRTP. What it began with a key it keeps as long as the
// leg lives, also through a time in the open, so that no part of a key stream is
// ever used twice. Owned by the leg.
type protection struct {
	on       bool
	sender   *srtp.Sender
	earlier  []*srtp.Sender // of the keys before
	receiver *srtp.Receiver
}

// maxEarlier is more than the suites that there are, each of which has one key of ours.
const maxEarlier = 8

// protect takes the keys of a Stream. On an error nothing is changed.
func (p *protection) protect(c Stream) error {
	if c.Seal.IsZero() != c.Open.IsZero() {
		return errHalf
	}
	if c.Seal.IsZero() {
		p.pause()
		return nil
	}
	sender, err := p.senderOf(c.Seal)
	if err != nil {
		return err
	}
	if p.receiver == nil {
		p.receiver, err = srtp.NewReceiver(c.Open)
	} else {
		err = p.receiver.Rekey(c.Open)
	}
	if err != nil {
		return err
	}
	if sender != p.sender {
		p.change(sender)
	}
	p.on = true
	return nil
}

// senderOf is the one that has begun with a key, or a new one.
func (p *protection) senderOf(k srtp.Key) (*srtp.Sender, error) {
	if p.sender != nil && p.sender.Key() == k {
		return p.sender, nil
	}
	for _, s := range p.earlier {
		if s.Key() == k {
			return s, nil
		}
	}
	if len(p.earlier) == maxEarlier {
		return nil, errKeys
	}
	return srtp.NewSender(k)
}

// change seals by another sender from now on.
func (p *protection) change(next *srtp.Sender) {
	p.pause()
	p.earlier = slices.DeleteFunc(p.earlier, func(s *srtp.Sender) bool { return s == next })
	if p.sender != nil {
		p.earlier = append(p.earlier, p.sender)
	}
	p.sender = next
}

func (p *protection) pause() {
	if p.sender != nil {
		p.sender.Pause()
	}
	p.on = false
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
