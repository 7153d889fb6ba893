package event

import (
	"strconv"
	"strings"
)

// ConferenceInfo is the Content-Type of a [ConferenceState] (RFC 4575 §8.1).
const ConferenceInfo = "application/conference-info+xml"

// ConferenceState is who is in a conference (RFC 4575 §5): the whole state.
type ConferenceState struct {
	Entity  string // URI of the conference
	Host    string // of the users' URIs
	Version uint32
	Active  bool // not over
	Users   []Attendee
}

// Attendee is one of those who are there. Comparable.
type Attendee struct {
	User string // number or user; "": withheld
	Role string // "caller", or the id of a desk's line
}

// XML writes the document. RFC 4575 §5.3: "the notifier MUST" give each user an
// entity that no other one has.
func (c ConferenceState) XML() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"`)
	attribute(&b, "entity", c.Entity)
	b.WriteString(` state="full" version="` + strconv.FormatUint(uint64(c.Version), 10) + `"` + ">\n")
	b.WriteString("<conference-description/>\n<conference-state>\n<user-count>" + strconv.Itoa(len(c.Users)) +
		"</user-count>\n<active>" +
		strconv.FormatBool(c.Active) + "</active>\n</conference-state>\n<users>\n")
	for _, u := range c.Users {
		u.write(&b, c.Host)
	}
	b.WriteString("</users>\n</conference-info>\n")
	return []byte(b.String())
}

func (a Attendee) write(b *strings.Builder, host string) {
	uri := "sip:" + a.User + "@" + host
	if a.User == "" {
		uri = "sip:anonymous@anonymous.invalid" // RFC 3323 §4.1.1.3
	}
	b.WriteString("<user")
	attribute(b, "entity", uri)
	b.WriteString(` state="full"` + ">\n<display-text>")
	if escape(b, a.User); a.User == "" {
		b.WriteString("anonymous")
	}
	b.WriteString("</display-text>\n<roles>\n<entry>")
	escape(b, a.Role)
	b.WriteString("</entry>\n</roles>\n<endpoint")
	attribute(b, "entity", uri)
	b.WriteString(">\n<status>connected</status>\n</endpoint>\n</user>\n")
}
