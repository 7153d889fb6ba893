package ua

import (
	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// invite begins a call: find out who sends, then ask the handler.
func (u *UA) invite(in *inbound) {
	origin := Origin{Network: in.flow.Network, Trunk: in.trunk, Test: u.test(in)}
	if in.trunk == "" {
		user, ok := u.phone(in)
		if !ok {
			return
		}
		origin.User = user
	}
	if mf := in.req.MaxForwards(); mf != nil && mf.Val() == 0 {
		// RFC 3261 §16.3: a call that we would only send on further ends here.
		u.respond(in, say(gosip.StatusTooManyHops, "Too Many Hops"))
		return
	}
	u.admit(origin, in)
}

// phone finds out which user sends, and answers whoever does not prove to be one.
func (u *UA) phone(in *inbound) (user string, ok bool) {
	if !in.known && !u.asked(in) {
		u.stranger(in)
		return "", false
	}
	if user, ok = u.authenticate(in); ok {
		in.flow.Symmetric = true // also a phone that has not registered
	}
	return user, ok
}

// subscribe begins a subscription of a phone. A trunk has nothing to watch here.
func (u *UA) subscribe(in *inbound) {
	if in.trunk != "" {
		u.respond(in, say(gosip.StatusForbidden, "Forbidden"))
		return
	}
	if user, ok := u.phone(in); ok {
		u.admit(Origin{Network: in.flow.Network, User: user}, in)
	}
}

// admit asks the handler, with the Call-ID already taken, so that what follows
// on the wire, also on another socket, cannot begin the same call again.
func (u *UA) admit(o Origin, in *inbound) {
	place, had := u.reserve(in)
	if had != nil {
		u.post(had, in)
		return
	}
	var sink Sink
	defer func() { u.settle(in.callID(), place, sink) }() // also when Incoming panics
	if sink = u.handler.Incoming(o, in.packet()); sink == nil {
		u.respond(in, unavailable())
	}
	in.posted = sink != nil
	u.traceRequest(in, sink)
}

// asked says whether a request of somebody unknown is to be answered by a challenge, as a phone's that has not
// registered yet. It is where there are phones, whoever the sender says to be: an answer for our users alone would
// tell who they are.
func (u *UA) asked(in *inbound) bool {
	if !u.origins.Load().phones[in.flow.Network] {
		return false
	}
	if from := in.req.From(); from == nil || !u.origins.Load().user(in.flow.Network,
		header.Unescape(from.Address.User)) {
		u.counts.strangers.Add(1)
	}
	return true
}
