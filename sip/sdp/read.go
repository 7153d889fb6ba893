package sdp

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"liandong/media/codec"
)

// Bounds on the packet time that we send by.
const (
	minPtime  = 10 * time.Millisecond
	maxPtime  = 60 * time.Millisecond
	ptimeStep = 10 * time.Millisecond
)

// media is one stream of the party.
type media struct {
	kind, proto string
	port        uint16
	formats     []string
	addr        netip.Addr
	rtpmap      []attribute // format and "PCMA/8000"; of several the last one counts
	sends       bool        // by its direction attribute
	receives    bool
	rtcp        netip.AddrPort
	mux         bool
	found       []choice      // see choose; once a stream has been looked for
	cryptos     []offered     // those we can use, in the party's order
	ptime       time.Duration // the party's wish; 0: none
	maxptime    time.Duration // 0: none
}

// parse reads what matters of the party's SDP.
func parse(body []byte) ([]media, error) {
	session, sections, err := split(body)
	if err != nil {
		return nil, err
	}
	streams := make([]media, 0, len(sections))
	for _, s := range sections {
		m, err := mediaLine(s.media)
		if err != nil {
			return nil, err
		}
		m.sends, m.receives = true, true
		m.addr = session.addr
		if s.named {
			m.addr = s.addr
		}
		for _, a := range session.attrs { // RFC 4566 §6: session level is the default
			m.direct(a.key)
			m.times(a)
		}
		for _, a := range s.attrs {
			m.attribute(a)
		}
		streams = append(streams, m)
	}
	return streams, nil
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

func (m *media) times(a attribute) {
	ms, err := strconv.ParseUint(a.value, 10, 12)
	if err != nil {
		return
	}
	switch t := time.Duration(ms) * time.Millisecond; a.key {
	case "ptime":
		m.ptime = t
	case "maxptime":
		m.maxptime = t
	}
}

func (m *media) attribute(a attribute) {
	switch a.key {
	case "rtpmap":
		format, name, _ := strings.Cut(a.value, " ")
		m.rtpmap = append(m.rtpmap, attribute{format, strings.TrimSpace(name)})
	case "ptime", "maxptime":
		m.times(a)
	case "rtcp-mux":
		m.mux = true
	case "rtcp":
		m.readRTCP(a.value)
	case "crypto": // RFC 4568 §5: of a stream, never of the session
		m.crypto(a.value)
	default:
		m.direct(a.key)
	}
}

// readRTCP: RFC 3605 §2.1, a port and perhaps an address.
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

// usable: RTP audio with a port, at an address that we can send to. The feedback
// profiles differ in RTCP timing only; the secure ones need keys, see agree.
func (m *media) usable(l Local) bool {
	return strings.EqualFold(m.kind, "audio") && m.port > 0 && m.reachable(l.Addr.Addr().Unmap()) &&
		(strings.EqualFold(m.proto, "RTP/AVP") || strings.EqualFold(m.proto, "RTP/AVPF") || m.secure())
}

// reachable: an address of our own family and of one party alone. The
// unspecified one is a hold, of whatever family.
func (m *media) reachable(from netip.Addr) bool {
	switch {
	case !m.addr.IsValid() || m.addr.IsMulticast():
		return false
	case m.addr.IsUnspecified() || !from.IsValid():
		return true
	}
	return m.addr.Is4() == from.Is4()
}

type choice struct {
	id codec.ID
	pt uint8
}

// choose lists the party's formats that are codecs of ours, in the party's order.
func (m *media) choose(ours []codec.ID) []choice {
	all := make([]choice, 0, len(ours))
	var seen [128]bool
	for _, f := range m.formats {
		n, err := strconv.ParseUint(f, 10, 7)
		pt := uint8(n)
		if err != nil || seen[pt] {
			continue
		}
		seen[pt] = true
		for _, id := range ours {
			if m.is(f, pt, id) {
				all = append(all, choice{id, pt})
				break
			}
		}
	}
	return all
}

// is tells whether a format is a codec; static payload types need no rtpmap (RFC 3551 §6). G.722 is written with the
// clock that it sounds by, too, against RFC 3551 §4.5.2. Opus without its two channels is none: RFC 7587 §7.
func (m *media) is(format string, pt uint8, id codec.ID) bool {
	name, mapped := m.encoding(format)
	if !mapped {
		return pt == id.PayloadType() && pt < 96
	}
	bare, _, _ := strings.Cut(name, "/")
	if strings.EqualFold(bare, id.Name()) && pt == id.PayloadType() && pt < firstDynamic {
		return true // RFC 3551 §6: it is what the number says, whatever clock is written behind its name
	}
	if one, ok := strings.CutSuffix(name, "/1"); ok && id.Channels() == 1 {
		name = one
	}
	return strings.EqualFold(name, encoding(id)) || id == codec.G722 && strings.EqualFold(name, "G722/16000")
}

// encoding is what rtpmap says of a format.
func (m *media) encoding(format string) (name string, ok bool) {
	for i := len(m.rtpmap) - 1; i >= 0; i-- {
		if m.rtpmap[i].key == format {
			return m.rtpmap[i].value, true
		}
	}
	return "", false
}

// session is what the party's stream and our side agree on. mux: we agreed to
// RTCP on the port of RTP.
func (m *media) session(l Local, c choice, mux bool) Session {
	s := Session{Codec: c.id, PT: c.pt, Recv: map[uint8]codec.ID{}, Ptime: m.packetTime(l), RTCPMux: mux}
	held := m.addr.IsUnspecified() // RFC 3264 §8.4, the old way to hold
	s.Direction = direction(l.Direction.Sends() && m.receives && !held, l.Direction.Receives() && m.sends)
	if held {
		return s
	}
	s.Remote = netip.AddrPortFrom(m.addr, m.port)
	switch {
	case mux:
		s.RemoteRTCP = s.Remote
	case m.rtcp.IsValid():
		s.RemoteRTCP = m.rtcp
	case m.port < 65535:
		s.RemoteRTCP = netip.AddrPortFrom(m.addr, m.port+1)
	}
	return s
}

// packetTime is the party's wish within its limit and our bounds, the nearest
// whole 10 ms; 0 when it says nothing of either.
func (m *media) packetTime(l Local) time.Duration {
	if m.ptime == 0 && m.maxptime == 0 {
		return 0
	}
	t := m.ptime
	if t == 0 {
		t = l.Ptime
	}
	t = t.Round(ptimeStep)
	if m.maxptime != 0 {
		t = min(t, m.maxptime.Truncate(ptimeStep))
	}
	return min(max(t, minPtime), maxPtime)
}
