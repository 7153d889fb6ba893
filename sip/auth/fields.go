package auth

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/icholy/digest"

	"liandong/sip/header"
)

// The library's own readers take no HTAB, no blank before a comma, no empty element and no escaped quote (RFC 3261
// §7.3.1, §25.1); here a value is read as any other of SIP.

// digestFields reads the parameters of a Digest challenge or of credentials. One that comes twice is a contradiction.
func digestFields(s string) (map[string]string, error) {
	s = strings.TrimLeft(s, blanks)
	end := strings.IndexAny(s, blanks)
	if end < 0 || !strings.EqualFold(s[:end], "Digest") {
		return nil, fmt.Errorf("%w: not of the Digest scheme", ErrMissing)
	}
	parts, ok := header.Split(s[end:], ',')
	fields := map[string]string{}
	for _, part := range parts {
		if part = strings.Trim(part, blanks); part == "" {
			continue
		}
		p, err := header.ParseParam(part)
		key := strings.ToLower(p.Key)
		if _, twice := fields[key]; err != nil || twice {
			return nil, fmt.Errorf("%w: %s", ErrMissing, key)
		}
		fields[key] = p.Value
	}
	if !ok {
		return nil, fmt.Errorf("%w: quote left open", ErrMissing)
	}
	return fields, nil
}

// blanks also hold what is left of a folded line.
const blanks = " \t\r\n"

// Claimed is the user that an Authorization names, proved or not.
func Claimed(authorization string) (user string, ok bool) {
	fields, err := digestFields(authorization)
	if err != nil {
		return "", false
	}
	user, ok = fields["username"]
	return user, ok
}

func parseCredentials(s string) (*digest.Credentials, error) {
	f, err := digestFields(s)
	if err != nil {
		return nil, err
	}
	c := &digest.Credentials{
		Username: f["username"], Realm: f["realm"], Nonce: f["nonce"], URI: f["uri"], Response: f["response"],
		Algorithm: f["algorithm"], Cnonce: f["cnonce"], Opaque: f["opaque"], QOP: f["qop"],
		Userhash: strings.EqualFold(f["userhash"], "true"),
	}
	if nc, has := f["nc"]; has {
		n, err := strconv.ParseInt(nc, 16, 32)
		if err != nil {
			return nil, fmt.Errorf("%w: nc", ErrMissing)
		}
		c.Nc = int(n)
	}
	return c, nil
}

func parseChallenge(s string) (*digest.Challenge, error) {
	f, err := digestFields(s)
	if err != nil {
		return nil, err
	}
	c := &digest.Challenge{
		Realm: f["realm"], Nonce: f["nonce"], Opaque: f["opaque"], Algorithm: f["algorithm"], Charset: f["charset"],
		Domain: strings.Fields(f["domain"]),
		Stale:  strings.EqualFold(f["stale"], "true"), Userhash: strings.EqualFold(f["userhash"], "true"),
	}
	if qop, has := f["qop"]; has {
		c.QOP = strings.Split(qop, ",")
	}
	return c, nil
}
