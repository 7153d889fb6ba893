package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"liandong/sip/auth"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// UA is what the socket layer needs.
func (c *Config) UA() ua.Config { return c.uaOf(c.Phones) }

// uaOf is what it needs for some phones.
func (c *Config) uaOf(phones map[string]*Phone) ua.Config {
	u := ua.Default()
	u.Realm, u.Strangers, u.Node = c.Realm, c.Strangers, c.Node
	u.Networks, u.Trunks = map[string]ua.Network{}, map[string]ua.Trunk{}
	u.Users = make(map[string]ua.User, len(phones))
	for name, n := range c.Networks {
		u.Networks[name] = ua.Network{
			UDP: n.SIP.UDP, TCP: n.SIP.TCP, Advertise: n.SIP.Advertise, Allow: slices.Clone(n.Allow),
			Strangers: n.Strangers,
			TLS: ua.TLS{
				Listen: n.SIP.TLS, CertFile: c.files.path(n.SIP.CertFile), KeyFile: c.files.path(n.SIP.KeyFile),
				ClientCA: c.files.path(n.SIP.ClientCA),
			},
		}
	}
	for name, t := range c.Trunks {
		u.Trunks[name] = ua.Trunk{
			Network: t.Network, Match: slices.Clone(t.Match), Targets: t.hosts(), Contact: t.contact(),
			Transport: t.Transport,
			CAFile:    c.files.path(t.CAFile), ServerName: t.ServerName, Trusted: t.Trusted,
		}
	}
	for user, p := range phones {
		u.Users[user] = ua.User{Password: ua.Secret(p.Password.Reveal()), Network: p.Network, Digest: p.digest(),
			TLS: p.TLS}
	}
	return u
}

// contact is the user part of our Contact at a trunk where we register. Who knows it has it from there: it is not to be
// guessed without the password, and the same after a restart, so that what the trunk still remembers holds.
func (t *Trunk) contact() string {
	if t.Register == 0 {
		return ""
	}
	sum := sha256.Sum256([]byte("contact\n" + t.Username + "\n" + t.Password.Reveal()))
	return "r" + hex.EncodeToString(sum[:12])
}

// Neighbours is what the keeper of the trunks needs; its random numbers are the caller's.
func (c *Config) Neighbours() trunk.Config {
	k := trunk.Config{Trunks: map[string]trunk.Trunk{}, UserAgent: ua.Default().UserAgent}
	for name, t := range c.Trunks {
		one := trunk.Trunk{Network: t.Network, Transport: t.Transport, SRV: t.SRV, Options: t.Options}
		if t.Register > 0 {
			one.Register = &trunk.Register{
				Credentials: auth.Credentials{Username: t.Username, Password: t.Password.Reveal()},
				Contact:     t.contact(), Expires: t.Register,
			}
		}
		if t.Target != "" {
			one.Targets = []trunk.Target{{Host: t.Target}}
		}
		for _, at := range t.Targets {
			one.Targets = append(one.Targets, trunk.Target{Host: at.Address, Priority: at.Priority, Weight: at.Weight})
		}
		k.Trunks[name] = one
	}
	return k
}

// digest is the one algorithm a phone is challenged with; "" for any.
func (p *Phone) digest() string {
	if p.Digest == anyDigest {
		return ""
	}
	return p.Digest
}

// anyDigest offers all algorithms, the stronger first.
const anyDigest = "any"
