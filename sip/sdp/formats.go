package sdp

import (
	"slices"
	"strconv"
	"strings"

	"liandong/media/codec"
)

// encoding is the codec as rtpmap has it: RFC 4566 §6. One channel is left out.
func encoding(id codec.ID) string {
	text := id.Name() + "/" + strconv.Itoa(id.ClockRate())
	if n := id.Channels(); n > 1 {
		text += "/" + strconv.Itoa(n)
	}
	return text
}

// events is telephone-event as one side has it: RFC 4733 §2.4.
type events struct {
	pt   uint8
	rate int // its clock, in Hz
}

// eventRate is the clock where rtpmap names none: RFC 4733 §2.1.1.
const eventRate = 8000

func eventEncoding(rate int) string { return "telephone-event/" + strconv.Itoa(rate) }

// First and last of the dynamic payload types: RFC 3551 §6.
const (
	firstDynamic = 96
	lastDynamic  = 127
)

// formats is all that we can do, each by its payload type: the one it was agreed on by before, or
// its own, or another one where that stands for something else by now.
func (l Local) formats() (codecs []choice, keys []events) {
	used := map[string]uint8{}
	for name, pt := range l.Types {
		used[name] = pt
	}
	for _, id := range l.Codecs {
		codecs = append(codecs, choice{id, number(used, encoding(id), id.PayloadType())})
	}
	if l.DTMF == 0 {
		return codecs, nil
	}
	for _, rate := range clocks(codecs) {
		keys = append(keys, events{number(used, eventEncoding(rate), l.DTMF), rate})
	}
	return codecs, keys
}

// clocks are those of some codecs. RFC 4733 §2.1.1: keys "SHOULD" have the clock of the sound, so
// each of them needs an event of its own.
func clocks(codecs []choice) (all []int) {
	for _, c := range codecs {
		if rate := c.id.ClockRate(); !slices.Contains(all, rate) {
			all = append(all, rate)
		}
	}
	return all
}

// number gives a format its payload type, and notes it in used.
func number(used map[string]uint8, name string, own uint8) uint8 {
	if pt, known := used[name]; known {
		return pt
	}
	for pt := uint8(firstDynamic); taken(used, own) && pt <= lastDynamic; pt++ {
		own = pt
	}
	used[name] = own
	return own
}

func taken(used map[string]uint8, pt uint8) bool {
	for _, other := range used {
		if other == pt {
			return true
		}
	}
	return false
}

// events lists the telephone-events of the stream, in the party's order.
func (m *media) events() (all []events) {
	for _, f := range m.formats {
		name, text, _ := strings.Cut(m.rtpmap[f], "/")
		pt, err := strconv.ParseUint(f, 10, 7)
		if name != "TELEPHONE-EVENT" || err != nil || pt == 0 || hasEvent(all, uint8(pt)) {
			continue
		}
		text, _, _ = strings.Cut(text, "/")
		rate, err := strconv.ParseUint(text, 10, 31)
		if err != nil || rate == 0 {
			rate = eventRate
		}
		all = append(all, events{uint8(pt), int(rate)})
	}
	return all
}

func hasEvent(all []events, pt uint8) bool {
	return slices.ContainsFunc(all, func(e events) bool { return e.pt == pt })
}

// eventsFor lists those with the clock of one of the codecs, the first of each; where there is
// none, the first with another clock: its keys can be read all the same.
func (m *media) eventsFor(codecs []choice) (all []events) {
	theirs := m.events()
	for _, rate := range clocks(codecs) {
		if i := slices.IndexFunc(theirs, func(e events) bool { return e.rate == rate }); i >= 0 {
			all = append(all, theirs[i])
		}
	}
	if len(all) == 0 && len(theirs) > 0 {
		all = theirs[:1]
	}
	return all
}

// renumbered adds what a party names in its answer by another number than we offered: RFC 3264 §8.3.2 forbids it
// that, and it sends its keys by its own number.
func (s *Session) renumbered(theirs []events) {
	for _, e := range theirs {
		_, sound := s.Recv[e.pt]
		if _, known := s.DTMFRecv[e.pt]; !known && !sound && s.DTMFRecv != nil {
			s.DTMFRecv[e.pt] = e.rate
		}
	}
}

// press notes by which payload types keys go and come. They are sent by the clock of the sound
// alone: by another, our durations would be false, so there we play tones instead.
func (s *Session) press(theirs, ours []events) {
	for _, e := range theirs {
		if e.rate == s.Codec.ClockRate() && s.DTMFSend == 0 {
			s.DTMFSend = e.pt
		}
	}
	for _, e := range ours {
		if s.DTMFRecv == nil {
			s.DTMFRecv = map[uint8]int{}
		}
		s.DTMFRecv[e.pt] = e.rate
	}
}
