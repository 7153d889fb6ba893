package api

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"liandong/configs"
)

// right is what a request needs.
type right int

const (
	watch  right = iota // the figures
	see                 // the calls of a line, its seats, what happens to them
	work                // its keys, its stubs
	hear                // the recordings of a line
	count               // its indicators
	look                // the messages of its calls
	attend              // its calls, as a supervisor
	follow              // its matters
	rule                // the switch itself
)

// rights are what each role has.
var rights = map[string][]right{
	configs.RoleMonitor:    {watch},
	configs.RoleDesk:       {see, work},
	configs.RoleSupervisor: {see, work, hear, count, look, attend, follow},
	configs.RoleTaker:      {see, work},
	configs.RoleManager:    {count},
	configs.RoleEngineer:   {watch, see, look},
	configs.RoleAdmin:      {watch, see, work, hear, count, look, attend, follow, rule},
}

// lines is a set of hotlines. nil: all.
type lines []string

func (l lines) has(hotline string) bool { return l == nil || slices.Contains(l, hotline) }

func (l lines) any(of ...string) bool { return l == nil || slices.ContainsFunc(of, l.has) }

// and is what both hold.
func (l lines) and(o lines) lines {
	switch {
	case l == nil:
		return o
	case o == nil:
		return l
	}
	both := lines{}
	for _, id := range l {
		if o.has(id) {
			both = append(both, id)
		}
	}
	return both
}

// visitorOf is who asks, and what he may see.
type visitor struct {
	name  string // the key of the config that lets him in, "phone" for a phone; for the log
	token bool   // he brought one: no page from elsewhere can
	lines lines
	own   string // the one user whose keys he may press; "": of all users of his lines
	phone string // of a supervisor who has signed in: the one that is his; "": none is known
	// may look after calls, and know who does
	supervises bool
}

type visitorKey struct{}

// visitorOf is who was let in with a request.
func visitorOf(r *http.Request) visitor {
	v, _ := r.Context().Value(visitorKey{}).(visitor)
	return v
}

// known lets in who has the right. Pages of other sites, which a browser opens in the name of its user, are turned away
// before anything else.
func (s *Server) known(need right, h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if foreign(r) {
			s.refuse(w, r, notHere)
			return
		}
		v, ok := s.visitor(r, need)
		switch {
		case !ok:
			s.refuse(w, r, notAllowed)
		case !v.token && !s.Addressed(r):
			s.audit.refused(r, "the host is not known")
			s.say(w, http.StatusMisdirectedRequest, noHost, hostOf(r.Host))
		default:
			promote(r)
			h(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
		}
	})
}

// refuse says no, and ends the connection: who was not let in keeps no file open.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why text) {
	s.audit.refused(r, why.en)
	w.Header().Set("Connection", "close")
	s.say(w, http.StatusForbidden, why)
}

// Signed is somebody who has signed in to the console. The console answers for it that he means what is asked.
type Signed struct {
	Name, Role string
	Lines      []string    // empty: all
	Seat       string      // of a taker: the one whose keys are his
	Lang       string      // "zh" or "en"
	On         func() bool // he has not been signed out meanwhile
}

type signedKey struct{}

// Serve answers a request of somebody who has signed in, as if he had come with a token.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, who Signed) {
	s.mux.ServeHTTP(speaker{w, who.Lang}, r.WithContext(context.WithValue(r.Context(), signedKey{}, who)))
}

// visitor is what he may see and do.
func (who Signed) visitor() visitor {
	v := visitor{name: "http.users." + who.Name}
	if len(who.Lines) > 0 {
		v.lines = who.Lines
	}
	if who.Role == configs.RoleTaker {
		v.own = cmp.Or(who.Seat, nobodys)
	}
	v.supervises = slices.Contains(rights[who.Role], attend)
	if v.supervises {
		v.phone = who.Seat
	}
	return v
}

// nobodys is the seat of a taker who has none: no user is called so.
const nobodys = " "

