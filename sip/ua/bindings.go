package ua

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"liandong/sip/leg"
)

// Binding is one phone that answers for a user.
type Binding struct {
	User, Contact string   // Contact is the URI to put into the Request-URI
	Flow          leg.Flow // the way the phone is reached: the one its REGISTER came
	Expires       time.Time
	UserAgent     string
}

// errOutOfOrder: RFC 3261 §10.3 step 7, an older REGISTER came after a newer one.
var errOutOfOrder = errors.New("ua: REGISTER out of order")

// change is one Contact of a REGISTER. A zero lifetime removes it.
type change struct {
	Binding
	key      string // what makes two Contacts the same phone
	lifetime time.Duration
}

// registration says from which REGISTER changes come.
type registration struct {
	user, callID string
	cseq         uint32
	everything   bool // "Contact: *": all bindings go
	changes      []change
}

type record struct {
	Binding
	key, callID string
	cseq        uint32
	behind      bool // by UDP, and its Contact is not where it comes from: there is a NAT before it
}

type flowKey struct {
	network, transport string
	remote             netip.AddrPort
}

func keyOf(f leg.Flow) flowKey { return flowKey{f.Network, f.Transport, f.Remote} }

// registrar is the table of bindings. Time is an argument.
type registrar struct {
	max int // bindings of one user

	mu    sync.Mutex
	users map[string][]record // guarded by mu; newest first, slices never changed in place
	flows map[flowKey]int     // guarded by mu; bindings on each flow
}

func newRegistrar(maxContacts int) *registrar {
	return &registrar{max: maxContacts, users: map[string][]record{}, flows: map[flowKey]int{}}
}

// apply carries out one REGISTER as a whole or, out of order, not at all.
func (r *registrar) apply(now time.Time, reg registration) (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.users[reg.user]
	for _, rec := range list {
		if rec.callID == reg.callID && reg.cseq <= rec.cseq && reg.touches(rec) {
			return false, errOutOfOrder
		}
	}
	if !reg.everything && len(reg.changes) == 0 {
		return false, nil // a question, RFC 3261 §10.2.3
	}
	var next []record
	for i := len(reg.changes) - 1; i >= 0; i-- {
		if c := reg.changes[i]; c.lifetime > 0 {
			c.Expires = now.Add(c.lifetime)
			behind := c.Flow.Transport == "udp" && c.Flow.Remote != contactAddr(c.Contact)
			next = append(next, record{c.Binding, c.key, reg.callID, reg.cseq, behind})
		}
	}
	for _, rec := range list {
		if !reg.touches(rec) {
			next = append(next, rec)
		}
	}
	r.put(reg.user, next[:min(len(next), r.max)])
	return true, nil
}

func (reg *registration) touches(rec record) bool {
	if reg.everything {
		return true
	}
	for _, c := range reg.changes {
		if c.key == rec.key {
			return true
		}
	}
	return false
}

// put replaces a user's list. Caller holds mu.
func (r *registrar) put(user string, list []record) {
	for _, rec := range r.users[user] {
		if k := keyOf(rec.Flow); r.flows[k] > 1 {
			r.flows[k]--
		} else {
			delete(r.flows, k)
		}
	}
	for _, rec := range list {
		r.flows[keyOf(rec.Flow)]++
	}
	if len(list) == 0 {
		delete(r.users, user)
		return
	}
	r.users[user] = list
}

// live lists a user's bindings that have not expired, newest first.
func (r *registrar) live(now time.Time, user string) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Binding
	for _, rec := range r.users[user] {
		if now.Before(rec.Expires) {
			out = append(out, rec.Binding)
		}
	}
	return out
}

// expire drops what has run out and names the users that lost something.
func (r *registrar) expire(now time.Time) []string {
	return r.sweep(func(rec record) (record, bool) { return rec, now.Before(rec.Expires) })
}

// lost is told that a TCP connection is gone. A phone that is not behind a NAT
// is then reached at the Contact it named; of the others only the next REGISTER
// can tell where they are.
func (r *registrar) lost(flow leg.Flow, reachable func(Binding) (netip.AddrPort, bool)) []string {
	r.mu.Lock()
	used := r.flows[keyOf(flow)] > 0
	r.mu.Unlock()
	if !used {
		return nil
	}
	return r.sweep(func(rec record) (record, bool) {
		if keyOf(rec.Flow) != keyOf(flow) {
			return rec, true
		}
		to, ok := reachable(rec.Binding)
		rec.Flow.Remote, rec.Flow.Local = to, netip.AddrPort{}
		return rec, ok
	})
}

// sweep runs every record through keep; users with a record refused are returned.
func (r *registrar) sweep(keep func(record) (record, bool)) (changed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for user, list := range r.users {
		next := make([]record, 0, len(list))
		for _, rec := range list {
			if rec, ok := keep(rec); ok {
				next = append(next, rec)
			}
		}
		if len(next) < len(list) {
			changed = append(changed, user)
		}
		r.put(user, next)
	}
	return changed
}

// knows says whether a phone has registered over this very flow.
func (r *registrar) knows(f leg.Flow) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flows[keyOf(f)] > 0
}

func (r *registrar) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, list := range r.users {
		n += len(list)
	}
	return n
}
