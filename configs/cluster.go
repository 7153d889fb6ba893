package configs

import (
	"net/netip"
	"slices"
)

// Pair is what two machines need to carry one switch by turns.
type Pair struct {
	Node     string
	Machines [2]netip.AddrPort
	Moving   []netip.Addr // what VRRP moves: who has all of it carries the calls
	Secret   string
	Witness  bool // Redis has a say
}

// Pair is nil where there is one machine.
func (c *Config) Pair() *Pair {
	if len(c.Cluster.Machines) != 2 {
		return nil
	}
	p := &Pair{Node: c.Node, Machines: [2]netip.AddrPort(c.Cluster.Machines), Secret: c.Cluster.Secret.Reveal(),
		Witness: c.Cluster.Witness == "redis"}
	for _, name := range sorted(c.Networks) {
		p.Moving = append(p.Moving, c.Networks[name].moving()...)
	}
	slices.SortFunc(p.Moving, netip.Addr.Compare)
	p.Moving = slices.Compact(p.Moving)
	return p
}

// PartnersOutbox is the copy of what the other machine's outbox has yet to ship, by the outbox file of this one.
func PartnersOutbox(path string) string { return path + ".partner" }

// Shares says that this switch and others know of each other's phones, by Redis.
func (c *Config) Shares() bool { return c.Cluster.Share == "redis" }

// unnamed is a switch to which nobody has given a name.
const unnamed = "liandong"
