// Package disclose says who may see which number: what a line's desks, those who watch their lamps and the
// trunks behind which others sit are told of a caller. It is pure, and its rules are tables.
package disclose

import (
	"net/netip"
	"strings"
	"unicode"

	"liandong/routing/desk"
	"liandong/routing/number"
)

// Caller is who calls, and the network that he has come from.
type Caller struct {
	number.Number
	Network string
}

// AnyNetwork stands for whoever watches, from whichever network.
const AnyNetwork = ""

// audience is who may see a number.
type audience uint8

const (
	nobody    audience = iota // there is nothing to see
	permitted                 // lines whose policy says so, an emergency desk's, and trunks that are trusted
	everybody
)

// audiences is the rule for each status of a number. What is no number is shown as it is: it may tell a desk something.
var audiences = map[number.Status]audience{
	number.OK:          everybody,
	number.Invalid:     everybody,
	number.Restricted:  permitted, // RFC 3323 §4.1: the caller does not want it shown
	number.Unavailable: nobody,
}

// ID is the number as it came, which is how a desk's own system knows to call back; "": there is none to
// show. What is no number and looks like a host stays in the network that it came from.
func (c Caller) ID(network string) string {
	if audiences[c.Status] == nobody || network != c.Network && NamesHost(c.Raw) {
		return ""
	}
	return c.Raw
}

// ToLine is what the desks of a line see in a network, or who watches them; "": nothing. A nil line has no policy.
func (c Caller) ToLine(line *desk.Hotline, network string) string {
	if c.mayBeSeen(line) {
		return c.ID(network)
	}
	return ""
}

func (c Caller) mayBeSeen(line *desk.Hotline) bool {
	switch audiences[c.Status] {
	case everybody:
		return true
	case permitted:
		return line != nil && line.RevealRestricted
	}
	return false
}

// FromTo is whose number stands in From of a call to a trunk, for a line or, with nil, for nobody's; "": nobody's. One
// that is withheld goes to trusted trunks only, whatever the line may see (RFC 3323 §4.1, RFC 3325 §7).
func (c Caller) FromTo(t *desk.Trunk, line *desk.Hotline) string {
	switch {
	case t.From == desk.Own:
		return t.OwnNumber
	case t.Trusted || audiences[c.Status] == everybody:
		return c.ToLine(line, t.Network)
	}
	return ""
}

// AssertedTo is the identity that a trunk is told, "" none, and whether the caller's wish for privacy goes
// with it. RFC 3325 §9.1: to a trusted peer only.
func (c Caller) AssertedTo(t *desk.Trunk) (id string, private bool) {
	if !t.PAI || !t.Trusted {
		return "", false
	}
	return c.ID(t.Network), audiences[c.Status] == permitted
}

// NamesHost says whether a user part holds an address, or what may be a name.
func NamesHost(user string) bool {
	if strings.ContainsAny(user, "@:[]") {
		return true
	}
	if !strings.Contains(user, ".") {
		return false
	}
	_, err := netip.ParseAddr(user)
	return err == nil || strings.ContainsFunc(user, unicode.IsLetter)
}
