package ua

import (
	"errors"
	"log/slog"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/header"
)

// deniedCost is what a wrong password takes from its source's rate, so that
// passwords cannot be tried in bulk.
const deniedCost = 10

// authenticate asks for digest (RFC 3261 §22, RFC 8760) and answers the request
// itself unless the user has proven a password.
func (u *UA) authenticate(in *inbound) (user string, ok bool) {
	now := u.cfg.Now()
	if from := in.req.From(); !u.fits(from.Address.User, in.flow) {
		u.unfit(in) // before a password is asked for where it could be overheard
		return "", false
	}
	user, err := u.verify(in)
	switch {
	case err == nil && !u.fits(user, in.flow):
		u.unfit(in)
	case err == nil:
		in.prove()
		return user, true
	case errors.Is(err, auth.ErrDenied):
		u.counts.denied.Add(1)
		u.limiter.take(now, in.flow.Remote.Addr(), deniedCost)
		u.log.say(slog.LevelWarn, "wrong password or user", "network", in.flow.Network, "source", in.flow.Remote)
		u.respond(in, say(gosip.StatusForbidden, "Forbidden"))
	default:
		stale := errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrReplay)
		u.respond(in, say(gosip.StatusUnauthorized, "Unauthorized", u.digest.Challenge(now, stale, u.origins.digests(in.req)...)...))
	}
	return "", false
}

// unfit refuses a phone that came by a transport that is not for it. RFC 3261
// §20.43: 399 is for a person to read.
func (u *UA) unfit(in *inbound) {
	u.counts.denied.Add(1)
	u.log.say(slog.LevelWarn, "a phone came by a transport that its config forbids", "network", in.flow.Network, "source", in.flow.Remote, "transport", in.flow.Transport)
	u.respond(in, say(gosip.StatusForbidden, "Forbidden", header.Field{Name: "Warning", Value: `399 liandong "SIP over ` + in.flow.Transport + ` is not for this phone"`}))
}

// verify tries each Authorization the request has, as it may hold one for each
// algorithm; the first that is right counts, else what is wrong with the last.
func (u *UA) verify(in *inbound) (user string, err error) {
	err = auth.ErrMissing
	for _, h := range in.req.GetHeaders("Authorization") {
		user, err = u.digest.Verify(u.cfg.Now(), string(in.method), h.Value(),
			u.origins.password(in.flow.Network))
		if err == nil {
			return user, nil
		}
	}
	return "", err
}

func newDigest(realm string, secret []byte) *auth.Server {
	cfg := auth.Default(realm)
	cfg.Secret = secret
	return auth.NewServer(cfg)
}

// digestUser reads the user name that an Authorization claims.
func digestUser(value string) (string, bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Digest") {
		return "", false
	}
	for _, part := range splitOutside(rest, ',') {
		key, name, ok := strings.Cut(part, "=")
		if ok && strings.EqualFold(trim(key), "username") {
			return strings.Trim(trim(name), `"`), true
		}
	}
	return "", false
}
