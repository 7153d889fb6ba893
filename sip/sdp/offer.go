package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pion/sdp/v3"

	"liandong/media/codec"
)

// Offer is our offer: every codec we have, telephone-event, and the direction.
func Offer(l Local) []byte {
	m := stream(l, "RTP/AVP")
	for _, id := range l.Codecs {
		addCodec(m, id, id.PayloadType())
	}
	addEvents(m, l.DTMF)
	addTail(m, l.Ptime, l.Direction)
	return marshal(l, m)
}

// Accept reads the answer to our offer.
func Accept(l Local, answer []byte) (Session, error) {
	d, err := parse(answer)
	if err != nil {
		return Session{}, err
	}
	for _, m := range d.audio() {
		c, ok := m.choose(l.Codecs)
		if !ok {
			continue
		}
		s := m.session(l, c)
		s.DTMFRecv = l.DTMF
		s.Recv = map[uint8]codec.ID{}
		for _, id := range l.Codecs {
			s.Recv[id.PayloadType()] = id
		}
		s.RTCPMux = false // we do not offer it
		return s, nil
	}
	return Session{}, ErrNoCodec
}

// Answer answers an offer: the first codec of the party's list that we have.
// ErrNoCodec when no stream can be agreed on.
func Answer(l Local, offer []byte) (answer []byte, s Session, err error) {
	d, err := parse(offer)
	if err != nil {
		return nil, Session{}, err
	}
	var lines []*sdp.MediaDescription
	agreed := false
	for i := range d.streams {
		m := &d.streams[i]
		c, ok := m.choose(l.Codecs)
		if agreed || !ok || !m.usable() {
			lines = append(lines, declined(m))
			continue
		}
		agreed = true
		s = m.session(l, c)
		s.DTMFRecv = s.DTMFSend
		lines = append(lines, accepted(l, m, s))
	}
	if !agreed {
		return nil, Session{}, ErrNoCodec
	}
	return marshal(l, lines...), s, nil
}

func accepted(l Local, m *media, s Session) *sdp.MediaDescription {
	out := stream(l, m.proto)
	addCodec(out, s.Codec, s.PT)
	addEvents(out, s.DTMFRecv)
	if s.RTCPMux {
		out.WithPropertyAttribute("rtcp-mux")
	}
	addTail(out, l.Ptime, s.Direction)
	return out
}

// declined repeats an m= line with port 0 (RFC 3264 §6).
func declined(m *media) *sdp.MediaDescription {
	return &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: m.kind, Port: sdp.RangedPort{Value: 0}, Protos: []string{m.proto}, Formats: slices.Clone(m.formats),
	}}
}

func stream(l Local, proto string) *sdp.MediaDescription {
	return &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "audio", Port: sdp.RangedPort{Value: int(l.Addr.Port())}, Protos: []string{proto},
	}}
}

func addCodec(m *sdp.MediaDescription, id codec.ID, pt uint8) {
	m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(pt)))
	m.WithValueAttribute("rtpmap", fmt.Sprintf("%d %s/%d", pt, id.Name(), id.ClockRate()))
}

func addEvents(m *sdp.MediaDescription, pt uint8) {
	if pt == 0 {
		return
	}
	m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(pt)))
	m.WithValueAttribute("rtpmap", fmt.Sprintf("%d telephone-event/8000", pt))
	m.WithValueAttribute("fmtp", fmt.Sprintf("%d 0-16", pt))
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
		SessionName:           "-",
		ConnectionInformation: &sdp.ConnectionInformation{NetworkType: "IN", AddressType: family, Address: &sdp.Address{Address: addr.String()}},
		TimeDescriptions:      []sdp.TimeDescription{{}},
		MediaDescriptions:     lines,
	}
	text, err := d.Marshal()
	if err != nil { // the library's Marshal has no way to fail
		return nil
	}
	return text
}
