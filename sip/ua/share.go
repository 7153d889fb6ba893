package ua

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/location"
)

// way is how a phone is reached, as switches tell each other: a Way of a location.Binding, in JSON.
type way struct {
	Contact   string         `json:"contact"`
	Before    []string       `json:"before,omitempty"`
	Path      []string       `json:"path,omitempty"`
	Network   string         `json:"network"`
	Transport string         `json:"transport"`
	Remote    netip.AddrPort `json:"remote"` // where its REGISTER came from
	Agent     string         `json:"agent,omitempty"`
	Phone     string         `json:"phone,omitempty"` // RFC 5626 §4.1
}

// maxWay bounds what is told of a phone, bytes; one with more is known where it has registered, and nowhere else.
const maxWay = 4096

// shared is a registration as other switches are to know it.
func (r record) shared(node string) location.Binding {
	w, err := json.Marshal(way{r.Contact, r.Before, r.Path, r.Flow.Network, r.Flow.Transport, r.Flow.Remote,
		r.UserAgent, r.phone})
	if err != nil { // none of its values is of a kind that has no form
		panic(err)
	}
	if r.node != "" {
		node = r.node
	}
	return location.Binding{User: r.User, Key: r.key, CallID: r.callID, CSeq: r.cseq, Node: node, Since: r.since,
		Expires: r.Expires, Way: w}
}

// sharable says that a binding can be told: it has no line ends, and is no longer than what is told.
func sharable(b location.Binding) bool {
	return len(b.Way) <= maxWay && len(b.Key)+len(b.CallID) <= maxWay && !strings.ContainsAny(b.Key+b.CallID, "\r\n")
}

// shares are what a REGISTER means for other switches: bindings that there are now, and those that are gone, also when
// only others know of them.
func (reg *registration) shares(now time.Time, node string, longest time.Duration, had, has []record) (
	all []location.Binding) {
	gone := func(key string, until time.Time) {
		all = append(all, location.Binding{User: reg.user, Key: key, CallID: reg.callID, CSeq: reg.cseq, Gone: true,
			Node: node, Since: now, Expires: until})
	}
	for _, rec := range has {
		if rec.callID == reg.callID && rec.cseq == reg.cseq && reg.touches(rec) {
			all = append(all, rec.shared(node))
		}
	}
	kept := func(key string) bool { return slices.ContainsFunc(has, func(r record) bool { return r.key == key }) }
	for _, rec := range had {
		if !kept(rec.key) {
			gone(rec.key, now.Add(longest)) // others may know of a later end than this switch does
		}
	}
	for _, c := range reg.changes {
		if !kept(c.key) && !slices.ContainsFunc(had, func(r record) bool { return r.key == c.key }) {
			gone(c.key, now.Add(longest))
		}
	}
	return slices.DeleteFunc(all, func(b location.Binding) bool { return !sharable(b) })
}

// bury notes phones that answer no more until all that is older has ended: another process may have to tell of them.
// Caller holds mu.
func (r *registrar) bury(now time.Time, user string, shares []location.Binding) {
	list := slices.DeleteFunc(slices.Clone(r.gone[user]), func(had location.Binding) bool {
		return !now.Before(had.Expires) ||
			slices.ContainsFunc(shares, func(b location.Binding) bool { return b.Key == had.Key })
	})
	for _, b := range shares {
		if b.Gone {
			list = append(list, b)
		}
	}
	if list = list[max(0, len(list)-location.Most):]; len(list) > 0 {
		r.gone[user] = list
	} else {
		delete(r.gone, user)
	}
}

// Shared are the registrations as other switches are to know them, and those that have ended.
func (u *UA) Shared() (all []location.Binding) {
	r := u.registrar
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.users {
		for _, rec := range list {
			if b := rec.shared(u.cfg.Node); sharable(b) {
				all = append(all, b)
			}
		}
	}
	for _, list := range r.gone {
		all = append(all, list...)
	}
	return all
}

// Learn takes what other switches have changed. A phone that has registered here meanwhile stays as it is.
func (u *UA) Learn(news []location.News) {
	now := u.now()
	for _, n := range news {
		func() {
			defer u.survive()
			rec, ok := u.learnt(now, n.Now)
			if u.registrar.learn(now, n, rec, ok) {
				u.tellBindings(now, n.Now.User)
			}
		}()
	}
}

