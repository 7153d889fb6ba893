package ua

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/leg"
)

// Origin is who an INVITE outside of a dialog is from: a trunk, known by its
// source address, or a phone's user, known by digest. One of both is empty. A
// SUBSCRIBE is always a phone's.
type Origin struct{ Network, Trunk, User string }

// origins answers who may be behind a source address or a name. Immutable.
type origins struct {
	trunks []trunkPrefix // longest prefix first
	users  map[string]User
	phones map[string]bool           // networks that have users
	allow  map[string][]netip.Prefix // by network; none: anybody

	contacts map[contact]known // trunks where we are registered
}

type trunkPrefix struct {
	network, trunk string
	prefix         netip.Prefix
	secure         bool // on TLS only
}

func newOrigins(cfg Config) *origins {
	o := &origins{users: cfg.Users, phones: map[string]bool{}, allow: map[string][]netip.Prefix{}, contacts: map[contact]known{}}
	for name, t := range cfg.Trunks {
		if t.Contact != "" {
			o.contacts[contact{t.Network, t.Contact}] = known{name, t.Transport == "tls"}
		}
		for _, prefix := range t.prefixes() {
			o.trunks = append(o.trunks, trunkPrefix{t.Network, name, prefix, t.Transport == "tls"})
		}
	}
	slices.SortFunc(o.trunks, func(a, b trunkPrefix) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), cmp.Compare(a.trunk, b.trunk))
	})
	for _, user := range cfg.Users {
		o.phones[user.Network] = true
	}
	for name, n := range cfg.Networks {
		if len(n.Allow) > 0 {
			o.allow[name] = slices.Concat(n.Allow, trunkSources(cfg.Trunks, name))
		}
	}
	return o
}

// trunkSources are whence the trunks of a network may speak: where they call
// from, and where they answer from.
func trunkSources(trunks map[string]Trunk, network string) (all []netip.Prefix) {
	for _, t := range trunks {
		if t.Network == network {
			all = append(all, t.Match...)
			all = append(all, t.targetPrefixes()...)
		}
	}
	return all
}

// admits says whether a source is heard on a network at all.
func (o *origins) admits(network string, source netip.Addr) bool {
	allow := o.allow[network]
	source = source.WithZone("") // no prefix contains an address with a zone
	return len(allow) == 0 || slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(source) })
}

// prefixes: a trunk that names no sources is believed from its targets only.
func (t Trunk) prefixes() []netip.Prefix {
	if len(t.Match) > 0 {
		return t.Match
	}
	return t.targetPrefixes()
}

func (t Trunk) targetPrefixes() (all []netip.Prefix) {
	for _, target := range t.Targets {
		if addr, ok := numericTarget(target); ok {
			all = append(all, netip.PrefixFrom(addr.Addr(), addr.Addr().BitLen()))
		}
	}
	return all
}

func (o *origins) trunk(f leg.Flow) string {
	for _, t := range o.trunks {
		if t.network == f.Network && t.prefix.Contains(f.Remote.Addr()) && (!t.secure || f.Transport == "tls") {
			return t.trunk
		}
	}
	return ""
}

// registrar is the trunk that a call for a Contact of ours comes from: nobody else
// has been told of it. One by TLS is known on TLS only.
func (o *origins) registrar(in *inbound) string {
	if in.method != gosip.INVITE || in.req.Recipient.User == "" {
		return ""
	}
	k := o.contacts[contact{in.flow.Network, in.req.Recipient.User}]
	if k.secure && in.flow.Transport != "tls" {
		return ""
	}
	return k.trunk
}

type contact struct{ network, user string }

type known struct {
	trunk  string
	secure bool // on TLS only
}

// user says whether the name has an account on the network.
func (o *origins) user(network, name string) bool {
	u, ok := o.users[name]
	return ok && u.Network == network
}

// onlyMD5 are User-Agents that give up at the first challenge of an algorithm
// they do not know, wherever it stands (against RFC 8760 §2.4).
var onlyMD5 = []string{"baresip v0.", "baresip v1.", "SIPp"}

// digests are the algorithms that the phone in From is offered; none: all.
func (o *origins) digests(req *gosip.Request) []string {
	if from := req.From(); from != nil && o.users[from.Address.User].Digest != "" {
		return []string{o.users[from.Address.User].Digest}
	}
	if h := req.GetHeader("User-Agent"); h != nil {
		for _, agent := range onlyMD5 {
			if strings.HasPrefix(h.Value(), agent) {
				return []string{auth.MD5}
			}
		}
	}
	return nil
}

// password is the lookup for digest on one network.
func (o *origins) password(network string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if !o.user(network, name) {
			return "", false
		}
		return string(o.users[name].Password), true
	}
}
