package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/sdp/v3"

	"liandong/media/codec"
)

// Bounds on what is read: no phone's description comes near them.
const (
	maxBytes   = 16 << 10
	maxStreams = 16
	maxFormats = 64
)

// Bounds on the packet time that we send by.
const (
	minPtime = 10 * time.Millisecond
	maxPtime = 60 * time.Millisecond
)

// description is what matters of the party's SDP.
type description struct {
	streams []media
}

// media is one m= line of the party.
type media struct {
	kind, proto string
	port        int
	formats     []string
	addr        netip.Addr
	rtpmap      map[string]string // format → "PCMA/8000", upper case
	sends       bool              // by its direction attribute
	receives    bool
	rtcp        netip.AddrPort
	mux         bool
	ptime       time.Duration
}

func parse(body []byte) (description, error) {
	if len(body) > maxBytes {
		return description{}, fmt.Errorf("%w: longer than %d bytes", ErrSyntax, maxBytes)
	}
	var in sdp.SessionDescription
	if err := in.Unmarshal(tidy(body)); err != nil {
		return description{}, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if len(in.MediaDescriptions) > maxStreams {
		return description{}, fmt.Errorf("%w: more than %d streams", ErrSyntax, maxStreams)
	}
	var d description
	for _, m := range in.MediaDescriptions {
		if len(m.MediaName.Formats) > maxFormats {
			return description{}, fmt.Errorf("%w: more than %d formats", ErrSyntax, maxFormats)
		}
		d.streams = append(d.streams, readMedia(&in, m))
	}
	return d, nil
}

// tidy brings what phones send into the form the parser wants: CRLF line ends,
// no blank lines, and the s= and t= lines that some leave out.
func tidy(body []byte) []byte {
	var lines []string
	seen := map[byte]bool{}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimRight(line, "\r\n \t\x00")
		if len(line) < 2 {
			continue
		}
		if line[0] == 'm' && !seen['m'] {
			if !seen['s'] {
				lines = insertAfterOrigin(lines, "s=-")
			}
			if !seen['t'] {
				lines = append(lines, "t=0 0")
			}
		}
		seen[line[0]] = true
		lines = append(lines, line)
	}
	return []byte(strings.Join(lines, "\r\n") + "\r\n")
}

func insertAfterOrigin(lines []string, line string) []string {
	for i, l := range lines {
		if l[0] == 'o' {
			return append(lines[:i+1], append([]string{line}, lines[i+1:]...)...)
		}
	}
	return lines
}

func readMedia(d *sdp.SessionDescription, in *sdp.MediaDescription) media {
	m := media{
		kind: in.MediaName.Media, proto: strings.Join(in.MediaName.Protos, "/"), port: in.MediaName.Port.Value,
		formats: in.MediaName.Formats, rtpmap: map[string]string{}, sends: true, receives: true,
	}
	if c := in.ConnectionInformation; c != nil {
		m.addr = address(c)
	} else if d.ConnectionInformation != nil {
		m.addr = address(d.ConnectionInformation)
	}
	for _, a := range d.Attributes { // RFC 4566 §6: session level is the default
		m.direct(a.Key)
	}
	for _, a := range in.Attributes {
		m.attribute(a)
	}
	return m
}

func address(c *sdp.ConnectionInformation) netip.Addr {
	if c.Address == nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(c.Address.Address)
	return a.Unmap()
}

func (m *media) direct(key string) {
	switch key {
	case "sendrecv":
		m.sends, m.receives = true, true
	case "sendonly":
		m.sends, m.receives = true, false
	case "recvonly":
		m.sends, m.receives = false, true
	case "inactive":
		m.sends, m.receives = false, false
	}
}

