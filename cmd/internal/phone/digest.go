package phone

import (
	"errors"
	"fmt"
	"strings"

	"github.com/icholy/digest"
)

// ErrNoChallenge is returned when a 401 or 407 offers nothing that we can answer.
var ErrNoChallenge = errors.New("phone: no digest challenge that we know")

// challenge is one that we answer, perhaps more than once: nc counts up (RFC 7616 §3.4).
type challenge struct {
	header string // of the answer: Authorization or Proxy-Authorization
	digest *digest.Challenge
	count  int
}

// readChallenge takes the topmost challenge that we can answer (RFC 8760 §2.4: the server lists its favourite first).
func (p *Phone) readChallenge(res *Message) (*challenge, error) {
	asked, answer := "WWW-Authenticate", "Authorization"
	if res.Code == 407 {
		asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.Headers {
		if !strings.EqualFold(h.Name, asked) {
			continue
		}
		c, err := digest.ParseChallenge(h.Value)
		if err != nil || !digest.CanDigest(c) {
			continue
		}
		for i := range c.QOP {
			c.QOP[i] = strings.TrimSpace(c.QOP[i])
		}
		if p.cfg.Algorithm == "" || strings.EqualFold(p.cfg.Algorithm, algorithm(c.Algorithm)) {
			return &challenge{header: answer, digest: c}, nil
		}
	}
	return nil, fmt.Errorf("%w in %d", ErrNoChallenge, res.Code)
}

// algorithm names the default (RFC 7616 §3.3).
func algorithm(name string) string {
	if name == "" {
		return "MD5"
	}
	return name
}

// sign puts the credentials into a request.
func (p *Phone) sign(req *Message, c *challenge) error {
	c.count++
	cred, err := digest.Digest(c.digest, digest.Options{
		Method: req.Method, URI: req.URI, Count: c.count, Username: p.cfg.User, Password: p.cfg.Password,
	})
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	req.set(c.header, cred.String())
	return nil
}
