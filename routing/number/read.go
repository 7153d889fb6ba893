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
	if n.Status == OK && (withheld(id) || anonymous(id.From)) {
		n.Status = Restricted
	}
	return n
}

func (p Plan) first(id header.Identity, trusted bool) Number {
	if trusted {
		for _, source := range []struct {
			name string
			list []header.NameAddr
		}{{"pai", telFirst(id.PAI)}, {"rpid", calling(id.RPID)}} {
			for _, a := range source.list {
				if n := p.of(a, source.name); n.Status == OK {
					return n
				}
			}
		}
	}
	return p.of(id.From, "from")
}

// calling leaves out what a Remote-Party-ID says of another party than the
// caller (draft-ietf-sip-privacy-04 §5.1).
func calling(list []header.NameAddr) []header.NameAddr {
	var all []header.NameAddr
	for _, a := range list {
		if party, ok := a.Params.Get("party"); !ok || strings.EqualFold(party, "calling") {
			all = append(all, a)
		}
	}
	return all
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
	user, _, _ := strings.Cut(a.URI.User, "@") // sip:138…%40host@host: a whole address in the place of a number
	raw, _, _ := strings.Cut(user, ";")        // sip:+86…;phone-context=…@host
	raw = bounded(raw)
	if nameless(raw) || anonymous(a) {
		return Number{Raw: raw, Status: Unavailable, Source: source}
	}
	text := user
	if context, ok := a.URI.Params.Get("phone-context"); ok {
		text += ";phone-context=" + context
	}
	e164, ok := p.Normalise(text)
	if !ok {
		return Number{Raw: raw, Status: Invalid, Source: source}
	}
	return Number{E164: e164, Raw: raw, Status: OK, Source: source}
}

// nameless are the user parts that stand for no number at all.
func nameless(user string) bool {
	switch strings.ToLower(user) {
	case "", "anonymous", "unavailable", "unknown", "restricted", "private", "withheld":
		return true
	}
	return strings.Trim(user, "0") == "" // a handset without a SIM, as some networks show it
}

// anonymous: RFC 3323 §4.1.1.3.
func anonymous(a header.NameAddr) bool {
	return strings.EqualFold(a.URI.User, "anonymous") || strings.EqualFold(a.URI.Host, "anonymous.invalid")
}

// bounded is what is kept of a raw number: it goes into tickets and pages.
func bounded(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > maxRaw {
		s = strings.ToValidUTF8(s[:maxRaw], "")
	}
	return s
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
		w, _ := a.Params.Get("privacy") // name hides the name alone
		if strings.EqualFold(w, "full") || strings.EqualFold(w, "uri") {
			return true
		}
	}
	return false
}
