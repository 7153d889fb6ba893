package engine

import (
	"net/netip"
	"time"

	"liandong/media/codec"
	"liandong/media/dtmf"
	"liandong/media/srtp"
)

// LegID names a party; it is unique within a Session.
type LegID uint32

// Command is an order to the engine, posted with Session.Do.
type Command interface{ command() }

// Stream configures a leg after an offer and its answer, and again after each
// later one. SSRC, sequence number and timestamp go on without a jump. Another
// Remote than before re-opens the latch; an unspecified one (c=0.0.0.0) changes
// nothing of where the party is.
//
// The peer's a=ptime is a wish (RFC 4566 §6, RFC 3264 §6.1) that is fulfilled: what it
// gets has that packet time, and a relay whose source sends otherwise is made in the tick.
// What comes from the peer may have any packet time. A Codec of another RTP clock than
// before goes on in the same stream from the same timestamp on (RFC 7160 §3.2.1).
type Stream struct {
	Remote     netip.AddrPort
	Signaller  netip.Addr         // whence the leg's signalling comes: its sound may, too; zero: nothing is known
	RemoteRTCP netip.AddrPort     // zero: the port above the remote's RTP port
	Recv       map[uint8]codec.ID // payload types that may come; empty: Codec on PT
	DTMFRecv   map[uint8]int      // by which telephone-event may come, and its clock in Hz
	Timeout    time.Duration      // nothing received for so long: MediaLost; 0: the engine's MediaTimeout
	// what the peer prefers: the nearest 10 ms of 10 to 60; 0: no wish, so 20 ms, and relays as they come
	Ptime    time.Duration
	Leg      LegID
	Codec    codec.ID // what we send
	PT       uint8
	DTMFSend uint8 // telephone-event payload type towards the peer, of Codec's clock; 0: none
	Send     bool  // false: the peer is on hold, it gets no RTP
	Receive  bool  // false: what the peer sends is heard by nobody, its keys still count
	RTCPMux  bool  // RFC 5761: RTCP on the RTP port
	// SRTP: what we send is sealed by Seal, what comes has to open by Open; both zero: none. The same again goes on
	Seal, Open srtp.Key
	ToneKeys   bool // the peer's keys come as tones in its sound: for who has no telephone-event, and has keys
}

// Know takes a key for reported: the process before has.
type Know struct {
	Leg   LegID
	Press dtmf.Press
}

// Listen is the WHOLE of what a leg hears from now on: other legs, a playlist,
// or both mixed. A leg never hears itself, even when From names it.
//
// Hearing is not mutual unless it is told so. A supervisor who listens only is in
// nobody's From; one who whispers to a desk is in the From of the desk, and not in the
// caller's.
type Listen struct {
	Leg  LegID
	From []LegID
	Play Playlist
}

// Playlist is a row of prompts. The same ID sent again goes on undisturbed.
type Playlist struct {
	ID    uint32        // 0: nothing is played
	Items []string      // names in prompt.Library, in order
	Loop  bool          // the last item is repeated for ever
	Most  time.Duration // where the last item is reached by then at the latest: what comes before is cut; 0: it is not
}

// Digits sends keys to a leg as RFC 4733 events, or as tones when the leg has
// no telephone-event. They follow those still being sent.
type Digits struct {
	Leg    LegID
	Digits string
}

// Record gives all that a leg's party says to a Tap from now on, under a channel's
// number: each packet as it came, whether anybody hears it or not. A nil Tap ends it.
type Record struct {
	Leg     LegID
	Tap     Tap
	Channel int
}

// Sniff gives the headers of all RTP packets of the session to a Sniffer from now on, of legs to come as well. A nil
// Sniffer ends it; another process that goes on with the session has none.
type Sniff struct{ To Sniffer }

// Sniffer takes headers on the thread that carries the sound: it must not wait.
type Sniffer interface{ Sniff(Head) }

// Head is an RTP packet without what is said in it.
type Head struct {
	At            time.Time
	Leg           LegID
	Out           bool // towards the party
	Network       string
	Local, Remote netip.AddrPort
	RTP           [12]byte // RFC 3550 §5.1, without what may follow
	Size          int      // of the packet in bytes, without what SRTP adds
}

// Tap takes packets on the thread that carries the sound: it must not wait, and it
// must copy the payload that it keeps. ts is the RTP timestamp; now is when the packet came, which of one that the
// kernel has relayed is a while ago. One without a payload was lost on its way here.
type Tap interface {
	Put(channel int, id codec.ID, ts uint32, payload []byte, now time.Time)
	// Paused says that nothing is kept of what is said now: meanwhile the kernel does not relay it, nor copy it. May be
	// asked by anyone.
	Paused() bool
}

// Close ends a leg and frees its ports.
type Close struct {
	Leg   LegID
	About any // given back in LegClosed; means nothing to the engine
}

func (Stream) command() {}
func (Know) command()   {}
func (Listen) command() {}
func (Digits) command() {}
func (Record) command() {}
func (Sniff) command()  {}
func (Close) command()  {}
