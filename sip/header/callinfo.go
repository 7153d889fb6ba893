package header

import (
	"fmt"
	"strings"
)

// CallInfo is something more about a call: RFC 3261 §20.9. Call and incident
// ids have the purposes emergency-CallId and emergency-IncidentId.
type CallInfo struct {
	URI     string // as written
	Purpose string
	Params  Params // any others
}

// ParseCallInfo reads the value of one Call-Info field.
func ParseCallInfo(s string) ([]CallInfo, error) { return each(s, parseCallInfo) }

func parseCallInfo(s string) (CallInfo, error) {
	uri, rest, closed := strings.Cut(strings.TrimPrefix(s, "<"), ">")
	uri = unfold(uri)
	if s[0] != '<' || !closed || !isURIText(uri) {
		return CallInfo{}, fmt.Errorf("%w: Call-Info without <URI>", ErrSyntax)
	}
	params, err := parseParams(rest)
	if err != nil {
		return CallInfo{}, err
	}
	c := CallInfo{URI: uri}
	c.Purpose, _ = params.Get("purpose")
	c.Params = params.Without("purpose")
	return c, nil
}

func (c CallInfo) String() string {
	params := c.Params
	if c.Purpose != "" {
		params = params.With("purpose", c.Purpose)
	}
	return "<" + c.URI + ">" + params.String()
}
