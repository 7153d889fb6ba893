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
	display, uri, params, err := splitNameAddr(unfold(s))
	if err != nil {
		return NameAddr{}, err
	}
	n := NameAddr{Display: display}
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

// FormatNameAddrs writes a comma list of parties.
func FormatNameAddrs(list []NameAddr) string { return join(list) }

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

// splitNameAddr finds the three parts of a trimmed value.
func splitNameAddr(s string) (display, uri, params string, err error) {
	if strings.HasPrefix(s, `"`) {
		end := closingQuote(s)
		if end < 0 {
			return "", "", "", fmt.Errorf("%w: display name left open", ErrSyntax)
		}
		display, _ = unquote(s[:end+1])
		if s = unfold(s[end+1:]); !strings.HasPrefix(s, "<") {
			return "", "", "", fmt.Errorf("%w: no URI behind the display name", ErrSyntax)
		}
	}
	open := strings.IndexByte(s, '<')
	if open < 0 {
		// RFC 3261 §20: without brackets the parameters are the header's.
		uri, params, _ = strings.Cut(s, ";")
		if params != "" {
			params = ";" + params
		}
		return "", unfold(uri), params, nil
	}
	if open > 0 {
		display = strings.Trim(clean(s[:open]), " ")
	}
	uri, params, closed := strings.Cut(s[open+1:], ">")
	if !closed || strings.Contains(s[:open], `"`) {
		return "", "", "", fmt.Errorf("%w: quote or bracket left open", ErrSyntax)
	}
	return display, unfold(uri), unfold(params), nil
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
