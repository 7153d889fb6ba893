// Package sdp agrees with a party on the sound of a call: where it goes, in
// which codec, and in which direction (offer/answer, RFC 3264). It is pure.
// One audio stream is used; any other stream that is offered is declined by
// port 0, so that the number of m= lines stays as RFC 3264 §6 wants it.
package sdp

import (
	"errors"
	"maps"
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
	Addr       netip.AddrPort // where we receive
	SessionID  uint64         // below 2^62
	Version    uint64
	Codecs     []codec.ID // in our order of preference
	DTMF       uint8      // our payload type of telephone-event; 0: none
	Ptime      time.Duration
	Direction  Direction        // the most we want
	Protection Protection       // whether it is to be SRTP
	Profile    Profile          // of an offer: Secure and BestEffort need Keys
	Keys       []Crypto         // ours, of NewKeys; nil: no SRTP can be agreed on
	Streams    []string         // of what was agreed before, see After
	Types      map[string]uint8 // the same: payload type by encoding, "opus/48000/2"
}

// After is our side for the next offer or answer once s was agreed on. RFC 3264
// §8: the m= lines of a later offer keep their number and places; §8.3.2: a
// payload type keeps its meaning.
func (l Local) After(s Session) Local {
	l.Streams = s.Streams
	types := map[string]uint8{}
	for _, pt := range slices.Sorted(maps.Keys(s.Recv)) {
		keep(types, encoding(s.Recv[pt]), pt)
	}
	for _, pt := range slices.Sorted(maps.Keys(s.DTMFRecv)) {
		keep(types, eventEncoding(s.DTMFRecv[pt]), pt)
	}
	for name, pt := range l.Types {
		keep(types, name, pt)
	}
	l.Types = types
	return l
}

// keep notes a payload type, unless the format or the number is taken.
func keep(types map[string]uint8, name string, pt uint8) {
	if _, known := types[name]; !known && !taken(types, pt) {
		types[name] = pt
	}
}

// Session is what was agreed on.
type Session struct {
	Remote     netip.AddrPort // where the party receives; zero while it named no address (c=0.0.0.0)
	RemoteRTCP netip.AddrPort
	RTCPMux    bool
	Codec      codec.ID           // what we send
	PT         uint8              // its payload type
	Recv       map[uint8]codec.ID // what may come
	DTMFSend   uint8              // payload type of telephone-event towards the party, of Codec's clock; 0: none
	DTMFRecv   map[uint8]int      // by which telephone-event may come, and its clock in Hz
	Ptime      time.Duration      // of what we send, 10 to 60 ms; 0: the party has no wish
	Direction  Direction
	Seal, Open Crypto   // SRTP: what we send is sealed by ours, what comes by theirs; zero: none
	Streams    []string // nil for one stream; else its m= line for each declined one, "" for ours
}