func (m *media) attribute(a sdp.Attribute) {
	switch a.Key {
	case "rtpmap":
		format, name, _ := strings.Cut(a.Value, " ")
		m.rtpmap[format] = strings.ToUpper(strings.TrimSpace(name))
	case "ptime":
		if ms, err := strconv.Atoi(strings.TrimSpace(a.Value)); err == nil && ms > 0 && ms < 1000 {
			m.ptime = time.Duration(ms) * time.Millisecond
		}
	case "rtcp-mux":
		m.mux = true
	case "rtcp": // RFC 3605
		m.readRTCP(a.Value)
	default:
		m.direct(a.Key)
	}
}

func (m *media) readRTCP(value string) {
	f := strings.Fields(value)
	if len(f) == 0 {
		return
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil || port == 0 {
		return
	}
	addr := m.addr
	if len(f) == 4 {
		if a, err := netip.ParseAddr(f[3]); err == nil {
			addr = a.Unmap()
		}
	}
	if addr.IsValid() {
		m.rtcp = netip.AddrPortFrom(addr, uint16(port))
	}
}

// audio lists the streams that could carry the call.
func (d description) audio() (all []*media) {
	for i := range d.streams {
		if d.streams[i].usable() {
			all = append(all, &d.streams[i])
		}
	}
	return all
}

// usable: plain RTP audio with a port. The feedback profile differs in RTCP
// timing only; the secure ones need keys.
func (m *media) usable() bool {
	return m.kind == "audio" && m.port > 0 && m.port < 65536 && m.addr.IsValid() && (m.proto == "RTP/AVP" || m.proto == "RTP/AVPF")
}

type choice struct {
	id codec.ID
	pt uint8
}

// choose takes the first codec of the party's list that is among ours.
func (m *media) choose(ours []codec.ID) (choice, bool) {
	for _, f := range m.formats {
		pt, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			continue
		}
		for _, id := range ours {
			if m.is(f, uint8(pt), id) {
				return choice{id, uint8(pt)}, true
			}
		}
	}
	return choice{}, false
}

// is tells whether a format is a codec; static payload types need no rtpmap
// (RFC 3551 §6).
func (m *media) is(format string, pt uint8, id codec.ID) bool {
	name, mapped := m.rtpmap[format]
	if !mapped {
		return pt == id.PayloadType() && pt < 96
	}
	want := id.Name() + "/" + strconv.Itoa(id.ClockRate())
	return name == want || name == want+"/1"
}

// events finds the telephone-event of the stream; that of 8 kHz goes before
// one of another clock.
func (m *media) events() (found uint8) {
	for _, f := range m.formats {
		name, rate, _ := strings.Cut(m.rtpmap[f], "/")
		pt, err := strconv.ParseUint(f, 10, 7)
		if name != "TELEPHONE-EVENT" || err != nil || pt == 0 {
			continue
		}
		if rate == "8000" {
			return uint8(pt)
		}
		if found == 0 {
			found = uint8(pt)
		}
	}
	return found
}

// session is what the party's stream and our side agree on.
func (m *media) session(l Local, c choice) Session {
	s := Session{Codec: c.id, PT: c.pt, Recv: map[uint8]codec.ID{c.pt: c.id}, Ptime: m.packetTime(l)}
	if l.DTMF != 0 {
		s.DTMFSend = m.events()
	}
	held := m.addr.IsUnspecified() // RFC 3264 §8.4, the old way to hold
	s.Direction = direction(l.Direction.Sends() && m.receives && !held, l.Direction.Receives() && m.sends)
	if held {
		return s
	}
	s.Remote = netip.AddrPortFrom(m.addr, uint16(m.port))
	s.RTCPMux = m.mux
	switch {
	case m.mux:
		s.RemoteRTCP = s.Remote
	case m.rtcp.IsValid():
		s.RemoteRTCP = m.rtcp
	case m.port < 65535:
		s.RemoteRTCP = netip.AddrPortFrom(m.addr, uint16(m.port+1))
	}
	return s
}

// packetTime is the party's wish within our bounds, in whole 10 ms.
func (m *media) packetTime(l Local) time.Duration {
	t := m.ptime
	if t == 0 {
		t = l.Ptime
	}
	return min(max(t.Truncate(10*time.Millisecond), minPtime), maxPtime)
}
