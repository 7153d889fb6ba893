// Package codec turns samples into the bytes of an RTP payload and back.
//
// It has G.711, A-law and µ-law, which keeps no state between packets: a byte
// is a sample, and any cut of a stream may be coded by itself. Samples are
// 16-bit linear at 8 kHz. Nothing allocates.
package codec

import "strings"

// ID is a codec. The zero ID is none.
type ID uint8

const (
	PCMA ID = iota + 1 // G.711 A-law
	PCMU               // G.711 µ-law
)

// info is what SDP says of a codec: RFC 3551 §6, table 4.
type info struct {
	name        string
	payloadType uint8
	clockRate   int
}

var infos = [...]info{
	PCMA: {"PCMA", 8, 8000},
	PCMU: {"PCMU", 0, 8000},
}

// Known says whether there is such a codec.
func (id ID) Known() bool { return id != 0 && int(id) < len(infos) }

func (id ID) info() info {
	if !id.Known() {
		return info{}
	}
	return infos[id]
}

// Name is the encoding name of SDP; empty for an unknown ID.
func (id ID) Name() string { return id.info().name }

func (id ID) String() string { return id.info().name }

// PayloadType is the static RTP payload type.
func (id ID) PayloadType() uint8 { return id.info().payloadType }

// ClockRate is the RTP clock in Hz.
func (id ID) ClockRate() int { return id.info().clockRate }

// ByName finds a codec by its encoding name, which has no case: RFC 4855 §3.
func ByName(name string) (ID, bool) {
	for id := PCMA; id.Known(); id++ {
		if strings.EqualFold(name, infos[id].name) {
			return id, true
		}
	}
	return 0, false
}

// Encode writes the payload for src and gives its length: a byte per sample,
// as many as fit into dst. An unknown ID writes nothing.
func Encode(id ID, dst []byte, src []int16) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch id {
	case PCMA:
		for i, x := range src {
			dst[i] = linearToA[uint16(x)>>4]
		}
	case PCMU:
		for i, x := range src {
			dst[i] = linearToMu[uint16(x)>>2]
		}
	default:
		return 0
	}
	return n
}

// Decode writes the samples of a payload and gives their number, as many as
// fit into dst. An unknown ID writes nothing.
func Decode(id ID, dst []int16, src []byte) int {
	n := min(len(dst), len(src))
	dst, src = dst[:n], src[:n]
	switch id {
	case PCMA:
		decode(&aToLinear, dst, src)
	case PCMU:
		decode(&muToLinear, dst, src)
	default:
		return 0
	}
	return n
}

func decode(table *[256]int16, dst []int16, src []byte) {
	for i, b := range src {
		dst[i] = table[b]
	}
}

// Transcode writes the payload src of one codec as that of another and gives
// its length, as much as fits. dst and src may be the same memory.
func Transcode(to ID, dst []byte, from ID, src []byte) int {
	n := min(len(dst), len(src))
	switch {
	case !to.Known() || !from.Known():
		return 0
	case to == from:
		return copy(dst, src)
	case to == PCMU:
		substitute(&aToMu, dst[:n], src[:n])
	default:
		substitute(&muToA, dst[:n], src[:n])
	}
	return n
}

func substitute(table *[256]byte, dst, src []byte) {
	for i, b := range src {
		dst[i] = table[b]
	}
}
