package ua

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"liandong/sip/leg"
	"liandong/sip/location"
)

// Binding is one phone that answers for a user.
type Binding struct {
	User, Contact string   // Contact is the URI to put into the Request-URI
	Before        []string // Contacts of the phone before this one, the latest first: its dialogs may name them
	Path          []string // URIs of the proxies before the phone, ours first: RFC 3327; none: it is reached as it is
	Flow          leg.Flow // the way the phone is reached: the one its REGISTER came
	Expires       time.Time
	UserAgent     string

	phone string // RFC 5626 §4.1: its instance, however many ways it has registered by; "": it names none
}

// maxBefore bounds the Contacts that are remembered of one phone.
const maxBefore = 4

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
	since       time.Time // when its REGISTER was accepted
	node        string    // the switch that has accepted it; "": this one
	behind      bool      // by UDP, and its Contact is not where it comes from: there is a NAT before it
	lost        bool      // its connection is gone, and only its next REGISTER can tell where it is
}

type flowKey struct {
	network, transport string
	remote             netip.AddrPort
}

func keyOf(f leg.Flow) flowKey { return flowKey{f.Network, f.Transport, f.Remote} }

// registrar is the table of bindings. Time is an argument.
type registrar struct {
	max  int                              // bindings of one user
	keep func(user string, list []record) // is told of what has changed, under mu; nil: nobody is

	share   func([]location.Binding) // is told what a REGISTER has changed, under mu; nil: nobody is
	node    string                   // this switch, for the others
	longest time.Duration            // that a registration lives

	mu    sync.Mutex
	users map[string][]record // guarded by mu; newest first, slices never changed in place
	flows map[flowKey]int     // guarded by mu; bindings on each flow, those lost left out

	// gone, by user, is what other switches are to know that it answers no more, the latest last. Guarded by mu.
	gone map[string][]location.Binding
}

func newRegistrar(maxContacts int) *registrar {
	return &registrar{max: maxContacts, users: map[string][]record{}, flows: map[flowKey]int{},
		gone: map[string][]location.Binding{}}
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
			behind := len(c.Path) == 0 && c.Flow.Transport == "udp" && c.Flow.Remote != contactAddr(c.Contact)
			c.Before = reg.before(list, c)
			next = append(next, record{Binding: c.Binding, key: c.key, callID: reg.callID, cseq: reg.cseq,
				since: now, behind: behind})
		}
	}
	var lost []record
	for _, rec := range list {
		switch {
		case reg.touches(rec), reg.finds(rec):
		case rec.lost:
			lost = append(lost, rec)
		default:
			next = append(next, rec)
		}
	}
	next = append(next, lost...) // these give way first
	next = next[:min(len(next), r.max)]
	if r.share == nil {
		r.change(reg.user, next)
		return true, nil
	}
	shares := reg.shares(now, r.node, r.longest, list, next)
	r.bury(now, reg.user, shares)
	r.change(reg.user, next)
	r.share(shares)
	return true, nil
}

// finds says that the REGISTER is of a phone whose connection was lost. RFC 3261 §10.2.4: "A UA SHOULD use the same
// Call-ID for all registrations"; by TCP its Contact is often another with each connection.
func (reg *registration) finds(rec record) bool {
	return rec.lost && rec.callID == reg.callID && len(reg.changes) == 1 && reg.changes[0].lifetime > 0
}

// before are the Contacts that a phone has had until now.
func (reg *registration) before(list []record, c change) (all []string) {
	for _, rec := range list {
		if rec.key != c.key && !reg.finds(rec) {
			continue
		}
		for _, contact := range append([]string{rec.Contact}, rec.Before...) {
			if contact != c.Contact && !slices.Contains(all, contact) && len(all) < maxBefore {
				all = append(all, contact)
			}
		}
	}
	return all
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
		if k := keyOf(rec.Flow); rec.lost {
			continue
		} else if r.flows[k] > 1 {
			r.flows[k]--
		} else {
			delete(r.flows, k)
		}
	}
	for _, rec := range list {
		if !rec.lost {
			r.flows[keyOf(rec.Flow)]++
		}
	}
	if len(list) == 0 {
		delete(r.users, user)
		return
	}
	r.users[user] = list
}

// change replaces a user's list and has it kept. Caller holds mu.
func (r *registrar) change(user string, list []record) {
	r.put(user, list)
	if r.keep != nil {
		r.keep(user, list)
	}
}

// restore takes a user's list of before a restart.
func (r *registrar) restore(user string, list []record, gone []location.Binding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(gone) > 0 {
		r.gone[user] = gone
	}
	r.change(user, list)
}

// streams are the connections by which phones are reached.
func (r *registrar) streams() (all []leg.Flow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.users {
		for _, rec := range list {
			if !rec.lost && rec.Flow.Transport != "udp" {
				all = append(all, rec.Flow)
			}
		}
	}
	return all
}

// live lists a user's bindings that have not expired, newest first.
func (r *registrar) live(now time.Time, user string) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Binding
	for _, rec := range r.users[user] {
		if !rec.lost && now.Before(rec.Expires) {
			out = append(out, rec.Binding)
		}
	}
	return out
}

// reachable says that a user has a binding that is live.
func (r *registrar) reachable(now time.Time, user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.users[user] {
		if rec := &r.users[user][i]; !rec.lost && now.Before(rec.Expires) {
			return true
		}
	}
	return false
}

// expire drops what has run out and names the users that lost something.
func (r *registrar) expire(now time.Time) []string {
	return r.sweep(func(rec *record) (keep, told bool) {
		keep = now.Before(rec.Expires)
		return keep, !keep && !rec.lost
	})
}

// flowEnded is told that a TCP connection is gone. A phone that is not behind a NAT
// is then reached at the Contact it named; of the others only the next REGISTER
// can tell where they are. Users with a phone that moved or was lost are named.
func (r *registrar) flowEnded(flow leg.Flow, reachable func(Binding) (netip.AddrPort, bool)) []string {
	r.mu.Lock()
	used := r.flows[keyOf(flow)] > 0
	r.mu.Unlock()
	if !used {
		return nil
	}
	return r.sweep(func(rec *record) (keep, told bool) {
		if rec.lost || rec.node != "" || keyOf(rec.Flow) != keyOf(flow) {
			return true, false // one of another switch is reached by a connection that is made when it is needed
		}
		if to, ok := reachable(rec.Binding); ok {
			rec.Flow.Remote, rec.Flow.Local = to, netip.AddrPort{}
		} else {
			rec.lost = true
		}
		return true, true
	})
}

// sweep runs a copy of every record through look, which may change it; users that are to be told are named.
func (r *registrar) sweep(look func(*record) (keep, told bool)) (changed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for user, list := range r.users {
		next, tell := make([]record, 0, len(list)), false
		for _, rec := range list {
			keep, told := look(&rec)
			if keep {
				next = append(next, rec)
			}
			tell = tell || told
		}
		if tell {
			changed = append(changed, user)
		}
		if tell || len(next) < len(list) {
			r.change(user, next)
		}
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
		for _, rec := range list {
			if !rec.lost {
				n++
			}
		}
	}
	return n
}
