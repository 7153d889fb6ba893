package header

import (
	"bytes"
	"net"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// Bytes is a message as on the wire, byte for byte what its String gives: RFC 3261 §7. That makes strings of its parts
// on the way, here the message is written once and copied once.
func Bytes(m gosip.Message) []byte {
	var room [2048]byte // most messages fit, and it costs nothing
	return bytes.Clone(appendMessage(room[:0], m))
}

// appendMessage appends a message as on the wire.
func appendMessage(b []byte, m gosip.Message) []byte {
	switch m := m.(type) {
	case *gosip.Request:
		b = append(append(b, m.Method...), ' ')
		b = append(append(appendURI(b, &m.Recipient), ' '), m.SipVersion...)
	case *gosip.Response:
		b = append(append(b, m.SipVersion...), ' ')
		b = append(strconv.AppendInt(b, int64(m.StatusCode), 10), ' ')
		b = append(b, m.Reason...)
	}
	b = append(b, "\r\n"...)
	for _, h := range fieldsOf(m) {
		b = append(append(b, h.Name()...), ": "...)
		b = append(appendValue(b, h), "\r\n"...)
	}
	return append(append(b, "\r\n"...), m.Body()...)
}

// noBody is the length of all bodies that are none. It is never changed.
var noBody gosip.ContentLengthHeader

// SetBody ends a message: nil is no body. The library looks for a Content-Length in all header fields, and copies their
// names to do so; a message that is being made has none.
func SetBody(m gosip.Message, body []byte) {
	if First(m, "Content-Length") == nil {
		length := &noBody
		if len(body) > 0 {
			length = new(gosip.ContentLengthHeader)
			*length = gosip.ContentLengthHeader(len(body))
		}
		m.AppendHeader(length)
	}
	m.SetBody(body)
}

// Value is the value of a header field.
func Value(h gosip.Header) string {
	var room [256]byte
	return string(appendValue(room[:0], h))
}

// appendValue appends the value of a header field.
func appendValue(b []byte, h gosip.Header) []byte {
	switch h := h.(type) {
	case *gosip.ViaHeader:
		return appendVia(b, h)
	case *gosip.FromHeader:
		return AppendParty(b, h.DisplayName, &h.Address, h.Params)
	case *gosip.ToHeader:
		return AppendParty(b, h.DisplayName, &h.Address, h.Params)
	case *gosip.ContactHeader:
		if h.Address.Wildcard {
			return append(b, '*')
		}
		return AppendParty(b, h.DisplayName, &h.Address, h.Params)
	case *gosip.RouteHeader:
		return AppendParty(b, "", &h.Address, nil)
	case *gosip.RecordRouteHeader:
		return AppendParty(b, "", &h.Address, nil)
	case *gosip.CSeqHeader:
		b = append(strconv.AppendInt(b, int64(h.SeqNo), 10), ' ')
		return append(b, h.MethodName...)
	case *gosip.MaxForwardsHeader:
		return strconv.AppendInt(b, int64(*h), 10)
	case *gosip.ContentLengthHeader:
		return strconv.AppendInt(b, int64(*h), 10)
	}
	return append(b, h.Value()...)
}

func appendVia(b []byte, via *gosip.ViaHeader) []byte {
	b = append(append(b, via.ProtocolName...), '/')
	b = append(append(b, via.ProtocolVersion...), '/')
	b = append(append(b, via.Transport...), ' ')
	b = appendHostPort(b, via.Host, via.Port)
	return appendParams(b, ';', ';', via.Params)
}

// AppendParty appends a name-addr with the header's parameters. The display name is as it stands in quotes.
func AppendParty(b []byte, display string, uri *gosip.Uri, params gosip.HeaderParams) []byte {
	if display != "" {
		b = append(append(append(b, '"'), display...), `" `...)
	}
	b = append(appendURI(append(b, '<'), uri), '>')
	return appendParams(b, ';', ';', params)
}

// URIText is a URI without angle brackets.
func URIText(uri *gosip.Uri) string {
	var room [256]byte
	return string(appendURI(room[:0], uri))
}

// appendURI appends a URI without angle brackets.
func appendURI(b []byte, uri *gosip.Uri) []byte {
	if uri.Scheme == "" {
		b = append(b, "sip"...)
	}
	b = append(append(b, uri.Scheme...), ':')
	if raw := uri.Raw(); raw != "" {
		return append(b, raw...)
	}
	if uri.HierarhicalSlashes {
		b = append(b, "//"...)
	}
	if uri.User != "" {
		b = append(b, uri.User...)
		if uri.Password != "" {
			b = append(append(b, ':'), uri.Password...)
		}
		b = append(b, '@')
	}
	b = appendHostPort(b, uri.Host, uri.Port)
	b = appendParams(b, ';', ';', uri.UriParams)
	return appendParams(b, '?', '&', uri.Headers)
}

func appendHostPort(b []byte, host string, port int) []byte {
	if bareIPv6(host) {
		b = append(append(append(b, '['), host...), ']')
	} else {
		b = append(b, host...)
	}
	if port > 0 {
		b = strconv.AppendInt(append(b, ':'), int64(port), 10)
	}
	return b
}

// bareIPv6: what the library puts in brackets. Longer than 46 bytes no address is.
func bareIPv6(host string) bool {
	if len(host) > 46 || strings.IndexByte(host, ':') < 0 {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.To4() == nil
}

func appendParams(b []byte, first, between byte, params gosip.HeaderParams) []byte {
	for i, p := range params {
		if i > 0 {
			first = between
		}
		b = append(append(b, first), p.K...)
		switch {
		case p.V == "":
		case strings.ContainsAny(p.V, " \t"):
			b = append(append(append(b, `="`...), p.V...), '"')
		default:
			b = append(append(b, '='), p.V...)
		}
	}
	return b
}
