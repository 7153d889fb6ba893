// Package codec turns samples into the bytes of an RTP payload and back.
//
// G.711, A-law and µ-law, keeps no state between packets: a byte is a sample,
// and any cut of a stream may be coded by itself, so Encode, Decode and
// Transcode take an ID and nothing more. The others remember the sound before,
// and so have an Encoder and a Decoder for each stream and direction. Samples
// are 16-bit linear, mono, at ID.Rate. A packet may be of any length; nothing
// here takes it for 20 ms. No call allocates.
package codec

import "strings"

// ID is a codec. The zero ID is none.
type ID uint8

const (
	PCMA ID = iota + 1 // G.711 A-law
	PCMU               // G.711 µ-law
	G722               // G.722 at 64 kbit/s, 7 kHz of sound
	Opus               // RFC 6716, run at 16 kHz mono; only in a build with the tag opus
)

// info is what SDP says of a codec, RFC 3551 §6 table 4, and the rate of its samples.
type info struct {
	name        string
	payloadType uint8
	clockRate   int
	channels    int
	rate        int
}

var infos = [...]info{
	PCMA: {"PCMA", 8, 8000, 1, 8000},
	PCMU: {"PCMU", 0, 8000, 1, 8000},
	// RFC 3551 §4.5.2: "the RTP clock rate for the G722 payload format is 8,000 Hz"; the sound has twice as much.
	G722: {"G722", 9, 8000, 1, 16000},
	// RFC 7587 §4.1, §7: always 48000 and two channels, whatever is in the packets. The payload type is dynamic.
	Opus: {"opus", 111, 48000, 2, 16000},
}

// preferred is every codec, the best sound first.
var preferred = [...]ID{Opus, G722, PCMA, PCMU}

// List gives the codecs of this build, the best sound first. The caller owns it.
func List() []ID {
	all := make([]ID, 0, len(preferred))
	for _, id := range preferred {
		if id.Known() {
			all = append(all, id)
		}
	}
	return all
}

// Known says whether this build has the codec. The name, the clock and so on
// of one that is only missing from the build are there all the same.
func (id ID) Known() bool {
	return id != 0 && int(id) < len(infos) && (id != Opus || opusBuilt)
}

// Stateless says whether the codec is of those that Encode, Decode and
// Transcode take: G.711.
func (id ID) Stateless() bool { return id == PCMA || id == PCMU }

func (id ID) info() info {
	if int(id) >= len(infos) {
		return info{}
	}
	return infos[id]
}

// Name is the encoding name of SDP; empty for an ID that is no codec.
func (id ID) Name() string { return id.info().name }

func (id ID) String() string { return id.info().name }

// PayloadType is the static RTP payload type; for Opus, which has none, the one
// that we offer it by.
func (id ID) PayloadType() uint8 { return id.info().payloadType }

// ClockRate is the RTP clock in Hz, by which timestamps count: not always Rate.
func (id ID) ClockRate() int { return id.info().clockRate }

// Channels is the number that stands in SDP behind the clock rate; 2 for Opus
// though we run it mono (RFC 7587 §7).
func (id ID) Channels() int { return id.info().channels }

// Rate is the number of samples per second that Encode takes and Decode gives.
func (id ID) Rate() int { return id.info().rate }

// Ticks is how long a payload lasts, in ticks of ClockRate; 0 when it is
// empty or cannot be a payload of the codec.
func (id ID) Ticks(payload []byte) int {
	switch id {
	case PCMA, PCMU: // a byte per sample
		return len(payload)
	case G722: // a byte per two samples, which are one tick
		return len(payload)
	case Opus:
		return opusTicks(payload)
	}
	return 0
}

// ByName finds a codec of this build by its encoding name, which has no case:
// RFC 4855 §3.
func ByName(name string) (ID, bool) {
	for _, id := range preferred {
		if id.Known() && strings.EqualFold(name, infos[id].name) {
			return id, true
		}
	}
	return 0, false
}
