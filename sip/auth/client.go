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

// Respond answers the first challenge that it can, as RFC 8760 §2.4 wants it.
// challenges are the WWW-Authenticate and Proxy-Authenticate fields of a 401
// or 407; nc counts the uses of the nonce from 1; cnonce is of the caller's
// random numbers.
func (c Credentials) Respond(challenges []header.Field, method, uri string, nc int, cnonce string) (header.Field, error) {
	for _, f := range challenges {
		chal, err := digest.ParseChallenge(f.Value)
		if err != nil || !digest.CanDigest(chal) || len(chal.QOP) > 0 && !chal.SupportsQOP("auth") {
			continue
		}
		if len(chal.QOP) > 0 {
			chal.QOP = []string{"auth"}
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
