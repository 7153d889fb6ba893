package ua

import (
	"errors"
	"log/slog"
	"strconv"
	"time"

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
	if from := in.req.From(); !u.fits(header.Unescape(from.Address.User), in.flow) {
		u.unfit(in) // before a password is asked for where it could be overheard
		return "", false
	}
	claimed := u.claimed(in)
	if keys, _ := u.guessKeys(in.flow.Network, claimed, in.flow.Remote.Addr()); claimed != "" {
		if wait := u.guesses.pause(u.now(), keys); wait > 0 {
			u.counts.limited.Add(1)
			u.respond(in, say(gosip.StatusServiceUnavailable, "Service Unavailable",
				header.Field{Name: "Retry-After", Value: strconv.Itoa(int(wait/time.Second) + 1)}))
			return "", false
		}
	}
	user, err := u.verify(in)
	switch {
	case err == nil && !u.fits(user, in.flow):
		u.unfit(in)
	case err == nil:
		in.prove()
		if keys, most := u.guessKeys(in.flow.Network, user, in.flow.Remote.Addr()); most == shortPause {
			u.guesses.right(keys[0])
		}
		return user, true
	case errors.Is(err, auth.ErrDenied):
		u.counts.denied.Add(1)
		u.limiter.take(u.now(), in.flow.Remote.Addr(), deniedCost)
		u.guessed(in, claimed)
		u.respond(in, say(gosip.StatusForbidden, "Forbidden"))
	default:
		stale := errors.Is(err, auth.ErrStale) || errors.Is(err, auth.ErrReplay)
		asked := u.digest.Challenge(u.now(), stale, u.origins.Load().digests(in.flow.Network, in.req)...)
		u.respond(in, say(gosip.StatusUnauthorized, "Unauthorized", asked...))
	}
	return "", false
}

// claimed is the user whom a request's credentials name; "": it has none.
func (u *UA) claimed(in *inbound) string {
	for h := range header.All(in.req, "Authorization") {
		if user, ok := auth.Claimed(h.Value()); ok {
			return user[:min(len(user), 64)]
		}
	}
	return ""
}

// unfit refuses a phone that came by a transport that is not for it. RFC 3261
// §20.43: 399 is for a person to read.
func (u *UA) unfit(in *inbound) {
	u.counts.denied.Add(1)
	u.log.say(slog.LevelWarn, "a phone came by a transport that its config forbids",
		"network", in.flow.Network, "source", in.flow.Remote, "transport", in.flow.Transport)
	warning := `399 liandong "SIP over ` + in.flow.Transport + ` is not for this phone"`
	u.respond(in, say(gosip.StatusForbidden, "Forbidden", header.Field{Name: "Warning", Value: warning}))
}

// verify tries each Authorization the request has, as it may hold one for each
// algorithm; the first that is right counts, else what is wrong with the last.
func (u *UA) verify(in *inbound) (user string, err error) {
	err = auth.ErrMissing
	for h := range header.All(in.req, "Authorization") {
		user, err = u.digest.Verify(u.cfg.Now(), string(in.method), h.Value(),
			u.origins.Load().password(in.flow.Network))
		if err == nil {
			return user, nil
		}
	}
	return "", err
}

func newDigest(realm string, secret []byte, keep func(string, int64)) *auth.Server {
	cfg := auth.Default(realm)
	cfg.Secret, cfg.Keep = secret, keep
	return auth.NewServer(cfg)
}
