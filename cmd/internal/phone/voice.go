package phone

import "net/netip"

// Voice carries the sound of one call. Its methods are called by the phone's loop and must not block.
type Voice interface {
	Addr() netip.AddrPort // where RTP is heard: it goes into our SDP
	Connect(Talk)         // each time offer and answer are agreed
	Mute()                // our BYE is out: nothing is sent any more
	Close()               // the call is over; may come more than once
}

// Talk is what offer and answer agreed on.
type Talk struct {
	To, RTCP     netip.AddrPort
	Codec        Codec  // of what we send; the peer may use any that we offered
	Events       uint8  // payload type of the keys that we send, 0: the peer takes none
	OurEvents    uint8  // and of those that we hear
	Ours, Theirs string // keys of SRTP: of what we send, of what comes; "": none
	Sends        bool   // false: on hold, one way or the other
}

// newVoice is sound for a new call: the phone's own, or what Config.Voice gives.
func (p *Phone) newVoice() (Voice, error) {
	if p.cfg.Voice != nil {
		return p.cfg.Voice()
	}
	m, err := openMedia(p)
	if err != nil {
		return nil, err
	}
	return m, nil
}
