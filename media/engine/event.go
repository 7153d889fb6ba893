package engine

import (
	"liandong/media/dtmf"
)

// Event is a fact about a session, given to its sink.
type Event interface{ event() }

// DigitReceived: the leg's party pressed a key, reported once for each press.
type DigitReceived struct {
	Leg   LegID
	Digit byte       // one of 0-9 * # A-D, or ! for flash
	Tone  bool       // it came as a tone, not as an event
	Press dtmf.Press // by which another process knows it again, as LegState.Key; zero of a tone
}

// DigitReleased: the key that was reported last is up again. One follows each DigitReceived.
type DigitReleased struct {
	Leg LegID
}

// PlayDone: a playlist that does not loop has come to its end.
type PlayDone struct {
	Leg LegID
	ID  uint32
}

// MediaLost: a leg with Receive got nothing for the media timeout.
type MediaLost struct {
	Leg LegID
}

// MediaBack: a leg that was lost is heard again.
type MediaBack struct {
	Leg LegID
}

// Silent: there has been no sign of a leg's party for the silence timeout, neither sound nor a report, whether it
// is to send or not; once for each silence, which Alive ends.
type Silent struct {
	Leg LegID
}

// Alive: there is a sign again of a party that was Silent.
type Alive struct {
	Leg LegID
}

// Talking: a party that somebody hears has begun to talk, or ceased to; at most once a second.
// Who is muted is reported too. A party whose codec is not G.711 is only followed where it is mixed.
type Talking struct {
	Leg   LegID
	On    bool
	Level uint8 // in -dBov, smoothed: 0 is the loudest, 127 silence (RFC 6465 §4)
}

// QualityChanged: a leg has sounded poor (R under 60), or fair again (70 or more), in the last
// few seconds; at most once in 10 s.
type QualityChanged struct {
	Leg     LegID
	Poor    bool
	Quality Quality // of the last few seconds
}

// Measured is how a leg has sounded since it was measured last: each five seconds, while anything
// is known of it.
type Measured struct {
	Leg     LegID
	Quality Quality
}

// LegClosed is the last event of a leg, one for each that was opened; it comes also after the
// session's Close.
type LegClosed struct {
	Leg     LegID
	About   any     // as it was in Close
	Quality Quality // since the leg was opened
}

// delivered, when its turn comes, says that the sinks have had all that was before it.
type delivered chan struct{}

func (delivered) event()      {}
func (DigitReceived) event()  {}
func (DigitReleased) event()  {}
func (PlayDone) event()       {}
func (MediaLost) event()      {}
func (MediaBack) event()      {}
func (Silent) event()         {}
func (Alive) event()          {}
func (Talking) event()        {}
func (QualityChanged) event() {}
func (Measured) event()       {}
func (LegClosed) event()      {}
