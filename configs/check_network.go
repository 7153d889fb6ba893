package configs

import (
	"fmt"
	"net/netip"
	"slices"

	"liandong/media/codec"
)

// minPorts gives a call of three legs room for a dozen of its like. Each leg takes two: RTP and RTCP.
const minPorts = 100

// socket is one port the switch listens on.
type socket struct {
	key, proto string
	at         netip.AddrPort
}

func (c *checker) networks() {
	if len(c.Networks) == 0 && !c.faulty("networks") {
		c.add("networks", textNoNetwork.of())
	}
	names := sorted(c.Networks)
	for i, name := range names {
		c.oneNetwork(join("networks", name), c.Networks[name])
		c.networkTLS(name, c.Networks[name])
		for _, other := range names[:i] {
			c.rtpApart(name, other)
		}
	}
	c.socketsApart(c.sockets())
}

func (c *checker) oneNetwork(key string, n *Network) {
	if len(n.SIP.open()) == 0 && !c.has(key) && !c.has(key+".sip") && !c.faulty(key+".sip.udp") &&
		!c.faulty(key+".sip.tcp") && !c.faulty(key+".sip.tls") {
		c.addName(join(key, "sip"), textNoListener.of())
	}
	if n.SIP.anywhere() && n.SIP.Advertise == "" {
		c.addName(key+".sip.advertise", textWildcard.of("sip.advertise"))
	}
	if n.RTP.Address.IsUnspecified() && !n.RTP.Advertise.IsValid() {
		c.addName(key+".rtp.advertise", textWildcard.of("rtp.advertise"))
	}
	c.oneFamily(key, n)
	if p := n.RTP.Ports; p != (Ports{}) && p.count() < minPorts {
		c.add(key+".rtp.ports", textFewPorts.of(p.count(), minPorts))
	}
	if n.RTP.Latch == "allow" && len(n.Allow) == 0 {
		c.add(key+".rtp.latch", textLatchAnybody.of())
	}
	if j := n.RTP.jitter(); j.Min > j.Max {
		c.add(key+".rtp.jitter", textJitterTurned.of(j.Min, j.Max))
	}
}

// oneFamily: a phone that comes by IPv4 would be told to send its sound to an IPv6 address, and hear nothing.
func (c *checker) oneFamily(key string, n *Network) {
	for _, name := range n.SIP.open() {
		at := n.SIP.listeners()[name].Addr()
		if n.RTP.Address.IsValid() && at.Unmap().Is4() != n.RTP.Address.Unmap().Is4() {
			c.add(key+".rtp.address", textOneFamily.of("sip."+name))
			return
		}
	}
}

// listeners are the addresses by transport.
func (s SIP) listeners() map[string]netip.AddrPort {
	return map[string]netip.AddrPort{"udp": s.UDP, "tcp": s.TCP, "tls": s.TLS}
}

// open lists the transports that there are.
func (s SIP) open() (names []string) {
	for _, name := range []string{"udp", "tcp", "tls"} {
		if s.listeners()[name].IsValid() {
			names = append(names, name)
		}
	}
	return names
}

// anywhere says that one of them hears on every address there is.
func (s SIP) anywhere() bool {
	for _, at := range s.listeners() {
		if at.Addr().IsUnspecified() {
			return true
		}
	}
	return false
}

func (p Ports) count() int { return int(p.Max) - int(p.Min) + 1 }

func (c *checker) rtpApart(name, other string) {
	a, b := c.Networks[name].RTP, c.Networks[other].RTP
	if a.Ports == (Ports{}) || b.Ports == (Ports{}) || !sameHost(a.Address, b.Address) {
		return
	}
	if a.Ports.Min <= b.Ports.Max && b.Ports.Min <= a.Ports.Max {
		c.add(join("networks", name)+".rtp.ports", textPortsCross.of("networks."+other, b.Ports))
	}
}

// sameHost says that two listeners could meet: a wildcard meets everything.
func sameHost(a, b netip.Addr) bool {
	return a.IsValid() && b.IsValid() && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

func (c *checker) sockets() (all []socket) {
	for _, name := range sorted(c.Networks) {
		n, key := c.Networks[name], join("networks", name)
		all = append(all, socket{key + ".sip.udp", "UDP", n.SIP.UDP}, socket{key + ".sip.tcp", "TCP", n.SIP.TCP},
			socket{key + ".sip.tls", "TCP", n.SIP.TLS},
			socket{key + ".http.listen", "TCP", n.HTTP.Listen})
	}
	for i, at := range c.HTTP.Listen {
		all = append(all, socket{c.listenKey(i), "TCP", at})
	}
	for i, at := range c.HTTP.Console.Listen {
		all = append(all, socket{c.consoleKey(i), "TCP", at})
	}
	return all
}

func (c *checker) socketsApart(all []socket) {
	for i, s := range all {
		if !s.at.IsValid() {
			continue
		}
		if s.at.Port() == 0 {
			c.add(s.key, textZeroPort.of())
		}
		for _, o := range all[:i] {
			if s.proto == o.proto && s.at.Port() == o.at.Port() && sameHost(s.at.Addr(), o.at.Addr()) {
				c.add(s.key, textSameSocket.of(o.key, s.proto, fmt.Sprint(s.at.Port())))
			}
		}
		if s.proto == "UDP" {
			c.socketInRange(s)
		}
	}
}

func (c *checker) socketInRange(s socket) {
	for _, name := range sorted(c.Networks) {
		r := c.Networks[name].RTP
		if sameHost(r.Address, s.at.Addr()) && r.Ports.Min <= s.at.Port() && s.at.Port() <= r.Ports.Max {
			c.add(join("networks", name)+".rtp.ports", textPortsHit.of(s.key, s.at.Port()))
		}
	}
}

func (c *checker) codecs() {
	if len(c.Codecs) == 0 && !c.faulty("codecs") {
		c.add("codecs", textNoCodec.of(codecWhat(rule{})))
	}
	c.codecsOnce("codecs", c.Codecs)
	for _, name := range sorted(c.Networks) {
		c.codecsOnce(join("networks", name)+".codecs", c.Networks[name].Codecs)
	}
	for _, user := range c.inOrder() {
		if own := c.Phones[user].Codecs; len(own) > 1 {
			c.codecsOnce(join("phones", user)+".codecs", own)
		}
	}
}

func (c *checker) codecsOnce(key string, list []codec.ID) {
	for i, id := range list {
		if slices.Contains(list[:i], id) && id.Known() { // 0: it was reported
			c.add(index(key, i), textListTwice.of(id.Name()))
		}
	}
}
