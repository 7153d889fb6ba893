package ua

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// Origin is who an INVITE outside of a dialog is from: a trunk, known by its
// source address, or a phone's user, known by digest. One of both is empty. A
// SUBSCRIBE is always a phone's.
type Origin struct {
	Network, Trunk, User string
	Test                 bool // the switch calls itself, as if from this trunk
}

// origins answers who may be behind a source address or a name. Immutable.
type origins struct {
	trunks []trunkPrefix // longest prefix first
	users  map[string]User
	named  map[string][]string       // names of the users by network, in order
	phones map[string]bool           // networks that have users
	allow  map[string][]netip.Prefix // by network; none: anybody

	contacts map[contact]known // trunks where we are registered

	neighbours map[string]Trunk   // by name
	networks   map[string]Network // by name
	strangers  string             // what an unknown INVITE gets, where its network does not say
}

type trunkPrefix struct {
	network, trunk string
	prefix         netip.Prefix
	secure         bool // on TLS only
}

func newOrigins(cfg Config) *origins {
	o := &origins{
		named: map[string][]string{}, users: cfg.Users, phones: map[string]bool{},
		allow: map[string][]netip.Prefix{}, contacts: map[contact]known{},
		neighbours: cfg.Trunks, networks: cfg.Networks, strangers: cfg.Strangers,
	}
	for name, t := range cfg.Trunks {
		if t.Contact != "" {
			o.contacts[contact{t.Network, t.Contact}] = known{name, t.Transport == "tls"}
		}
		if cfg.SelfTest != "" {
			o.contacts[contact{t.Network, TestUser(cfg.SelfTest, name)}] = known{name, false}
		}
		for _, prefix := range t.prefixes() {
			o.trunks = append(o.trunks, trunkPrefix{t.Network, name, prefix, t.Transport == "tls"})
		}
	}
	slices.SortFunc(o.trunks, func(a, b trunkPrefix) int {
		return cmp.Or(cmp.Compare(b.prefix.Bits(), a.prefix.Bits()), cmp.Compare(a.trunk, b.trunk))
	})
	for _, name := range sortedKeys(cfg.Users) {
		user := cfg.Users[name]
		o.phones[user.Network] = true
		o.named[user.Network] = append(o.named[user.Network], name)
	}
	for name, n := range cfg.Networks {
		if len(n.Allow) > 0 {
			o.allow[name] = slices.Concat(n.Allow, trunkSources(cfg.Trunks, name), cfg.ownSources(n))
		}
	}
	return o
}

// said is what a network's config says that an unknown INVITE gets.
func (o *origins) said(network string) string {
	return cmp.Or(o.networks[network].Strangers, o.strangers)
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

// registrar is the trunk that an INVITE for a Contact of ours comes from.
func (o *origins) registrar(in *inbound) string {
	if in.method != gosip.INVITE {
		return ""
	}
	return o.trunkByContact(in.flow, header.Unescape(in.req.Recipient.User))
}

// trunkByContact is the trunk that a call for a Contact of ours comes from: nobody else has been told of it. One by TLS
// is known on TLS only. "": there is none, as for no user at all.
func (o *origins) trunkByContact(f leg.Flow, user string) string {
	k := o.contacts[contact{f.Network, user}]
	if k.secure && f.Transport != "tls" {
		return ""
	}
	return k.trunk
}

// ownSources are whence the switch calls itself.
func (c Config) ownSources(n Network) (all []netip.Prefix) {
	for _, at := range []netip.AddrPort{n.UDP, n.TCP} {
		if c.SelfTest == "" || !at.IsValid() {
			continue
		}
		own := at.Addr()
		switch {
		case !own.IsUnspecified():
		case own.Is4():
			own = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		default:
			own = netip.IPv6Loopback()
		}
		all = append(all, netip.PrefixFrom(own, own.BitLen()))
	}
	return all
}

// TestUser is whom the switch calls when it calls itself as if from a trunk: nobody else knows the secret.
func TestUser(secret, trunk string) string { return secret + "-" + trunk }

// test says that a call is the switch's own.
func (u *UA) test(in *inbound) bool {
	return u.cfg.SelfTest != "" && in.trunk != "" && header.Unescape(in.req.Recipient.User) == TestUser(u.cfg.SelfTest,
		in.trunk)
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

// as is the account of a user; for a name without one it is some other account, always the same, so that its policy
// does not tell which names there are.
func (o *origins) as(network, name string) User {
	if names := o.named[network]; !o.user(network, name) && len(names) > 0 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(name))
		name = names[h.Sum32()%uint32(len(names))]
	}
	return o.users[name]
}

// onlyMD5 are User-Agents that give up at the first challenge of an algorithm
// they do not know, wherever it stands (against RFC 8760 §2.4).
var onlyMD5 = []string{"baresip v0.", "baresip v1.", "SIPp"}

// digests are the algorithms that the phone in From is offered; none: all.
func (o *origins) digests(network string, req *gosip.Request) []string {
	if from := req.From(); from != nil {
		if only := o.as(network, header.Unescape(from.Address.User)).Digest; only != "" {
			return []string{only}
		}
	}
	if h := header.First(req, "User-Agent"); h != nil {
		for _, agent := range onlyMD5 {
			if strings.HasPrefix(h.Value(), agent) {
				return []string{auth.MD5}
			}
		}
	}
	return nil
}

// password is the lookup for digest on one network.
func (o *origins) password(network string) func(string, string) (string, bool) {
	return func(name, algorithm string) (string, bool) {
		if only := o.as(network, name).Digest; !o.user(network, name) || only != "" && only != algorithm {
			return "", false
		}
		return string(o.users[name].Password), true
	}
}
