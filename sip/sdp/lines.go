package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Bounds on what is read: no phone's description comes near them.
const (
	maxBytes   = 16 << 10
	maxStreams = 16
	maxFormats = 64
)

// section is the session level, or one stream with its m= line.
type section struct {
	media string // what follows m=; empty at session level
	addr  netip.Addr
	named bool // it has a c= line of its own
	attrs []attribute
}

// usualAttributes is how many a section has at the most, but for few.
const usualAttributes = 8

type attribute struct{ key, value string }

// split reads the lines that matter: m=, the first c= of a section (RFC 4566
// §5.7 allows several, for multicast), and a=. It does so by itself, as the
// library's reader refuses what the field is full of: lines out of order,
// missing s= and t=, profiles that it does not know (T.38's udptl), an o= that
// is no number. Line ends may be bare, and blank lines are passed over.
func split(body []byte) (session section, streams []section, err error) {
	if len(body) > maxBytes {
		return section{}, nil, fmt.Errorf("%w: longer than %d bytes", ErrSyntax, maxBytes)
	}
	text := strings.Trim(string(body), "\r\n \t\x00")
	if !strings.HasPrefix(text, "v=0") { // RFC 4566 §5: the first line
		return section{}, nil, fmt.Errorf("%w: no v=0", ErrSyntax)
	}
	at := &session
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		kind, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		switch kind {
		case "m":
			if len(streams) == maxStreams {
				return section{}, nil, fmt.Errorf("%w: more than %d streams", ErrSyntax, maxStreams)
			}
			streams = append(streams, section{media: value})
			at = &streams[len(streams)-1]
		case "c":
			at.connect(value)
		case "a":
			key, value, _ := strings.Cut(value, ":")
			if at.attrs == nil {
				at.attrs = make([]attribute, 0, usualAttributes)
			}
			at.attrs = append(at.attrs, attribute{strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)})
		}
	}
	return session, streams, nil
}

// connect reads c=IN IP4 192.0.2.1/127. A name instead of an address stays
// unread: this package asks no resolver.
func (s *section) connect(value string) {
	n, text := 0, ""
	for f := range strings.FieldsSeq(value) {
		if n++; n == 3 {
			text = f
		}
	}
	if s.named || n < 3 {
		return
	}
	text, _, _ = strings.Cut(text, "/")
	addr, _ := netip.ParseAddr(text)
	s.addr, s.named = addr.Unmap(), true
}

// mediaLine reads audio 49170/2 RTP/AVP 0 8: RFC 4566 §5.14.
func mediaLine(value string) (media, error) {
	f := strings.Fields(value)
	if len(f) < 4 || len(f) > 3+maxFormats {
		return media{}, fmt.Errorf("%w: m= line", ErrSyntax)
	}
	first, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return media{}, fmt.Errorf("%w: port of an m= line", ErrSyntax)
	}
	return media{kind: f[0], port: uint16(port), proto: f[2], formats: f[3:]}, nil
}
