package configs

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"liandong/sip/ua"
)

func (c *checker) trunks() {
	names := sorted(c.Trunks)
	for i, name := range names {
		t, key := c.Trunks[name], join("trunks", name)
		if c.network(key, t.Network) {
			c.trunkTransport(key, t)
			c.trunkHeard(key, t)
			c.trunkFamily(key, t)
		}
		c.oneTrunk(key, t)
		for _, other := range names[:i] {
			c.matchApart(key, t, other)
		}
	}
}

func (c *checker) oneTrunk(key string, t *Trunk) {
	c.trunkTargets(key, t)
	if t.From == "own" && t.OwnNumber == "" && !c.faulty(key+".own_number") {
		c.add(key+".from", textNeedsOwn.of())
	}
	if _, said := c.placed(key + ".pai"); said && t.PAI && !t.Trusted && !c.faulty(key+".trusted") {
		c.add(key+".pai", textNeedsTrust.of())
	}
	c.trunkRegisters(key, t)
	hasPass := !t.Password.IsZero() || t.PasswordFile != ""
	switch {
	case hasPass && t.Username == "" && !c.faulty(key+".username"):
		c.add(key+".username", textNeedsUser.of())
	case !hasPass && t.Username != "" && !c.faulty(key+".password"):
		c.add(key+".password", textNeedsPass.of())
	}
}

func (c *checker) trunkRegisters(key string, t *Trunk) {
	switch at := key + ".register"; {
	case t.Register == 0 || c.faulty(at):
	case t.Register < minRegister:
		c.add(at, textRegisterShort.of(t.Register, minRegister))
	case t.Username == "" && !c.faulty(key+".username"):
		c.add(at, textRegisterNeeds.of("username"))
	case len(t.hosts()) == 0 && !c.faulty(key+".target") && !c.faulty(key+".targets") && !c.faulty(key+".srv"):
		c.add(at, textRegisterNeeds.of("target"))
	}
}

// minRegister leaves time to try again before a registration runs out.
const minRegister = time.Minute

func (c *checker) trunkTargets(key string, t *Trunk) {
	ways := 0
	for name, given := range map[string]bool{"target": t.Target != "", "targets": t.Targets != nil,
		"srv": t.SRV != ""} {
		if given || c.faulty(key+"."+name) {
			ways++
		}
	}
	switch {
	case ways == 0 && len(t.Match) == 0 && !c.has(key) && !c.faulty(key+".match"):
		c.addName(key, textTrunkNowhere.of())
	case ways > 1:
		c.addName(key, textOneWay.of())
	}
	for i, one := range t.Targets {
		if slices.ContainsFunc(t.Targets[:i], func(o *Target) bool {
			return o.Address == one.Address &&
				o.Address != ""
		}) {
			c.add(index(key+".targets", i)+".address", textListTwice.of(one.Address))
		}
	}
	if t.Options > 0 && t.Options < minOptions && !c.faulty(key+".options") {
		c.add(key+".options", textOptionsShort.of(t.Options, minOptions))
	}
}

// minOptions keeps pings rarer than the answer to one may take.
const minOptions = 5 * time.Second

// hosts are where a trunk is called, as written.
func (t *Trunk) hosts() []string {
	switch {
	case t.Target != "":
		return []string{t.Target}
	case t.SRV != "":
		return []string{t.SRV}
	}
	hosts := make([]string, len(t.Targets))
	for i, one := range t.Targets {
		hosts[i] = one.Address
	}
	return hosts
}

func (c *checker) trunkTransport(key string, t *Trunk) {
	on := c.Networks[t.Network].SIP.open()
	if (len(t.hosts()) > 0 || t.Transport == "tls") && !slices.Contains(on, t.Transport) && len(on) > 0 {
		c.add(key+".transport", textTransportOff.of(t.Network, t.Transport, on))
	}
	for name, value := range map[string]string{"ca_file": t.CAFile, "server_name": t.ServerName} {
		if value != "" && t.Transport != "tls" {
			c.add(join(key, name), textOnlyTLS.of())
		}
	}
	if t.SRTP == ua.Required && t.Transport != "tls" && !c.faulty(key+".transport") {
		c.add(key+".srtp", textKeysOpen.of("transport: tls"))
	}
	c.unoffered(key, t.SRTP, t.Transport == "tls")
	c.authorities(join(key, "ca_file"), t.CAFile)
}

// trunkFamily: an address of the other family is never heard from, nor reached.
func (c *checker) trunkFamily(key string, t *Trunk) {
	own := c.Networks[t.Network].RTP.Address.Unmap()
	if !own.IsValid() {
		return
	}
	other := func(a netip.Addr) bool { return a.IsValid() && a.Unmap().Is4() != own.Is4() }
	for i, m := range t.Match {
		if at := index(key+".match", i); other(m.Addr()) && !c.faulty(at) {
			c.add(at, textOneFamily.of("networks."+t.Network+".rtp.address"))
		}
	}
	for i, host := range t.hosts() {
		if a, err := netip.ParseAddr(hostOf(host)); err == nil && other(a) {
			c.add(t.hostKey(key, i), textOneFamily.of("networks."+t.Network+".rtp.address"))
		}
	}
}

// hostOf is a target without its port.
func hostOf(target string) string {
	if host, _, err := net.SplitHostPort(target); err == nil {
		return host
	}
	return target
}

// hostKey is the key of one of the hosts.
func (t *Trunk) hostKey(key string, i int) string {
	switch {
	case t.Target != "":
		return key + ".target"
	case t.SRV != "":
		return key + ".srv"
	}
	return index(key+".targets", i) + ".address"
}

// trunkHeard: a network with allow hears its trunks by address. What a name stands for is not known beforehand, and
// answers to our calls would go unheard. By TLS the end of a call goes to an address, and whose that is has to be
// known: a connection of ours is made to who has a certificate as a trunk, and to nobody else.
func (c *checker) trunkHeard(key string, t *Trunk) {
	why, needed := textTargetName.of(t.Network), len(c.Networks[t.Network].Allow) > 0
	if !needed && t.Transport == "tls" {
		why, needed = textNameByTLS.of(), true
	}
	if !needed || len(t.Match) > 0 || c.faulty(key+".match") {
		return
	}
	for i, written := range t.hosts() {
		if host := hostOf(written); host != "" && net.ParseIP(host) == nil {
			c.add(t.hostKey(key, i), why)
		}
	}
}

// matchApart: a call is a trunk's by its source address alone, so two trunks of a network cannot share one.
func (c *checker) matchApart(key string, t *Trunk, other string) {
	o := c.Trunks[other]
	if t.Network != o.Network {
		return
	}
	for i, p := range t.Match {
		for _, q := range o.Match {
			if p.IsValid() && q.IsValid() && p.Overlaps(q) {
				c.add(index(key+".match", i), textMatchCross.of(written(p), other, written(q)))
			}
		}
	}
}

// written is a range as an admin writes it: a range of one is an address.
func written(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
