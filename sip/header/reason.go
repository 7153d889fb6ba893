package header

import (
	"fmt"
	"strconv"
	"strings"
)

// Reason is why a request was sent: RFC 3326.
type Reason struct {
	Protocol string // SIP, Q.850 …
	Cause    int    // 0: not said
	Text     string
	Params   Params // any others
}

// ParseReasons reads the value of one Reason field.
func ParseReasons(s string) ([]Reason, error) { return each(s, parseReason) }

func parseReason(s string) (Reason, error) {
	protocol, rest, more := strings.Cut(s, ";")
	r := Reason{Protocol: unfold(protocol)}
	if !IsToken(r.Protocol) {
		return Reason{}, fmt.Errorf("%w: protocol of a Reason", ErrSyntax)
	}
	if !more {
		return r, nil
	}
	params, err := parseParams(";" + rest)
	if err != nil {
		return Reason{}, err
	}
	r.Cause = countOf(params, "cause")
	r.Text, _ = params.Get("text")
	r.Params = params.Without("cause", "text")
	return r, nil
}

// String writes it as RFC 3326 §2 shows it.
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString(r.Protocol)
	if r.Cause != 0 {
		b.WriteString(" ;cause=")
		b.WriteString(strconv.Itoa(r.Cause))
	}
	if r.Text != "" {
		b.WriteString(" ;text=")
		b.WriteString(quote(r.Text))
	}
	r.Params.write(&b)
	return b.String()
}

// FormatReasons writes the value of one Reason field.
func FormatReasons(list []Reason) string { return join(list) }
