package ua

import (
	gosip "github.com/emiago/sipgo/sip"
)

// invite begins a call: find out who sends, then ask the handler.
func (u *UA) invite(in *inbound) {
	origin := Origin{Network: in.flow.Network, Trunk: in.trunk}
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
	if !in.known && !u.claims(in) {
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
	id := in.callID()
	if other, taken := u.reserve(id); taken {
		u.post(other, in)
		return
	}
	var sink Sink
	defer func() { u.settle(id, sink) }() // also when Incoming panics
	if sink = u.handler.Incoming(o, in.packet()); sink == nil {
		u.respond(in, unavailable())
	}
}

// reserved holds the place of a Sink that the handler is about to give. What
// another socket brings meanwhile is sent again by its peer.
type reserved struct{}

func (reserved) Post(Inbound) bool { return false }

func (u *UA) reserve(id string) (Sink, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if s, ok := u.sinks[id]; ok {
		return s, true
	}
	u.sinks[id] = reserved{}
	return nil, false
}

// settle replaces the reservation, unless the handler has itself bound or
// unbound the Call-ID meanwhile.
func (u *UA) settle(id string, s Sink) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, pending := u.sinks[id].(reserved); !pending {
		return
	}
	if s == nil {
		delete(u.sinks, id)
		return
	}
	u.sinks[id] = s
}

// claims says whether the request says to be from one of our phones. It is a
// reason to ask for a password, no more.
func (u *UA) claims(in *inbound) bool {
	if from := in.req.From(); from != nil && u.origins.user(in.flow.Network, from.Address.User) {
		return true
	}
	for _, h := range in.req.GetHeaders("Authorization") {
		if name, ok := digestUser(h.Value()); ok && u.origins.user(in.flow.Network, name) {
			return true
		}
	}
	return false
}