// visitor finds by what a request may come in: its token, or else its address. A network's own listener shows the lines
// of the network, and nothing of the switch as a whole.
func (s *Server) visitor(r *http.Request, need right) (visitor, bool) {
	if who, ok := r.Context().Value(signedKey{}).(Signed); ok {
		return who.visitor(), slices.Contains(rights[who.Role], need) && who.On()
	}
	at := listenerOf(r)
	if at.Network != "" && (need == watch || need == rule) {
		return visitor{}, false
	}
	here := lines(nil)
	if at.Network != "" {
		here = slices.Clip(append(lines{}, at.Lines...))
	}
	from, given := source(r), token(r)
	for _, byToken := range []bool{true, false} {
		for _, g := range s.conf().Grants {
			if g.Token.IsZero() == byToken || !admits(g, from, given) || !slices.Contains(rights[g.Role], need) {
				continue
			}
			seen := lines(nil)
			if len(g.Lines) > 0 {
				seen = g.Lines
			}
			return visitor{name: g.Name, token: byToken, lines: seen.and(here),
				supervises: slices.Contains(rights[g.Role], attend)}, true
		}
	}
	return visitor{}, false
}

// admits says that a grant is for who comes from there and brings that.
func admits(g configs.Grant, from netip.Addr, given string) bool {
	if len(g.From) > 0 && !within(g.From, from) {
		return false
	}
	if g.Token.IsZero() {
		return len(g.From) > 0
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(g.Token.Reveal())) == 1
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// source is the address a request comes from; the zero Addr when it has none.
func source(r *http.Request) netip.Addr {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return from.Addr().Unmap().WithZone("")
}

// token is what a request brings: in a header, or in the URL as phones send it.
func token(r *http.Request) string {
	const scheme = "Bearer "
	// RFC 9110 §11.1
	if v := r.Header.Get("Authorization"); len(v) > len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) {
		return v[len(scheme):]
	}
	return r.URL.Query().Get("token")
}

// Known takes the connection of a request off the list of strangers: somebody has shown who he is.
func Known(r *http.Request) { promote(r) }

// foreign says that a browser asks for a page of another site (Fetch Metadata, RFC 6454).
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host)
}

// Addressed says that a request names us by an address, or by a name that is ours. A page whose own name was made to
// lead here (DNS rebinding) sends that name.
func (s *Server) Addressed(r *http.Request) bool {
	host := hostOf(r.Host)
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return slices.ContainsFunc(s.conf().Hosts, func(own string) bool { return strings.EqualFold(own, host) })
}

// hostOf is a Host header without its port.
func hostOf(v string) string {
	if host, _, err := net.SplitHostPort(v); err == nil {
		return host
	}
	return strings.Trim(v, "[]")
}

// keys lets in for GET: the phone of the user whose key it is, a token, and programs on this machine that are on the
// list. Nobody else: any page can make a browser GET any URL.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	user := r.URL.Query().Get("user")
	if s.phoneOf(user, r) && !foreign(r) {
		promote(r)
		s.pressByURL(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, visitor{name: "phone", own: user})))
		return
	}
	s.known(work, func(w http.ResponseWriter, r *http.Request) {
		if v := visitorOf(r); !v.token && !source(r).IsLoopback() {
			s.refuse(w, r, onlyPhones)
			return
		}
		s.pressByURL(w, r)
	}).ServeHTTP(w, r)
}

// pressByURL takes a verb, or what a phone's do-not-disturb key asks for: ready, not_ready.
func (s *Server) pressByURL(w http.ResponseWriter, r *http.Request) {
	if state := r.PathValue("verb"); isAgentState(state) {
		s.standAs(w, r, r.URL.Query().Get("user"), state)
		return
	}
	s.press(w, r)
}

// phoneOf says that a request comes from where a user's phone is registered.
func (s *Server) phoneOf(user string, r *http.Request) bool {
	seat, ok := s.conf().Seats[user]
	if at := listenerOf(r); !ok || at.Network != "" && at.Network != seat.Network {
		return false
	}
	from := source(r)
	return from.IsValid() && slices.Contains(s.phones(user), from)
}

// mayPress says that a visitor may press a user's keys: those of a user of his lines.
func (s *Server) mayPress(v visitor, r *http.Request, user string) bool {
	if v.own != "" {
		return v.own == user
	}
	seat, ok := s.conf().Seats[user]
	if at := listenerOf(r); ok && at.Network != "" && at.Network != seat.Network {
		return false
	}
	return v.lines == nil || ok && v.lines.has(seat.Hotline)
}
