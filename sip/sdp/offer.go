package sdp

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/media/codec"
)

// Offer is our offer: every codec we have, telephone-event, and the direction.
// Streams that were declined before keep their places.
func Offer(l Local) []byte {
	m := stream(l, l.profile())
	codecs, keys := l.formats()
	for _, c := range codecs {
		m.codec(c)
	}
	for _, e := range keys {
		m.events(e)
	}
	m.keys(l)
	m.tail(l.Ptime, l.Direction)
	if len(l.Streams) == 0 {
		return marshal(l, []*written{m}, nil)
	}
	lines := make([]*written, len(l.Streams))
	for i, declined := range l.Streams {
		if declined == "" {
			lines[i] = m
		}
	}
	return marshal(l, lines, l.Streams)
}

// Accept reads the answer to our offer.
func Accept(l Local, answer []byte) (Session, error) {
	streams, err := parse(answer)
	if err != nil {
		return Session{}, err
	}
	fault := ErrNoCodec
	for i := range streams {
		m := &streams[i]
		found := m.choose(l.Codecs)
		if len(found) == 0 || !m.usable(l) {
			continue
		}
		s := m.session(l, found[0], false) // we do not offer rtcp-mux
		s.Wideband = wideband(found)
		var ok bool
		if s.Seal, s.Open, ok = m.agreed(l); !ok {
			fault = ErrProtection
			continue
		}
		codecs, keys := l.formats()
		for _, c := range codecs {
			s.Recv[c.pt] = c.id
		}
		if theirs := m.events(); len(theirs) > 0 {
			s.press(theirs, keys)
			s.renumbered(theirs)
		}
		s.Streams = l.Streams
		return s, nil
	}
	return Session{}, fault
}

// Answer answers an offer. RFC 3264 §6.1: with every codec of it that we have,
// in the offer's order, but where we insist on ours, and by its payload types; we send the first. ErrNoCodec
// when no stream can be agreed on.
func Answer(l Local, offer []byte) (answer []byte, s Session, err error) {
	streams, err := parse(offer)
	if err != nil {
		return nil, Session{}, err
	}
	// RFC 3264 §6: the answer has exactly the m= lines of the offer.
	lines := make([]*written, len(streams))
	places := make([]string, len(streams))
	best, err := l.best(streams)
	if err != nil {
		return nil, Session{}, err
	}
	for i := range streams {
		m := &streams[i]
		if i == best {
			lines[i], s = accept(l, m)
			continue
		}
		places[i] = m.declined()
	}
	if len(places) > 1 {
		s.Streams = places
	}
	return marshal(l, lines, places), s, nil
}

// best is the stream to take: the first that can be agreed on, of those who offer the same
// sound with SRTP and without the one with it.
func (l Local) best(streams []media) (int, error) {
	best, fault := -1, ErrNoCodec
	for i := range streams {
		m := &streams[i]
		if m.found = m.choose(l.Codecs); len(m.found) == 0 || !m.usable(l) {
			continue
		}
		switch ours, _, ok := m.agree(l); {
		case !ok:
			fault = ErrProtection
		case !ours.IsZero():
			return i, nil
		case best < 0:
			best = i
		}
	}
	if best < 0 {
		return best, fault
	}
	return best, nil
}

func accept(l Local, m *media) (*written, Session) {
	found := m.found
	if l.Insists {
		slices.SortStableFunc(found, func(a, b choice) int {
			return slices.Index(l.Codecs, a.id) - slices.Index(l.Codecs, b.id)
		})
	}
	s := m.session(l, found[0], m.mux)
	s.Wideband = wideband(found)
	out := stream(l, m.proto)
	for _, c := range found {
		out.codec(c)
		s.Recv[c.pt] = c.id
	}
	if l.DTMF != 0 {
		keys := m.eventsFor(found)
		for _, e := range keys {
			out.events(e)
		}
		s.press(keys, keys)
	}
	if s.RTCPMux {
		out.attribute("rtcp-mux", "")
	}
	if ours, theirs, _ := m.agree(l); !ours.IsZero() {
		s.Seal, s.Open = ours.Crypto, theirs
		out.crypto(ours)
	}
	out.tail(l.Ptime, s.Direction)
	return out, s
}

// declined is the m= line with port 0: RFC 3264 §6.
func (m *media) declined() string {
	return m.kind + " 0 " + m.proto + " " + strings.Join(m.formats, " ")
}

// written is a stream as it is written: its m= line and the lines below that.
type written struct{ media, attrs []byte }

// stream begins one: RFC 4566 §5.14.
func stream(l Local, proto string) *written {
	w := &written{media: make([]byte, 0, 64), attrs: make([]byte, 0, 256)}
	w.media = strconv.AppendUint(append(w.media, "audio "...), uint64(l.Addr.Port()), 10)
	w.media = append(append(w.media, ' '), proto...)
	return w
}

// attribute adds a= with a value; one that is "" has none.
func (w *written) attribute(key, value string) {
	w.attrs = append(append(w.attrs, "a="...), key...)
	if value != "" {
		w.attrs = append(append(w.attrs, ':'), value...)
	}
	w.attrs = append(w.attrs, "\r\n"...)
}

// format adds a payload type with what it stands for.
func (w *written) format(pt uint8, encoding string) {
	w.media = strconv.AppendUint(append(w.media, ' '), uint64(pt), 10)
	w.attrs = strconv.AppendUint(append(w.attrs, "a=rtpmap:"...), uint64(pt), 10)
	w.attrs = append(append(append(w.attrs, ' '), encoding...), "\r\n"...)
}

func (w *written) codec(c choice) { w.format(c.pt, encoding(c.id)) }

func (w *written) events(e events) {
	w.format(e.pt, eventEncoding(e.rate))
	w.attrs = strconv.AppendUint(append(w.attrs, "a=fmtp:"...), uint64(e.pt), 10)
	w.attrs = append(w.attrs, " 0-16\r\n"...) // the keys and hook flash
}

func (w *written) tail(ptime time.Duration, d Direction) {
	if ptime > 0 {
		w.attribute("ptime", strconv.FormatInt(ptime.Milliseconds(), 10))
	}
	w.attribute(d.String(), "")
}

// marshal writes a description, the lines in the order of RFC 4566 §5. Of a stream that is nil the m= line is the one
// that declined made.
func marshal(l Local, streams []*written, declined []string) []byte {
	addr := l.Addr.Addr().Unmap()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	family := " IN IP4 "
	if addr.Is6() {
		family = " IN IP6 "
	}
	var room [1024]byte
	b := strconv.AppendUint(append(room[:0], "v=0\r\no=liandong "...), l.SessionID, 10)
	b = append(strconv.AppendUint(append(b, ' '), l.Version, 10), family...)
	b = append(addr.AppendTo(b), "\r\ns=-\r\nc="...)
	b = append(addr.AppendTo(append(b, family[1:]...)), "\r\nt=0 0\r\n"...)
	for i, w := range streams {
		b = append(b, "m="...)
		if w == nil {
			b = append(append(b, declined[i]...), "\r\n"...)
			continue
		}
		b = append(append(b, w.media...), "\r\n"...)
		b = append(b, w.attrs...)
	}
	return bytes.Clone(b)
}

// wideband says whether a codec among some has more than telephones have always had.
func wideband(found []choice) bool {
	return slices.ContainsFunc(found, func(c choice) bool { return c.id.Rate() > codec.PCMA.Rate() })
}
