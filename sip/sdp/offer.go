package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	"liandong/media/codec"
)

// Offer is our offer: every codec we have, telephone-event, and the direction.
// Streams that were declined before keep their places.
func Offer(l Local) []byte {
	m := stream(l, l.profile())
	codecs, keys := l.formats()
	for _, c := range codecs {
		addCodec(m, c)
	}
	for _, e := range keys {
		addEvents(m, e)
	}
	addKeys(m, l)
	addTail(m, l.Ptime, l.Direction)
	if len(l.Streams) == 0 {
		return marshal(l, m)
	}
	lines := make([]*sdp.MediaDescription, len(l.Streams))
	for i, declined := range l.Streams {
		if lines[i] = m; declined != "" {
			lines[i] = emptied(declined)
		}
	}
	return marshal(l, lines...)
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
	lines := make([]*sdp.MediaDescription, len(streams))
	places := make([]string, len(streams))
	best, err := l.best(streams)
	if err != nil {
		return nil, Session{}, err
	}
	for i := range streams {
		m := &streams[i]
		if i == best {
			lines[i], s = accept(l, m, m.choose(l.Codecs))
			continue
		}
		places[i] = m.declined()
		lines[i] = emptied(places[i])
	}
	if len(places) > 1 {
		s.Streams = places
	}
	return marshal(l, lines...), s, nil
}

// best is the stream to take: the first that can be agreed on, of those who offer the same
// sound with SRTP and without the one with it.
func (l Local) best(streams []media) (int, error) {
	best, fault := -1, ErrNoCodec
	for i := range streams {
		m := &streams[i]
		if len(m.choose(l.Codecs)) == 0 || !m.usable(l) {
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

func accept(l Local, m *media, found []choice) (*sdp.MediaDescription, Session) {
	if l.Insists {
		slices.SortStableFunc(found, func(a, b choice) int {
			return slices.Index(l.Codecs, a.id) - slices.Index(l.Codecs, b.id)
		})
	}
	s := m.session(l, found[0], m.mux)
	s.Wideband = wideband(found)
	out := stream(l, m.proto)
	for _, c := range found {
		addCodec(out, c)
		s.Recv[c.pt] = c.id
	}
	if l.DTMF != 0 {
		keys := m.eventsFor(found)
		for _, e := range keys {
			addEvents(out, e)
		}
		s.press(keys, keys)
	}
	if s.RTCPMux {
		out.WithPropertyAttribute("rtcp-mux")
	}
	if ours, theirs, _ := m.agree(l); !ours.IsZero() {
		s.Seal, s.Open = ours.Crypto, theirs
		addCrypto(out, ours)
	}
	addTail(out, l.Ptime, s.Direction)
	return out, s
}

// declined is the m= line with port 0: RFC 3264 §6.
func (m *media) declined() string {
	return m.kind + " 0 " + m.proto + " " + strings.Join(m.formats, " ")
}

// emptied writes what declined made.
func emptied(declined string) *sdp.MediaDescription {
	f := strings.Fields(declined)
	return &sdp.MediaDescription{MediaName: sdp.MediaName{Media: f[0], Protos: []string{f[2]}, Formats: f[3:]}}
}

func stream(l Local, proto string) *sdp.MediaDescription {
	return &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: int(l.Addr.Port())}, Protos: []string{proto},
	}}
}

func addCodec(m *sdp.MediaDescription, c choice) {
	m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(c.pt)))
	m.WithValueAttribute("rtpmap", fmt.Sprintf("%d %s", c.pt, encoding(c.id)))
}

func addEvents(m *sdp.MediaDescription, e events) {
	m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(e.pt)))
	m.WithValueAttribute("rtpmap", fmt.Sprintf("%d %s", e.pt, eventEncoding(e.rate)))
	m.WithValueAttribute("fmtp", fmt.Sprintf("%d 0-16", e.pt)) // the keys and hook flash
}

func addTail(m *sdp.MediaDescription, ptime time.Duration, d Direction) {
	if ptime > 0 {
		m.WithValueAttribute("ptime", strconv.FormatInt(ptime.Milliseconds(), 10))
	}
	m.WithPropertyAttribute(d.String())
}

func marshal(l Local, lines ...*sdp.MediaDescription) []byte {
	addr := l.Addr.Addr().Unmap()
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	family := "IP4"
	if addr.Is6() {
		family = "IP6"
	}
	d := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "liandong", SessionID: l.SessionID, SessionVersion: l.Version,
			NetworkType: "IN", AddressType: family, UnicastAddress: addr.String(),
		},
		SessionName: "-",
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &sdp.Address{Address: addr.String()},
		},
		TimeDescriptions:  []sdp.TimeDescription{{}},
		MediaDescriptions: lines,
	}
	text, err := d.Marshal()
	if err != nil { // the library's Marshal has no way to fail
		return nil
	}
	return text
}

// wideband says whether a codec among some has more than telephones have always had.
func wideband(found []choice) bool {
	return slices.ContainsFunc(found, func(c choice) bool { return c.id.Rate() > codec.PCMA.Rate() })
}
