// Package sdp agrees with a party on the sound of a call: where it goes, in
// which codec, and in which direction (offer/answer, RFC 3264). It is pure.
// One audio stream is used; any other stream that is offered is declined by
// port 0, so that the number of m= lines stays as RFC 3264 §6 wants it.
package sdp

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"liandong/media/codec"
)

// Errors. ErrNoCodec is what 488 is for.
var (
	ErrSyntax  = errors.New("sdp: cannot be read")
	ErrNoCodec = errors.New("sdp: no audio stream that can be agreed on")
)

// Direction is who sends, as seen from us.
type Direction uint8

// The directions (RFC 3264 §5.1). The zero value is the ordinary one.
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

var words = []string{"sendrecv", "sendonly", "recvonly", "inactive"}

func (d Direction) String() string {
	if int(d) < len(words) {
		return words[d]
	}
	return "unknown"
}

// Sends and Receives say what the direction lets us do.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives says whether sound comes to us.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}

// Local is our side of one leg. The leg owns SessionID for its life and raises
// Version by one for each change (RFC 3264 §8).
type Local struct {
	Addr       netip.AddrPort   `cbor:",omitzero"` // where we receive
	SessionID  uint64           `cbor:",omitzero"` // below 2^62
	Version    uint64           `cbor:",omitzero"`
	Codecs     []codec.ID       `cbor:",omitzero"` // in our order of preference
	Insists    bool             `cbor:",omitzero"` // an answer goes by that order, too, and not by the offer's
	DTMF       uint8            `cbor:",omitzero"` // our payload type of telephone-event; 0: none
	Ptime      time.Duration    `cbor:",omitzero"`
	Direction  Direction        `cbor:",omitzero"` // the most we want
	Protection Protection       `cbor:",omitzero"` // whether it is to be SRTP
	Profile    Profile          `cbor:",omitzero"` // of an offer: Secure and BestEffort need Keys
	Keys       []Crypto         `cbor:",omitzero"` // ours, of NewKeys; nil: no SRTP can be agreed on
	Streams    []string         `cbor:",omitzero"` // of what was agreed before, see After
	Types      map[string]uint8 `cbor:",omitzero"` // the same: payload type by encoding, "opus/48000/2"
}

// After is our side for the next offer or answer once s was agreed on. RFC 3264
// §8: the m= lines of a later offer keep their number and places; §8.3.2: a
// payload type keeps its meaning.
func (l Local) After(s Session) Local {
	l.Streams = s.Streams
	var room [usualTypes]format
	agreed := types(room[:0])
	for _, pt := range inOrder(s.Recv) {
		agreed.keep(encoding(s.Recv[pt]), pt)
	}
	for _, pt := range inOrder(s.DTMFRecv) {
		agreed.keep(eventEncoding(s.DTMFRecv[pt]), pt)
	}
	for name, pt := range l.Types {
		agreed.keep(name, pt)
	}
	l.Types = agreed.mapped(l.Types)
	return l
}

// inOrder are the payload types of a map.
func inOrder[V any](of map[uint8]V) []uint8 {
	all := make([]uint8, 0, len(of))
	for pt := range of {
		all = append(all, pt)
	}
	slices.Sort(all)
	return all
}

// Session is what was agreed on.
type Session struct {
	// where the party receives; zero while it named no address (c=0.0.0.0)
	Remote     netip.AddrPort     `cbor:",omitzero"`
	RemoteRTCP netip.AddrPort     `cbor:",omitzero"`
	RTCPMux    bool               `cbor:",omitzero"`
	Codec      codec.ID           `cbor:",omitzero"` // what we send
	PT         uint8              `cbor:",omitzero"` // its payload type
	Recv       map[uint8]codec.ID `cbor:",omitzero"` // what may come
	Wideband   bool               `cbor:",omitzero"` // the party has named a codec of wideband that is ours as well
	// payload type of telephone-event towards the party, of Codec's clock; 0: none
	DTMFSend  uint8         `cbor:",omitzero"`
	DTMFRecv  map[uint8]int `cbor:",omitzero"` // by which telephone-event may come, and its clock in Hz
	Ptime     time.Duration `cbor:",omitzero"` // of what we send, 10 to 60 ms; 0: the party has no wish
	Direction Direction     `cbor:",omitzero"`
	// SRTP: what we send is sealed by ours, what comes by theirs; zero: none
	Seal Crypto `cbor:",omitzero"`
	Open Crypto `cbor:",omitzero"`
	// nil for one stream; else its m= line for each declined one, "" for ours
	Streams []string `cbor:",omitzero"`
}
