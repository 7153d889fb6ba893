package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/icholy/digest"

	"liandong/sip/header"
)

// ErrChallenge says that no challenge was one that we can answer.
var ErrChallenge = errors.New("auth: no challenge that can be answered")

// Credentials are ours towards a trunk. They log without the password.
type Credentials struct{ Username, Password string }

// LogValue hides the password.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c Credentials) String() string { return c.Username + ":***" }

// GoString hides the password.
func (c Credentials) GoString() string { return c.String() }

// MarshalText hides it in JSON, also in a log of what they are a part of.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Respond answers the first challenge that it can, as RFC 8760 §2.4 wants it.
// challenges are the WWW-Authenticate and Proxy-Authenticate fields of a 401
// or 407; nc counts the uses of the nonce from 1; cnonce is of the caller's
// random numbers.
func (c Credentials) Respond(
	challenges []header.Field, method, uri string, nc int, cnonce string,
) (header.Field, error) {
	for _, f := range challenges {
		chal, err := parseChallenge(f.Value)
		if err != nil || !chooseQOP(chal) || !digest.CanDigest(chal) {
			continue
		}
		cred, err := digest.Digest(chal, digest.Options{
			Method: method, URI: uri, Count: nc, Username: c.Username, Password: c.Password, Cnonce: cnonce,
		})
		if err != nil {
			return header.Field{}, fmt.Errorf("auth: %w", err)
		}
		name := "Authorization"
		if strings.EqualFold(f.Name, "Proxy-Authenticate") {
			name = "Proxy-Authorization"
		}
		return header.Field{Name: name, Value: cred.String()}, nil
	}
	return header.Field{}, ErrChallenge
}

// Stale says of a challenge that the credentials were right but for their nonce
// (RFC 7616 §3.3).
func Stale(challenge string) bool {
	chal, err := digest.ParseChallenge(challenge)
	return err == nil && chal.Stale
}

// chooseQOP settles for auth, or for none if none is offered.
func chooseQOP(c *digest.Challenge) bool {
	if len(c.QOP) == 0 {
		return true
	}
	for _, q := range c.QOP {
		if strings.EqualFold(strings.TrimSpace(q), "auth") { // qop="auth-int, auth" is cut at the comma only
			c.QOP = []string{"auth"}
			return true
		}
	}
	return false
}
