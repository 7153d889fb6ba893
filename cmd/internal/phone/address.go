package phone

import (
	"net/netip"
	"strings"
)

// splitList takes a comma list apart, minding quotes and angle brackets.
func splitList(s string) []string {
	var out []string
	quoted, depth, start := false, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			depth++
		case c == '>':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

// cutAddr parts a From, To, Contact or PAI value into the URI and what stands before and behind it.
func cutAddr(s string) (display, uri, params string) {
	if i := bracket(s); i >= 0 {
		end := strings.IndexByte(s[i:], '>')
		if end < 0 {
			return "", s[i+1:], ""
		}
		return strings.Trim(strings.TrimSpace(s[:i]), `"`), s[i+1 : i+end], s[i+end+1:]
	}
	// RFC 3261 §20.10: without brackets every parameter belongs to the header.
	uri, rest, found := strings.Cut(strings.TrimSpace(s), ";")
	if found {
		rest = ";" + rest
	}
	return "", uri, rest
}

// bracket is the first '<' outside quotes.
func bracket(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '<' && !quoted:
			return i
		}
	}
	return -1
}

// param is the value of ;key=value behind an address, URI or Via.
func param(s, key string) (string, bool) {
	for _, p := range strings.Split(s, ";")[1:] {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), key) {
			return strings.Trim(strings.TrimSpace(v), `"`), true
		}
	}
	return "", false
}

func tagOf(address string) string {
	_, _, params := cutAddr(address)
	tag, _ := param(params, "tag")
	return tag
}

// uriUser is the user part, or the number of a tel: URI, without parameters.
func uriUser(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	user, _, found := strings.Cut(rest, "@")
	if !found && !strings.HasPrefix(strings.ToLower(uri), "tel:") {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":")
	return user
}

// uriAddr is the address of a URI whose host is an IP; port 5060 when it names none.
func uriAddr(uri string) (netip.AddrPort, bool) {
	_, rest, _ := strings.Cut(uri, ":")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	return hostPort(rest)
}

func hostPort(s string) (netip.AddrPort, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap, true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return netip.AddrPortFrom(a, 5060), err == nil
}

// via is the parts of the topmost Via we answer by.
type via struct {
	sentBy, branch, params string
}

func (m *Message) via() via {
	all := m.All("Via")
	if len(all) == 0 {
		return via{}
	}
	head, params, _ := strings.Cut(all[0], ";")
	params = ";" + params
	field := strings.Fields(head)
	v := via{params: params}
	if len(field) > 1 {
		v.sentBy = field[len(field)-1]
	}
	v.branch, _ = param(params, "branch")
	return v
}
