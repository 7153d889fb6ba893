// Package dtmf reads and writes key presses as they travel in RTP: telephone
// events of RFC 4733, in the place of the tone that would sound, and reads them
// from the tones themselves where there are no events.
//
// A Receiver makes out of a leg's event packets the keys that were pressed,
// each once. A Sender makes out of keys the packets to send. A Detector finds
// the keys in sound. All are owned by whoever owns the leg, keep no time of
// their own and allocate nothing.
//
// Events share the clock of the sound that they stand in for (RFC 4733
// §2.5.1.2), so both are told its rate: 8000 Hz, or 48000 beside Opus. A key that comes by one
// clock is sent on by another by pushing it into a Receiver of the first and
// queueing it in a Sender of the second.
package dtmf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// DefaultClock is the RTP clock, in Hz, where no other is named.
const DefaultClock = 8000

// Keys are the keys in the order of their event codes, 0 to 15 (RFC 4733
// §3.2), and the hook flash, 16 (RFC 2833 §3.10, which phones still send).
const Keys = "0123456789*#ABCD!"

var (
	ErrShort = errors.New("dtmf: payload too short")
	ErrEvent = errors.New("dtmf: not a key")
)

const (
	eventBytes = 4
	maxVolume  = 63
)

// Event is the content of one packet: RFC 4733 §2.3.
type Event struct {
	Digit    byte   // one of Keys
	End      bool   // the key is up again
	Volume   uint8  // of the tone, in -dBm0: 0 to 63
	Duration uint16 // so far, in ticks of the RTP clock: RFC 4733 §2.3.5
}

// Parse reads a payload. Bytes past the first event are left alone: only
// events without a pause between them share a packet (RFC 4733 §2.5.1.5), and keys have one.
func Parse(payload []byte) (Event, error) {
	if len(payload) < eventBytes {
		return Event{}, fmt.Errorf("%w: %d bytes", ErrShort, len(payload))
	}
	code := int(payload[0])
	if code >= len(Keys) {
		return Event{}, fmt.Errorf("%w: event %d", ErrEvent, code)
	}
	return Event{
		Digit:    Keys[code],
		End:      payload[1]&0x80 != 0,
		Volume:   payload[1] & maxVolume,
		Duration: binary.BigEndian.Uint16(payload[2:]),
	}, nil
}

// Append adds e to dst as a payload; dst comes back unchanged when the digit is no key.
func Append(dst []byte, e Event) []byte {
	code := strings.IndexByte(Keys, e.Digit)
	if code < 0 {
		return dst
	}
	flags := min(e.Volume, maxVolume)
	if e.End {
		flags |= 0x80
	}
	return binary.BigEndian.AppendUint16(append(dst, byte(code), flags), e.Duration)
}
