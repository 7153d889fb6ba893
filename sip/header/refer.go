package header

import (
	"fmt"
	"strings"
)

// ReferTo is whom the sender of a REFER wants to be called (RFC 3515 §2.1).
type ReferTo struct {
	URI      URI       // without its headers and without the method
	Method   string    // in upper case; empty: INVITE
	Replaces *Replaces // the dialog whose place the new call takes (RFC 3891); nil: none
}

// ParseReferTo reads Refer-To as phones send it: with and without angle
// brackets, scheme, host, port and display name, and with a Replaces that is
// escaped or is not.
func ParseReferTo(s string) (ReferTo, error) {
	uri, err := referredURI(unfold(s))
	if err != nil {
		return ReferTo{}, err
	}
	uri, headers, _ := strings.Cut(uri, "?")
	var r ReferTo
	if r.URI, err = ParseURI(uri); err != nil {
		if r.URI, err = ParseURI("sip:" + uri); err != nil {
			return ReferTo{}, err
		}
	}
	if r.URI.Opaque != "" || strings.Contains(r.URI.User, "?") {
		return ReferTo{}, fmt.Errorf("%w: nobody that can be called", ErrURI)
	}
	if method, ok := r.URI.Params.Get("method"); ok {
		r.Method = strings.ToUpper(method)
		if r.URI.Params = r.URI.Params.Without("method"); !IsToken(r.Method) {
			return ReferTo{}, fmt.Errorf("%w: method", ErrSyntax)
		}
	}
	if r.URI.Scheme != "tel" { // which has no headers
		r.Replaces, err = replacesIn(headers)
	}
	return r, err
}

// referredURI is the URI of the value with its headers. Without brackets all
// that follows belongs to it: RFC 3515 §2.1 wants brackets then, not all phones do.
func referredURI(s string) (string, error) {
	if !strings.ContainsAny(s, `<"`) {
		return s, nil
	}
	_, uri, _, err := SplitNameAddr(s)
	if err != nil {
		return "", err
	}
	// RFC 3515 §2.4.2: a REFER names one party; a list is none of these.
	if rest := unfold(s[strings.LastIndexByte(s, '>')+1:]); strings.Count(s, "<") > 1 || rest != "" && rest[0] != ';' {
		return "", fmt.Errorf("%w: more than one URI", ErrSyntax)
	}
	return uri, nil
}

// replacesIn finds Replaces among the headers of a URI (RFC 3261 §19.1.1).
func replacesIn(headers string) (*Replaces, error) {
	for h := range strings.SplitSeq(headers, "&") {
		name, value, _ := strings.Cut(h, "=")
		if !strings.EqualFold(Unescape(name), "Replaces") {
			continue
		}
		r, err := ParseReplaces(Unescape(value))
		if err != nil {
			return nil, err
		}
		return &r, nil
	}
	return nil, nil
}

// Number is what was dialled: the user part, or all there is where the phone
// leaves the host out.
func (r ReferTo) Number() string {
	if r.URI.User != "" {
		return r.URI.User
	}
	return r.URI.Host
}

// String writes the strict form.
func (r ReferTo) String() string {
	uri := r.URI
	if r.Method != "" {
		uri.Params = uri.Params.With("method", r.Method)
	}
	if r.Replaces != nil {
		uri.Headers = "Replaces=" + escape(r.Replaces.String(), valueMarks)
	}
	return NameAddr{URI: uri}.String()
}

// Replaces names a dialog by what its parties call it (RFC 3891 §6.1). Join has
// the same form (RFC 3911 §7.1).
type Replaces struct {
	CallID    string
	To, From  string // the tags: To is that of whoever gets the header
	EarlyOnly bool   // not once the dialog has been answered
}

// ParseReplaces reads Replaces or Join. RFC 3891 §6.1: "exactly one to-tag
// parameter and exactly one from-tag parameter".
func ParseReplaces(s string) (Replaces, error) {
	id, rest, _ := strings.Cut(unfold(s), ";")
	r := Replaces{CallID: unfold(id)}
	seen := map[string]int{}
	for part := range strings.SplitSeq(rest, ";") {
		key, value, _ := strings.Cut(part, "=")
		key, value = strings.ToLower(unfold(key)), unfold(value)
		seen[key]++
		switch key {
		case "to-tag":
			r.To = value
		case "from-tag":
			r.From = value
		case "early-only":
			r.EarlyOnly = true
		}
	}
	if !isCallID(r.CallID) || seen["to-tag"] != 1 || seen["from-tag"] != 1 || r.To != "" && !IsToken(r.To) ||
		!IsToken(r.From) {
		return Replaces{}, fmt.Errorf("%w: Call-ID, one to-tag and one from-tag", ErrSyntax)
	}
	return r, nil
}

// isCallID: RFC 3261 §25.1 callid.
func isCallID(s string) bool { return s != "" && only(s, "-.!%*_+`'~()<>:\\\"/[]?{}@") }

func (r Replaces) String() string {
	s := r.CallID + ";to-tag=" + r.To + ";from-tag=" + r.From
	if r.EarlyOnly {
		s += ";early-only"
	}
	return s
}