// learnt is a registration as this switch can use it; false: it is gone, or is no account's of the network any more, or
// nothing that a phone could have said.
func (u *UA) learnt(now time.Time, b location.Binding) (rec record, ok bool) {
	var w way
	if b.Gone || json.Unmarshal(b.Way, &w) != nil || !u.origins.Load().user(w.Network, b.User) ||
		strings.ContainsAny(w.Contact, "<> ") || len(w.Path) > maxPath || len(w.Path) == 0 && !u.admitted(w) {
		return record{}, false
	}
	for _, said := range slices.Concat([]string{w.Contact, w.Transport, w.Agent, w.Phone, b.CallID}, w.Before, w.Path) {
		if strings.ContainsFunc(said, unicode.IsControl) {
			return record{}, false
		}
	}
	if last := now.Add(u.cfg.MaxExpires); b.Expires.After(last) {
		b.Expires = last
	}
	rec = record{
		Binding: Binding{User: b.User, Contact: w.Contact, Before: w.Before[:min(len(w.Before), maxBefore)],
			Path: w.Path, Expires: b.Expires, UserAgent: w.Agent, phone: w.Phone},
		key: b.Key, callID: b.CallID, cseq: b.CSeq, since: b.Since, node: b.Node,
	}
	if b.Node == u.cfg.Node {
		rec.node = ""
	}
	rec.Flow.Network, rec.Flow.Transport, rec.Flow.Symmetric = w.Network, w.Transport, true
	rec.Flow.Remote, rec.lost = u.nextHop(w, rec.node == "")
	return rec, true
}

// admitted says that a phone's REGISTER could have come from there.
func (u *UA) admitted(w way) bool {
	return !w.Remote.IsValid() || u.origins.Load().admits(w.Network, w.Remote.Addr())
}

// nextHop is where requests for a phone of another switch go: to the proxy that stands before all of them, the first of
// its Path (RFC 3327 §5.3). A phone that has none is reached by its own switch alone; that one may have forgotten it
// since, and by UDP finds it where it came from.
func (u *UA) nextHop(w way, own bool) (to netip.AddrPort, lost bool) {
	if len(w.Path) == 0 {
		return w.Remote, !own || w.Transport != "udp" || !w.Remote.IsValid()
	}
	var uri gosip.Uri
	if gosip.ParseUri(w.Path[0], &uri) != nil {
		return w.Remote, true
	}
	transport, _ := uri.UriParams.Get("transport")
	if transport = strings.ToLower(transport); transport == "" {
		transport = "udp"
	}
	to = contactAddr(w.Path[0])
	_, speaks := u.Addr(w.Network, transport)
	lost = !to.IsValid() || transport != w.Transport || transport == "tls" || uri.Scheme != "sip" || !speaks ||
		!u.origins.Load().admits(w.Network, to.Addr())
	return to, lost
}

// learn replaces a phone of a user by what another switch knows of it, unless it has registered here since that was
// found out. It says whether the user is reached in another way now.
func (r *registrar) learn(now time.Time, n location.News, rec record, ok bool) (tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	user := n.Now.User
	var next, away []record
	if ok && rec.lost {
		away = append(away, rec)
	} else if ok {
		next = append(next, rec)
	}
	tell, found := ok && !rec.lost, false
	for _, had := range r.users[user] {
		switch {
		case had.key == n.Now.Key && (had.callID != n.Was.CallID || had.cseq != n.Was.CSeq) &&
			now.Before(had.Expires) && !n.Now.After(had.shared(n.Now.Node), now):
			return false
		case had.key == n.Now.Key:
			found = true
			tell = had.lost == (ok && !rec.lost) || !had.lost && (had.Contact != rec.Contact ||
				!slices.Equal(had.Path, rec.Path))
		case had.lost:
			away = append(away, had)
		default:
			next = append(next, had)
		}
	}
	if next = append(next, away...); ok || found { // those that are away give way first
		r.change(user, next[:min(len(next), r.max)])
	}
	return tell
}
