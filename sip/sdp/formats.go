package sdp

import (
	"slices"
	"strconv"
	"strings"

	"liandong/media/codec"
)

// encodings are the codecs as rtpmap has them: RFC 4566 §6. One channel is left out.
var encodings = func() (all [codec.Opus + 1]string) {
	for i := range all {
		id := codec.ID(i)
		all[i] = id.Name() + "/" + strconv.Itoa(id.ClockRate())
		if n := id.Channels(); n > 1 {
			all[i] += "/" + strconv.Itoa(n)
		}
	}
	return all
}()

func encoding(id codec.ID) string {
	if int(id) >= len(encodings) {
		return encodings[0]
	}
	return encodings[id]
}

// events is telephone-event as one side has it: RFC 4733 §2.4.
type events struct {
	pt   uint8
	rate int // its clock, in Hz
}

// eventRate is the clock where rtpmap names none: RFC 4733 §2.1.1.
const eventRate = 8000

func eventEncoding(rate int) string {
	switch rate {
	case 8000:
		return "telephone-event/8000"
	case 48000:
		return "telephone-event/48000"
	}
	return "telephone-event/" + strconv.Itoa(rate)
}

// First and last of the dynamic payload types: RFC 3551 §6.
const (
	firstDynamic = 96
	lastDynamic  = 127
)

// formats is all that we can do, each by its payload type: the one it was agreed on by before, or
// its own, or another one where that stands for something else by now.
func (l Local) formats() (codecs []choice, keys []events) {
	var room [usualTypes]format
	used := types(room[:0])
	for name, pt := range l.Types {
		used = append(used, format{name, pt})
	}
	codecs = make([]choice, len(l.Codecs))
	for i, id := range l.Codecs {
		codecs[i] = choice{id, used.number(encoding(id), id.PayloadType())}
	}
	if l.DTMF == 0 {
		return codecs, nil
	}
	rates := clocks(codecs)
	keys = make([]events, len(rates))
	for i, rate := range rates {
		keys[i] = events{used.number(eventEncoding(rate), l.DTMF), rate}
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

// types are payload types by encoding, few enough to look through.
type types []format

// format is one of them: "opus/48000/2" and its payload type.
type format struct {
	name string
	pt   uint8
}

// usualTypes is how many there are at the most but for phones with many.
const usualTypes = 16

// number gives a format its payload type, and notes it.
func (t *types) number(name string, own uint8) uint8 {
	for _, f := range *t {
		if f.name == name {
			return f.pt
		}
	}
	for pt := uint8(firstDynamic); t.taken(own) && pt <= lastDynamic; pt++ {
		own = pt
	}
	*t = append(*t, format{name, own})
	return own
}

func (t *types) taken(pt uint8) bool {
	return slices.ContainsFunc(*t, func(f format) bool { return f.pt == pt })
}

// keep notes a payload type, unless the format or the number is taken.
func (t *types) keep(name string, pt uint8) {
	if !t.taken(pt) && !slices.ContainsFunc(*t, func(f format) bool { return f.name == name }) {
		*t = append(*t, format{name, pt})
	}
}

// mapped are the same for a Local; was where that says it already.
func (t types) mapped(was map[string]uint8) map[string]uint8 {
	same := len(t) == len(was)
	for _, f := range t {
		pt, ok := was[f.name]
		same = same && ok && pt == f.pt
	}
	if same {
		return was
	}
	all := make(map[string]uint8, len(t))
	for _, f := range t {
		all[f.name] = f.pt
	}
	return all
}

// events lists the telephone-events of the stream, in the party's order.
func (m *media) events() (all []events) {
	for _, f := range m.formats {
		mapped, _ := m.encoding(f)
		name, text, _ := strings.Cut(mapped, "/")
		pt, err := strconv.ParseUint(f, 10, 7)
		if !strings.EqualFold(name, "telephone-event") || err != nil || pt == 0 || hasEvent(all, uint8(pt)) {
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
