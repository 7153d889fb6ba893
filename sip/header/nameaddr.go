package header

import (
	"fmt"
	"strings"
)

// NameAddr is a party with its display name and the header's own parameters.
type NameAddr struct {
	Display string
	URI     URI
	Params  Params
}

// ParseNameAddr reads one party: RFC 3261 §25.1 name-addr or addr-spec.
func ParseNameAddr(s string) (NameAddr, error) {
	display, uri, params, err := SplitNameAddr(s)
	if err != nil {
		return NameAddr{}, err
	}
	n := NameAddr{Display: displayText(display)}
	if n.URI, err = ParseURI(uri); err != nil {
		return NameAddr{}, err
	}
	if n.Params, err = parseParams(params); err != nil {
		return NameAddr{}, err
	}
	return n, nil
}

// ParseNameAddrs reads a comma list of parties.
func ParseNameAddrs(s string) ([]NameAddr, error) { return each(s, ParseNameAddr) }

// String always writes the angle brackets.
func (n NameAddr) String() string {
	var b strings.Builder
	if n.Display != "" {
		b.WriteString(quote(n.Display))
		b.WriteByte(' ')
	}
	b.WriteByte('<')
	n.URI.write(&b)
	b.WriteByte('>')
	n.Params.write(&b)
	return b.String()
}

// Tag is the tag of a From or To.
func (n NameAddr) Tag() string {
	tag, _ := n.Params.Get("tag")
	return tag
}

// SplitNameAddr finds the three parts of a value, each as written: the display name with its quotes, the URI, and the
// parameters, which are empty or begin with a semicolon. RFC 3261 §25.1 name-addr or addr-spec.
func SplitNameAddr(s string) (display, uri, params string, err error) {
	s = unfold(s)
	rest := s
	if strings.HasPrefix(s, `"`) {
		end := closingQuote(s)
		if end < 0 {
			return "", "", "", fmt.Errorf("%w: display name left open", ErrSyntax)
		}
		if rest = unfold(s[end+1:]); !strings.HasPrefix(rest, "<") {
			return "", "", "", fmt.Errorf("%w: no URI behind the display name", ErrSyntax)
		}
	}
	open := strings.IndexByte(rest, '<')
	if open < 0 || isBare(rest[:open]) {
		if uri, params = splitBare(s); strings.ContainsAny(uri, "?,") { // RFC 3261 §20: these MUST be in brackets
			return "", "", "", fmt.Errorf("%w: no brackets around the URI", ErrSyntax)
		}
		return "", uri, params, nil
	}
	display = unfold(s[:len(s)-len(rest)+open])
	uri, params, closed := strings.Cut(rest[open+1:], ">")
	params = unfold(params)
	odd := strings.Count(rest[:open], `"`)%2 != 0
	if !closed || odd || params != "" && params[0] != ';' {
		return "", "", "", fmt.Errorf("%w: bracket left open, or something behind it", ErrSyntax)
	}
	return display, unfold(uri), params, nil
}

// isBare says that what stands before an angle bracket is a URI that stands by itself: the bracket is then in a
// parameter of the header, as in +sip.instance="<urn:uuid:…>".
func isBare(before string) bool {
	uri, _, more := strings.Cut(before, ";")
	scheme, _, ok := strings.Cut(uri, ":")
	return more && ok && isScheme(scheme)
}

// splitBare: RFC 3261 §20, without brackets the parameters are the header's. A semicolon before the @ is the user's:
// there is no @ in a parameter but in quotes.
func splitBare(s string) (uri, params string) {
	start := 0
	if unquoted, _, _ := strings.Cut(s, `"`); strings.IndexByte(unquoted, '@') > 0 {
		start = strings.IndexByte(unquoted, '@')
	}
	end := strings.IndexByte(s[start:], ';')
	if end < 0 {
		return s, ""
	}
	return unfold(s[:start+end]), s[start+end:]
}

// displayText is the text of a display name as written.
func displayText(s string) string {
	if text, ok := unquote(s); ok {
		return text
	}
	return strings.Trim(clean(strings.ReplaceAll(s, `"`, "")), " ")
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
