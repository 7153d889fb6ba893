package ua

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"liandong/sip/leg"
)

// TLS is a network's secure transport (RFC 3261 §26.2.1). A zero Listen is off.
type TLS struct {
	Listen   netip.AddrPort
	CertFile string // PEM, our certificate and those up to its authority; read again when it changes, as the others
	KeyFile  string // PEM
	ClientCA string // PEM; not empty: who calls as a trunk has to show a certificate signed by one of these
}

// Policy is whether what can be secure has to be. As of a phone's signalling
// "" is Preferred.
const (
	Required  = "required"
	Preferred = "preferred"
	Off       = "off"
)

// handshakeCost is what a TLS handshake takes from its source's rate.
const handshakeCost = 2

// keyring is what TLS needs of files. Immutable but for what it has read.
type keyring struct {
	log        *slog.Logger
	identities map[string]*identity               // by network
	clients    map[string]*renewed[x509.CertPool] // by network: who signs for trunks that call
	roots      map[string]*renewed[x509.CertPool] // by trunk: who signs for it when it is called
}

func newKeyring(cfg Config, log *slog.Logger) *keyring {
	k := &keyring{
		log: log, identities: map[string]*identity{},
		clients: map[string]*renewed[x509.CertPool]{}, roots: map[string]*renewed[x509.CertPool]{},
	}
	for name, n := range cfg.Networks {
		if !n.TLS.Listen.IsValid() {
			continue
		}
		k.identities[name] = newIdentity(name, n.TLS)
		if n.TLS.ClientCA != "" {
			k.clients[name] = newAuthorities("authorities for trunks of network "+name, n.TLS.ClientCA)
		}
	}
	for name, t := range cfg.Trunks {
		if t.CAFile != "" {
			k.roots[name] = newAuthorities("authorities for trunk "+name, t.CAFile)
		}
	}
	return k
}

// look reads what has changed. The first error is returned, all are logged.
func (k *keyring) look(now time.Time) (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	for _, name := range sortedKeys(k.identities) {
		i := k.identities[name]
		before := i.get()
		keep(i.look(k.log))
		if i.get() != before {
			i.reminded = time.Time{}
		}
		i.remind(now, k.log)
	}
	for _, m := range []map[string]*renewed[x509.CertPool]{k.clients, k.roots} {
		for _, name := range sortedKeys(m) {
			keep(m[name].look(k.log))
		}
	}
	return err
}

// expiry is when each network's certificate runs out.
func (k *keyring) expiry() map[string]time.Time {
	all := map[string]time.Time{}
	for name, i := range k.identities {
		if c := i.get(); c != nil {
			all[name] = c.Leaf.NotAfter
		}
	}
	return all
}

// suites of TLS 1.2: RFC 9325 §4.2, authenticated encryption and forward secrecy, none with CBC. Those of 1.3 are all
// so.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// common is what both sides of a handshake have on a network.
func (k *keyring) common(network string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: suites,
		Certificates: []tls.Certificate{*k.identities[network].get()},
	}
}

// server is our side of a handshake that the peer began. Phones prove who they
// are by digest; a trunk is only known by its address and does so here.
func (k *keyring) server(network, trunk string) *tls.Config {
	c := k.common(network)
	if pool := k.clients[network]; pool != nil && trunk != "" {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, pool.get()
	}
	return c
}

// client is our side of a handshake with a trunk. RFC 5922 §7.4: the trunk's
// certificate has to hold the name that it was to be reached by.
func (k *keyring) client(network, trunk, name string) *tls.Config {
	c := k.common(network)
	c.ServerName = name
	if pool := k.roots[trunk]; pool != nil {
		c.RootCAs = pool.get()
	}
	return c
}

// serverName is what a trunk's certificate has to be made out to when a message
// for this target goes there. RFC 5922 §7.1: of a domain that was asked for by its
// SRV records it is the domain.
func (t Trunk) serverName(target string) string {
	if t.ServerName != "" {
		return t.ServerName
	}
	if len(t.Targets) > 0 && !slices.Contains(t.Targets, target) {
		target = t.Targets[0]
	}
	host, _, _ := splitTarget(target)
	if ip, ok := hostIP(host); ok {
		return ip.String()
	}
	return host
}

// handshake is bounded in time, so that a peer that says nothing takes no place for long.
func (c *conn) handshake(patience time.Duration) error {
	t, secure := c.nc.(*tls.Conn)
	if !secure {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ended, patience)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.u.counts.handshakes.Add(1)
		c.u.log.say(slog.LevelWarn, "TLS handshake failed",
			"network", c.key.network, "peer", c.key.remote, "trunk", c.trunk, "error", err)
		return fmt.Errorf("TLS: %w", err)
	}
	return nil
}

// secured puts TLS on a connection that we have made.
func (c *conn) secured(nc net.Conn) net.Conn {
	if !c.key.secure {
		return nc
	}
	return tls.Client(nc, c.u.keys.client(c.key.network, c.trunk,
		c.u.origins.Load().neighbours[c.trunk].serverName(c.target)))
}

// callee is the trunk that a message goes to: the one whose target it names, or
// else the one with that address. "": none, so it is for a phone.
func (u *UA) callee(o outgoing) string {
	network := o.packet.Flow.Network
	for _, name := range sortedKeys(u.origins.Load().neighbours) {
		if t := u.origins.Load().neighbours[name]; t.Network == network && slices.Contains(t.Targets, o.packet.Target) {
			return name
		}
	}
	return u.origins.Load().trunk(leg.Flow{Network: network, Transport: o.packet.Flow.Transport, Remote: o.to})
}

// fits says whether a phone may speak by this transport.
func (u *UA) fits(user string, f leg.Flow) bool {
	switch u.origins.Load().as(f.Network, user).TLS {
	case Required:
		return f.Transport == "tls"
	case Off:
		return f.Transport != "tls"
	}
	return true
}
