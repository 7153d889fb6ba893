package number

import (
	"strings"

	"liandong/sip/header"
)

// Read decides who calls: P-Asserted-Identity (tel before sip), then
// Remote-Party-ID, then From. The first two are believed only from a trusted
// peer (RFC 3325 §5). A wish for privacy keeps the number and marks it.
func (p Plan) Read(id header.Identity, trusted bool) Number {
	n := p.first(id, trusted)
	if withheld(id) && n.Status == OK {
		n.Status = Restricted
	}
	return n
}

func (p Plan) first(id header.Identity, trusted bool) Number {
	if trusted {
		for _, source := range []struct {
			name string
			list []header.NameAddr
		}{{"pai", telFirst(id.PAI)}, {"rpid", id.RPID}} {
			for _, a := range source.list {
				if n := p.of(a, source.name); n.Status == OK {
					return n
				}
			}
		}
	}
	return p.of(id.From, "from")
}

func telFirst(list []header.NameAddr) []header.NameAddr {
	var tel, other []header.NameAddr
	for _, a := range list {
		if a.URI.Scheme == "tel" {
			tel = append(tel, a)
		} else {
			other = append(other, a)
		}
	}
	return append(tel, other...)
}

func (p Plan) of(a header.NameAddr, source string) Number {
	user, _, _ := strings.Cut(a.URI.User, ";") // sip:+86…;phone-context=…@host
	if user == "" || strings.EqualFold(user, "anonymous") || strings.EqualFold(user, "unavailable") ||
		strings.EqualFold(user, "unknown") || strings.EqualFold(a.URI.Host, "anonymous.invalid") {
		return Number{Raw: user, Status: Unavailable, Source: source}
	}
	e164, ok := p.Normalise(user)
	if !ok {
		return Number{Raw: user, Status: Invalid, Source: source}
	}
	return Number{E164: e164, Raw: user, Status: OK, Source: source}
}

// withheld: the caller asked for its identity to be kept back (RFC 3323 §4.2,
// RFC 3325 §9.3; privacy= of Remote-Party-ID).
func withheld(id header.Identity) bool {
	for _, w := range id.Privacy {
		if w == "id" || w == "user" || w == "header" {
			return true
		}
	}
	for _, a := range id.RPID {
		if w, ok := a.Params.Get("privacy"); ok && !strings.EqualFold(w, "off") {
			return true
		}
	}
	return false
}
