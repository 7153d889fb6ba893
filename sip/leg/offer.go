package leg

import (
	"bytes"
	"reflect"

	"liandong/sip/sdp"
)

// negotiation is our side of offer and answer (RFC 3264): one owner and a
// version that rises whenever what we say differs from what we said last.
type negotiation struct {
	Local   sdp.Local   `cbor:",omitzero"`
	Sent    []byte      `cbor:",omitzero"` // what we said last
	Session sdp.Session `cbor:",omitzero"`
	Known   bool        `cbor:",omitzero"` // session is the outcome so far
	Private bool        `cbor:",omitzero"` // the signalling is TLS, so that keys may be said in it
	Opened  bool        `cbor:",omitzero"` // the party has refused SRTP, and is offered none any more
}

func (n *negotiation) begin(local Local, rand func() uint64) {
	n.Local, n.Private = local.Media, local.Transport == "tls"
	if n.Local.Protection == sdp.Preferred || n.Local.Protection == sdp.Required && n.Private {
		n.Local.Keys = sdp.NewKeys(rand)
	}
	if n.Local.SessionID == 0 {
		n.Local.SessionID = rand()>>34 + 1 // some phones read 32 bits, signed
	}
	if n.Local.Version == 0 {
		n.Local.Version = 1
	}
}

// exposed: SRTP is required, and its keys could be read on their way. RFC 4568
// §8.3: the signalling has to be protected, as the keys are in it.
func (n *negotiation) exposed() bool { return n.Local.Protection == sdp.Required && !n.Private }

// profile is the form of our next offer. Where SRTP is preferred, and the keys
// are safe, the first INVITE offers RTP/SAVP, which all phones with SRTP know,
// and those without it refuse by 488; what cannot be offered twice is RTP/AVP
// with keys, which every phone can answer. Later offers have what was agreed.
func (n *negotiation) profile(first bool) sdp.Profile {
	switch {
	case n.Local.Protection == sdp.Required, n.Known && !n.Session.Seal.IsZero():
		return sdp.Secure
	case n.Local.Protection == sdp.Off, n.Known, n.Opened, !n.Private:
		return sdp.Plain
	case first:
		return sdp.Secure
	}
	return sdp.BestEffort
}

// offer is all that we can do, whatever was agreed before: who joins a call
// late may need another codec.
func (n *negotiation) offer(first bool) []byte {
	n.Local.Profile = n.profile(first)
	body := sdp.Offer(n.Local)
	if n.news(body) {
		body = sdp.Offer(n.Local)
	}
	n.Sent = body
	return body
}

func (n *negotiation) answer(offer []byte) ([]byte, sdp.Session, error) {
	body, s, err := sdp.Answer(n.Local, offer)
	if err != nil {
		return nil, s, err
	}
	if n.news(body) {
		if body, s, err = sdp.Answer(n.Local, offer); err != nil {
			return nil, s, err
		}
	}
	n.Sent = body
	return body, s, nil
}

// news raises the version when body is not what we said last. RFC 3264 §8: a
// new description with the old version "MUST be identical" to the old one.
func (n *negotiation) news(body []byte) bool {
	if n.Sent == nil || bytes.Equal(body, n.Sent) {
		return false
	}
	n.Local.Version++
	return true
}

func (n *negotiation) accept(answer []byte) (sdp.Session, error) {
	return sdp.Accept(n.Local, answer)
}

// keep notes an outcome and says whether it differs from the last one.
func (n *negotiation) keep(s sdp.Session) bool {
	if n.Known && reflect.DeepEqual(n.Session, s) {
		return false
	}
	n.Session, n.Known = s, true
	n.Local = n.Local.After(s)
	return true
}

// release drops what an ended leg has no use for.
func (n *negotiation) release() {
	n.Sent, n.Session, n.Known = nil, sdp.Session{}, false
}

// agreed notes and tells an outcome of offer and answer.
func (l *Leg) agreed(s sdp.Session, always bool) {
	if l.Media.keep(s) || always {
		l.tell(MediaChanged{Media: s, Addr: l.Media.Local.Addr})
	}
}

// takeAnswer completes an offer of ours.
func (l *Leg) takeAnswer(body []byte, always bool) error {
	s, err := l.Media.accept(body)
	if err == nil {
		l.agreed(s, always)
	}
	return err
}
