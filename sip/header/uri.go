package header

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// URI is where a party is reached. All parts are plain text, without percent
// codes.
type URI struct {
	Scheme   string `cbor:",omitzero"` // in lower case: sip, sips, tel, or another; empty is written as sip
	User     string `cbor:",omitzero"` // the number of a tel URI, with its separators
	Password string `cbor:",omitzero"`
	Host     string `cbor:",omitzero"` // an IPv6 address without its brackets
	Port     int    `cbor:",omitzero"` // 0: none
	Params   Params `cbor:",omitzero"`
	Headers  string `cbor:",omitzero"` // what follows the question mark, as written
	Opaque   string `cbor:",omitzero"` // all behind the scheme, as written, when it is none of sip, sips and tel
}

// ParseURI reads one URI without angle brackets: RFC 3261 §19.1, RFC 3966.
func ParseURI(s string) (URI, error) {
	scheme, rest, ok := strings.Cut(unfold(s), ":")
	if !ok || !isScheme(scheme) || !isURIText(rest) {
		return URI{}, fmt.Errorf("%w: no scheme, or characters that need an escape", ErrURI)
	}
	u := URI{Scheme: strings.ToLower(scheme)}
	switch u.Scheme {
	case "sip", "sips":
		return u.parseSIP(rest)
	case "tel":
		return u.parseTel(rest)
	}
	u.Opaque = rest
	return u, nil
}

// isScheme: RFC 3986 §3.1.
func isScheme(s string) bool {
	return s != "" && only(s, "+-.") && (s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

func isURIText(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' {
			return false
		}
	}
	return s != ""
}

func (u URI) parseSIP(s string) (URI, error) {
	// The user part may hold ; and ? but no @, and nothing behind it may hold an
	// @ either (RFC 3261 §25.1), so the first one ends it.
	if user, rest, ok := strings.Cut(s, "@"); ok {
		user, password, _ := strings.Cut(user, ":")
		if user == "" {
			return u, fmt.Errorf("%w: no user before the @", ErrURI)
		}
		u.User, u.Password, s = Unescape(user), Unescape(password), rest
	}
	s, u.Headers, _ = strings.Cut(s, "?")
	hostport, params, _ := strings.Cut(s, ";")
	u.Params = parseURIParams(params)
	return u, u.parseHostPort(hostport)
}

func (u *URI) parseHostPort(s string) error {
	port := ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return fmt.Errorf("%w: bracket of the host left open", ErrURI)
		}
		addr, err := netip.ParseAddr(s[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return fmt.Errorf("%w: no IPv6 address in the brackets", ErrURI)
		}
		u.Host, port = s[1:end], s[end+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		u.Host, port = s[:i], s[i:]
	} else {
		u.Host = s
	}
	if u.Host == "" || port != "" && !u.parsePort(port) || s[0] != '[' && !only(u.Host, "-._") {
		return fmt.Errorf("%w: host and port", ErrURI)
	}
	return nil
}

func (u *URI) parsePort(s string) bool {
	n, err := strconv.ParseUint(s[1:], 10, 16)
	u.Port = int(n)
	return err == nil && n > 0 && s[0] == ':' && allDigits(s[1:])
}

func (u URI) parseTel(s string) (URI, error) {
	number, params, _ := strings.Cut(s, ";")
	if u.User = Unescape(number); u.User == "" {
		return u, fmt.Errorf("%w: tel without a number", ErrURI)
	}
	u.Params = parseURIParams(params)
	return u, nil
}

func parseURIParams(s string) Params {
	var params Params
	for part := range strings.SplitSeq(s, ";") {
		key, value, has := strings.Cut(part, "=")
		if key != "" {
			params = append(params, Param{Key: Unescape(key), Value: Unescape(value), HasValue: has})
		}
	}
	return params
}

// String writes the URI without angle brackets.
func (u URI) String() string {
	var b strings.Builder
	u.write(&b)
	return b.String()
}

func (u URI) write(b *strings.Builder) {
	switch u.Scheme {
	case "", "sip", "sips":
		u.writeSIP(b)
	case "tel":
		b.WriteString("tel:")
		b.WriteString(escape(u.User, telMarks))
		writeURIParams(b, u.Params)
	default:
		b.WriteString(u.Scheme)
		b.WriteByte(':')
		b.WriteString(u.Opaque)
	}
}

func (u URI) writeSIP(b *strings.Builder) {
	b.WriteString("sip")
	if u.Scheme == "sips" {
		b.WriteByte('s')
	}
	b.WriteByte(':')
	if u.User != "" {
		b.WriteString(escape(u.User, userMarks))
		if u.Password != "" {
			b.WriteByte(':')
			b.WriteString(escape(u.Password, passMarks))
		}
		b.WriteByte('@')
	}
	b.WriteString(bracketed(u.Host))
	if u.Port != 0 {
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(u.Port))
	}
	writeURIParams(b, u.Params)
	if u.Headers != "" {
		b.WriteByte('?')
		b.WriteString(u.Headers)
	}
}

// bracketed: RFC 3261 §25.1 IPv6reference.
func bracketed(host string) string {
	if strings.IndexByte(host, ':') >= 0 && host[0] != '[' {
		return "[" + host + "]"
	}
	return host
}

func writeURIParams(b *strings.Builder, params Params) {
	for _, p := range params {
		b.WriteByte(';')
		b.WriteString(escape(p.Key, paramMarks))
		if p.HasValue {
			b.WriteByte('=')
			b.WriteString(escape(p.Value, paramMarks))
		}
	}
}
