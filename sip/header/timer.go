package header

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SessionExpires is the interval of a session timer and who refreshes: RFC
// 4028 §4.
type SessionExpires struct {
	Interval  time.Duration // whole seconds
	Refresher string        // uac, uas, or empty
}

// ParseSessionExpires reads the value of Session-Expires.
func ParseSessionExpires(s string) (SessionExpires, error) {
	interval, params, err := parseSeconds(s)
	if err != nil {
		return SessionExpires{}, err
	}
	refresher, _ := params.Get("refresher")
	switch refresher = strings.ToLower(refresher); refresher {
	case "", "uac", "uas":
	default:
		refresher = "" // unknown: as if it were not there, and negotiated anew
	}
	return SessionExpires{Interval: interval, Refresher: refresher}, nil
}

// parseSeconds reads delta-seconds (RFC 3261 §25.1) and parameters.
func parseSeconds(s string) (time.Duration, Params, error) {
	text, rest, more := strings.Cut(unfold(s), ";")
	n, err := strconv.ParseUint(unfold(text), 10, 32)
	if err != nil || !allDigits(unfold(text)) {
		return 0, nil, fmt.Errorf("%w: not a number of seconds below 2^32", ErrSyntax)
	}
	if !more {
		return time.Duration(n) * time.Second, nil, nil
	}
	params, err := parseParams(";" + rest)
	return time.Duration(n) * time.Second, params, err
}
