package phone

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ErrNoMedia is returned for SDP without an audio stream that we can take part in.
var ErrNoMedia = errors.New("phone: no usable audio in the SDP")

// Direction is a media direction as the phone sees it: what it sends and what it wants.
type Direction string

// The directions of RFC 4566, and the hold of RFC 2543: sendonly with c=0.0.0.0.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
	ZeroHold Direction = "c=0.0.0.0"
)

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

// mirror is the same stream seen from the other end.
func (d Direction) mirror() Direction {
	switch d {
	case SendOnly, ZeroHold:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// both is what is left when both ends have a wish.
func (d Direction) both(other Direction) Direction {
	send, receive := d.sends() && other.sends(), d.receives() && other.receives()
	switch {
	case send && receive:
		return SendRecv
	case send:
		return SendOnly
	case receive:
		return RecvOnly
	}
	return Inactive
}

// remoteSDP is the peer's description as far as we care.
type remoteSDP struct {
	audio     netip.AddrPort
	rtcp      netip.AddrPort
	codecs    []Codec
	events    uint8 // payload type of telephone-event, 0 for none
	direction Direction
	streams   []string // every m= line's media, port zeroed, in order
	which     int      // index of audio in streams
	profile   string   // of audio
	crypto    crypto
}

func parseSDP(body []byte) (remoteSDP, error) {
	r := remoteSDP{which: -1, direction: SendRecv}
	var host, rtcp string
	var port int
	for _, line := range strings.FieldsFunc(string(body), func(c rune) bool { return c == '\r' || c == '\n' }) {
		kind, value, _ := strings.Cut(line, "=")
		inAudio := r.which >= 0 && r.which == len(r.streams)-1
		if kind == "m" {
			port = r.stream(value, port)
			continue
		}
		if len(r.streams) > 0 && !inAudio {
			continue
		}
		switch kind {
		case "c":
			if f := strings.Fields(value); len(f) == 3 {
				host = f[2]
			}
		case "a":
			r.attribute(value, &rtcp)
		}
	}
	return r.finished(host, port, rtcp)
}

// stream notes an m= line; the first audio with a port is ours.
func (r *remoteSDP) stream(value string, port int) int {
	f := strings.Fields(value)
	if len(f) < 4 {
		return port
	}
	r.streams = append(r.streams, f[0]+" 0 "+strings.Join(f[2:], " "))
	n, err := strconv.Atoi(f[1])
	if f[0] != "audio" || r.which >= 0 || err != nil || n <= 0 || n > 65535 || f[2] != "RTP/AVP" && f[2] != "RTP/SAVP" {
		return port
	}
	r.profile = f[2]
	r.which = len(r.streams) - 1
	for _, pt := range f[3:] {
		if pt == "0" || pt == "8" || pt == "9" {
			n, _ := strconv.Atoi(pt)
			r.codecs = append(r.codecs, Codec(n))
		}
	}
	return n
}

func (r *remoteSDP) attribute(value string, rtcp *string) {
	switch name, rest, _ := strings.Cut(value, ":"); name {
	case "sendrecv", "sendonly", "recvonly", "inactive":
		r.direction = Direction(name)
	case "rtcp":
		*rtcp = rest
	case "crypto":
		r.readCrypto(rest)
	case "rtpmap":
		pt, format, _ := strings.Cut(rest, " ")
		if n, err := strconv.Atoi(pt); err == nil && n > 0 && n < 128 &&
			strings.EqualFold(strings.TrimSpace(format), "telephone-event/8000") {
			r.events = uint8(n)
		}
	}
}

func (r remoteSDP) finished(host string, port int, rtcp string) (remoteSDP, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil || r.which < 0 || len(r.codecs) == 0 {
		return r, fmt.Errorf("%w: host %q, codecs %v", ErrNoMedia, host, r.codecs)
	}
	if addr.IsUnspecified() {
		r.direction = SendOnly.both(r.direction) // RFC 3264 §8.4: the old hold
	}
	r.audio = netip.AddrPortFrom(addr, uint16(port))
	r.rtcp = netip.AddrPortFrom(addr, uint16(port)+1)
	if n, err := strconv.Atoi(strings.SplitN(rtcp+" ", " ", 2)[0]); err == nil && n > 0 && n < 65536 {
		r.rtcp = netip.AddrPortFrom(addr, uint16(n))
	}
	return r, nil
}

// localSDP is what our own description is made of.
type localSDP struct {
	audio     netip.AddrPort
	session   uint64
	version   uint64
	codecs    []Codec
	events    uint8
	direction Direction
	streams   []string // of the offer that is answered; nil in an offer
	which     int
	profile   string // RTP/AVP when empty
	crypto    crypto // our key, where there is SRTP
}

func (l localSDP) bytes() []byte {
	var b strings.Builder
	family := "IP4"
	if l.audio.Addr().Is6() {
		family = "IP6"
	}
	host, direction := l.audio.Addr(), l.direction
	if direction == ZeroHold {
		host, direction = netip.IPv4Unspecified(), SendOnly
	}
	fmt.Fprintf(&b, "v=0\r\no=phone %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
		l.session, l.version, family, l.audio.Addr(), family, host)
	if l.streams == nil {
		l.streams, l.which = []string{""}, 0
	}
	for i, stream := range l.streams {
		if i != l.which {
			fmt.Fprintf(&b, "m=%s\r\n", stream) // RFC 3264 §6: refused with port 0, never left out
			continue
		}
		l.stream(&b, direction)
	}
	return []byte(b.String())
}

func (l localSDP) stream(b *strings.Builder, direction Direction) {
	fmt.Fprintf(b, "m=audio %d %s", l.audio.Port(), cmp.Or(l.profile, "RTP/AVP"))
	for _, c := range l.codecs {
		fmt.Fprintf(b, " %d", c)
	}
	if l.events != 0 {
		fmt.Fprintf(b, " %d", l.events)
	}
	b.WriteString("\r\n")
	for _, c := range l.codecs {
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", c, c)
	}
	if l.events != 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-16\r\n", l.events, l.events)
	}
	if l.crypto != (crypto{}) {
		b.WriteString(l.crypto.String())
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", direction)
}

// common is the peer's codecs that we have too, in the peer's order.
func common(theirs, ours []Codec) []Codec {
	var out []Codec
	for _, c := range theirs {
		if slices.Contains(ours, c) {
			out = append(out, c)
		}
	}
	return out
}
