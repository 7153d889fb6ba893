package ua

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// The library's own header parsers lose what follows a quoted parameter and
// white space around separators, so the five header fields that decide where
// an answer goes are read here, into the library's types.

var (
	errNoURI    = errors.New("ua: no URI")
	errUnclosed = errors.New("ua: quote or bracket left open")
	errVia      = errors.New("ua: Via is not protocol/version/transport host")
	errCSeq     = errors.New("ua: CSeq is not a number below 2^31 and a method")
)

const blanks = " \t"

func trim(s string) string { return strings.Trim(s, blanks) }

// readParams reads what follows the first ';' of a header value, into room while there is some.
func readParams(s string, room gosip.HeaderParams) (gosip.HeaderParams, error) {
	params := room[:0]
	for more := s != ""; more; {
		var part string
		var closed bool
		if part, s, more, closed = header.Cut(s, ';'); !closed {
			return nil, errUnclosed
		}
		key, value, _ := strings.Cut(part, "=")
		key, value = trim(key), trim(value)
		if key == "" && value == "" {
			continue // ";;" is seen in the field and harms nobody
		}
		if key == "" || strings.ContainsAny(key, blanks+"\"<>,") {
			return nil, fmt.Errorf("ua: parameter name %q", key)
		}
		params.Add(lowerKnown(key), unquoteSpaced(value))
	}
	if len(params) == 0 {
		return nil, nil
	}
	return params, nil
}

// lowerKnown folds the parameter names that are looked up; all names are
// case-insensitive (RFC 3261 §7.3.1), the others are left as they came.
func lowerKnown(key string) string {
	for _, known := range [...]string{"tag", "branch", "received", "rport", "expires", "maddr", "ttl", "q"} {
		if strings.EqualFold(key, known) {
			return known
		}
	}
	return key
}

// unquoteSpaced takes the quotes off a value that the library will quote again
// when it prints it, which is one with a blank in it.
func unquoteSpaced(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' && strings.ContainsAny(v, blanks) {
		return v[1 : len(v)-1]
	}
	return v
}

// readVia reads one Via value: RFC 3261 §25.1 via-parm, blanks allowed around
// every separator.
func readVia(s string, via *gosip.ViaHeader) error {
	head, rest, _ := strings.Cut(s, ";")
	protocol, head, ok1 := strings.Cut(head, "/")
	version, head, ok2 := strings.Cut(head, "/")
	head = trim(head)
	end := strings.IndexAny(head, blanks)
	if !ok1 || !ok2 || end < 1 || !strings.EqualFold(trim(protocol), "SIP") {
		return errVia
	}
	params, err := readParams(rest, via.Params)
	if err != nil {
		return err
	}
	host, port, err := readHostPort(trim(head[end:]))
	if err != nil {
		return err
	}
	*via = gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: trim(version), Transport: head[:end],
		Host: host, Port: port, Params: params,
	}
	return nil
}

// readHostPort reads a sent-by; an IPv6 address keeps its brackets.
func readHostPort(s string) (host string, port int, err error) {
	host, rest := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, errUnclosed
		}
		host, rest = s[:end+1], trim(s[end+1:])
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, rest = trim(s[:i]), s[i:]
	}
	if host == "" || strings.ContainsAny(host, blanks+"\"<>@,") {
		return "", 0, errVia
	}
	if rest == "" {
		return host, 0, nil
	}
	port, err = strconv.Atoi(trim(strings.TrimPrefix(rest, ":")))
	if err != nil || port < 1 || port > 65535 || rest[0] != ':' {
		return "", 0, errVia
	}
	return host, port, nil
}

// address is one name-addr or addr-spec with the header's parameters. From and To are the same by other names.
type address = gosip.ContactHeader

// readAddress reads one. Params are read into what there is room for.
func readAddress(s string, a *address) error {
	display, uri, params, err := header.SplitNameAddr(s)
	if err != nil {
		return err
	}
	if len(display) >= 2 && display[0] == '"' && display[len(display)-1] == '"' {
		display = display[1 : len(display)-1]
	}
	a.DisplayName = display
	if a.Params, err = readParams(params, a.Params); err != nil {
		return err
	}
	return readURI(uri, &a.Address)
}

// readParty reads From or To: one party, which "*" is not.
func readParty(s string, a *address) error {
	if err := readAddress(s, a); err != nil || a.Address.Wildcard {
		return errNoURI
	}
	return nil
}

func readURI(s string, uri *gosip.Uri) error {
	if s == "*" {
		uri.Host, uri.Wildcard = "*", true
		return nil
	}
	if s == "" || strings.ContainsAny(s, blanks+"<>\"") || !schemeOK(s) {
		return errNoURI
	}
	if err := gosip.ParseUri(s, uri); err != nil {
		return fmt.Errorf("ua: URI: %w", err)
	}
	if (uri.Scheme == "sip" || uri.Scheme == "sips") && uri.Host == "" {
		return errNoURI
	}
	return nil
}

// schemeOK says whether s begins with a URI scheme (RFC 3986 §3.1).
func schemeOK(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch {
		case s[i] == ':':
			return i > 0
		case c >= 'a' && c <= 'z':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		default:
			return false
		}
	}
	return false
}

// readCSeq: RFC 3261 §8.1.1.5, the number is below 2^31.
func readCSeq(s string, cseq *gosip.CSeqHeader) error {
	end := max(0, strings.IndexAny(s, blanks))
	method := trim(s[end:])
	n, err := strconv.ParseUint(s[:end], 10, 31)
	if err != nil || !header.IsToken(method) {
		return errCSeq
	}
	*cseq = gosip.CSeqHeader{SeqNo: uint32(n), MethodName: gosip.RequestMethod(method)}
	return nil
}
