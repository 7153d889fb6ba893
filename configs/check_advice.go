package configs

import (
	"net/netip"
	"strings"
)

// advice warns of what can be run and will disappoint.
func (c *checker) advice() {
	if len(c.list) > 0 {
		return
	}
	for _, id := range sorted(c.Hotlines) {
		if h := c.Hotlines[id]; h.Partner == "" && h.Trunk == "" {
			c.advise(join("hotlines", id), textNoPartner.of())
		}
	}
	c.loops()
}

// advise warns at the name of a key that calls will go wrong.
func (c *checker) advise(key string, msg message) {
	c.warnName(key, msg)
	c.grave = append(c.grave, c.warned[len(c.warned)-1])
}

// loops finds trunks whose calls would come back to us.
func (c *checker) loops() {
	for _, name := range sorted(c.Trunks) {
		for _, host := range c.Trunks[name].hosts() {
			at, err := netip.ParseAddrPort(host)
			if err != nil {
				continue
			}
			for _, s := range c.sockets() {
				if strings.Contains(s.key, ".sip.") && s.at.IsValid() && s.at.Port() == at.Port() &&
					sameHost(s.at.Addr(), at.Addr()) &&
					!(s.at.Addr().IsUnspecified() && !at.Addr().IsLoopback()) {
					c.advise(join("trunks", name), textTrunkSelf.of(host, s.key))
					break
				}
			}
		}
	}
}
