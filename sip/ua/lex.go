package ua

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
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

// splitOutside cuts s at each sep that stands outside of quotes and angle brackets.
func splitOutside(s string, sep byte) []string {
	var parts []string
	start, quoted, angle := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == sep && !angle:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// readParams reads what follows the first ';' of a header value.
func readParams(s string) (gosip.HeaderParams, error) {
	var params gosip.HeaderParams
	for _, part := range splitOutside(s, ';') {
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
func readVia(s string) (*gosip.ViaHeader, error) {
	head, rest, _ := strings.Cut(s, ";")
	protocol, head, ok1 := strings.Cut(head, "/")
	version, head, ok2 := strings.Cut(head, "/")
	head = trim(head)
	end := strings.IndexAny(head, blanks)
	if !ok1 || !ok2 || end < 1 || !strings.EqualFold(trim(protocol), "SIP") {
		return nil, errVia
	}
	params, err := readParams(rest)
	if err != nil {
		return nil, err
	}
	host, port, err := readHostPort(trim(head[end:]))
	if err != nil {
		return nil, err
	}
	return &gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: trim(version), Transport: head[:end],
		Host: host, Port: port, Params: params,
	}, nil
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

// address is one name-addr or addr-spec with the header's parameters.
type address struct {
	display string
	uri     gosip.Uri
	params  gosip.HeaderParams
}

func readAddress(s string) (address, error) {
	var a address
	display, uri, rest, err := splitAddress(trim(s))
	if err != nil {
		return a, err
	}
	if a.params, err = readParams(rest); err != nil {
		return a, err
	}
	a.display = display
	return a, readURI(uri, &a.uri)
}

// readParty reads From or To: one party, which "*" is not.
func readParty(s string) (address, error) {
	a, err := readAddress(s)
	if err != nil || a.uri.Wildcard {
		return address{}, errNoURI
	}
	return a, nil
}

// splitAddress finds display name, URI and parameters of a trimmed value.
func splitAddress(s string) (display, uri, rest string, err error) {
	after := s
	if strings.HasPrefix(s, `"`) {
		end := closingQuote(s)
		if end < 0 {
			return "", "", "", errUnclosed
		}
		display, after = s[1:end], trim(s[end+1:])
		if !strings.HasPrefix(after, "<") {
			return "", "", "", errNoURI
		}
	}
	open := strings.IndexByte(after, '<')
	if open < 0 {
		return splitBare(s)
	}
	end := strings.IndexByte(after[open:], '>')
	if end < 0 {
		return "", "", "", errUnclosed
	}
	if open > 0 {
		display = strings.ReplaceAll(trim(after[:open]), `"`, "")
	}
	uri, rest = trim(after[open+1:open+end]), trim(after[open+end+1:])
	if rest != "" && rest[0] != ';' {
		return "", "", "", fmt.Errorf("ua: %w", errUnclosed)
	}
	return display, uri, strings.TrimPrefix(rest, ";"), nil
}

// splitBare handles a URI without angle brackets. RFC 3261 §20: a URI with a
// comma, question mark or semicolon MUST be in brackets; what follows a
// semicolon belongs to the header.
func splitBare(s string) (display, uri, rest string, err error) {
	uri, rest, _ = strings.Cut(s, ";")
	uri = trim(uri)
	if strings.ContainsAny(uri, "?,\">"+blanks) {
		return "", "", "", errNoURI
	}
	return "", uri, rest, nil
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
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
func readCSeq(s string) (*gosip.CSeqHeader, error) {
	parts := strings.Fields(s)
	if len(parts) != 2 || !isToken(parts[1]) {
		return nil, errCSeq
	}
	n, err := strconv.ParseUint(parts[0], 10, 31)
	if err != nil {
		return nil, errCSeq
	}
	return &gosip.CSeqHeader{SeqNo: uint32(n), MethodName: gosip.RequestMethod(parts[1])}, nil
}

// isToken: RFC 3261 §25.1 token.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("-.!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}
