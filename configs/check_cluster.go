package configs

import (
	"net/netip"
	"slices"
)

// minCluster is the shortest secret of two machines that is taken.
const minCluster = 20

// cluster checks that two machines are told apart, and from the addresses that move between them.
func (c *checker) cluster() {
	given := len(c.Cluster.Machines) > 0
	secretKey := c.secretKey("cluster", "secret", c.Cluster.SecretFile)
	switch {
	case c.faulty("cluster.machines"):
		return
	case !given && !c.Cluster.Secret.IsZero():
		c.add(secretKey, textNeedsMachines.of())
		return
	case !given:
		return
	case len(c.Cluster.Machines) != 2:
		c.add("cluster.machines", textTwoMachines.of())
	default:
		c.machines(c.Cluster.Machines[0], c.Cluster.Machines[1])
	}
	switch {
	case c.Cluster.Secret.IsZero() && !c.faulty(secretKey):
		c.addName("cluster.secret", textClusterSecret.of())
	case isWeak(c.Cluster.Secret, "", minCluster):
		c.add(secretKey, textClusterSecret.of())
	}
	c.moves()
	if !c.faulty("cluster.witness") {
		c.oneCable()
	}
}

func (c *checker) machines(a, b netip.AddrPort) {
	if a.Addr() == b.Addr() {
		c.add(index("cluster.machines", 1), textSameMachine.of())
	}
	for i, m := range []netip.AddrPort{a, b} {
		key := index("cluster.machines", i)
		switch {
		case m.Port() == 0:
			c.add(key, textZeroPort.of())
		case m.Addr().IsUnspecified():
			c.add(key, textMachineAnywhere.of())
		}
		for _, name := range sorted(c.Networks) {
			for _, at := range c.Networks[name].moving() {
				if at == m.Addr() && !at.IsUnspecified() {
					c.add(key, textMachineMoves.of(join("networks", name)))
					break
				}
			}
		}
	}
}

// oneCable warns of a pair whose machines would both act if one network failed between them: VRRP's messages and the
// copy go the same way, and Redis has no say.
func (c *checker) oneCable() {
	p := c.Pair()
	if p == nil || p.Witness {
		return
	}
	for i, m := range p.Machines {
		if slices.ContainsFunc(p.Moving, func(a netip.Addr) bool { return sameNetwork(a, m.Addr()) }) {
			c.warn(index("cluster.machines", i), textOneCable.of())
			return
		}
	}
}

// sameNetwork guesses by the usual size of a network.
func sameNetwork(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// moves: what is heard on all addresses of a machine does not move with one.
func (c *checker) moves() {
	for _, name := range sorted(c.Networks) {
		n, key := c.Networks[name], join("networks", name)
		for _, at := range []struct {
			key  string
			addr netip.Addr
		}{{".sip.udp", n.SIP.UDP.Addr()}, {".sip.tcp", n.SIP.TCP.Addr()}, {".sip.tls", n.SIP.TLS.Addr()},
			{".rtp.address", n.RTP.Address}} {
			if at.addr.IsValid() && at.addr.IsUnspecified() {
				c.add(key+at.key, textMovesNowhere.of())
			}
		}
	}
}

// moving are the addresses that move with the switch.
func (n *Network) moving() (all []netip.Addr) {
	for _, a := range []netip.Addr{n.SIP.UDP.Addr(), n.SIP.TCP.Addr(), n.SIP.TLS.Addr(), n.RTP.Address} {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// shares: switches that know of each other's phones are told apart by their names.
func (c *checker) shares() {
	if c.Shares() && c.Node == unnamed {
		c.add("cluster.share", textShareNameless.of())
	}
}
