package leg

import (
	"errors"
	"fmt"
	"time"

	"liandong/sip/sdp"
)

// Config is the same for all legs of a switch. Immutable.
type Config struct {
	UserAgent      string
	T1, T2, T4     time.Duration // RFC 3261 §17.1.1.1: 500 ms, 4 s, 5 s
	SessionExpires time.Duration // RFC 4028; 0: we never ask for a session timer
	MinSE          time.Duration // the shortest session interval we agree to, not under 90 s
	Rand           func() uint64 // tags, branches, Call-IDs, CSeq start, glare
}

// Default is a Config with everything but Rand.
func Default() Config {
	return Config{
		UserAgent:      "liandong",
		T1:             500 * time.Millisecond,
		T2:             4 * time.Second,
		T4:             5 * time.Second,
		SessionExpires: 30 * time.Minute,
		MinSE:          90 * time.Second,
	}
}

// Validate reports every value that a leg cannot work with.
func (c Config) Validate() error {
	var errs []error
	bad := func(ok bool, key, allowed string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: must be %s", key, allowed))
		}
	}
	bad(c.T1 >= 10*time.Millisecond && c.T1 <= 5*time.Second, "t1", "10ms to 5s")
	bad(c.T2 >= c.T1 && c.T2 <= 64*c.T1, "t2", "t1 to 64*t1")
	bad(c.T4 > 0 && c.T4 <= time.Minute, "t4", "over 0 and up to 1m")
	// RFC 4028 §5: "the absolute minimum for the Session-Expires header field is 90 seconds"
	bad(c.MinSE >= 90*time.Second, "min_se", "90s or more")
	bad(c.SessionExpires == 0 || c.SessionExpires >= c.MinSE, "session_expires", "0 (off) or min_se and more")
	bad(c.Rand != nil, "rand", "given")
	return errors.Join(errs...)
}

// Local is our side of one leg.
type Local struct {
	Contact   string // URI that the party reaches us at: sip:host:port;transport=…
	ViaHost   string // host:port for Via
	Transport string // "udp", "tcp" or "tls", for Via
	Media     sdp.Local
	Others    []Hop // of a trunk: its targets, for when its Contact leads nowhere
}
