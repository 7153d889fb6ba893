package configs

import (
	"cmp"
	"net/netip"
	"slices"

	"liandong/media/engine"
	"liandong/media/jitter"
)

// Engine is what the media engine needs.
func (c *Config) Engine() engine.Config {
	e := engine.Default()
	e.Shards, e.MediaTimeout, e.SilenceTimeout, e.Prompts = c.Media.Shards, c.Media.Timeout, c.Media.Silence, c.library
	e.Kernel, e.Driver = c.Media.KernelRelay, c.Media.KernelXDP
	e.Networks = map[string]engine.Network{}
	for name, n := range c.Networks {
		e.Networks[name] = engine.Network{
			Address: n.RTP.Address, Advertise: n.RTP.Advertise, PortMin: n.RTP.Ports.Min, PortMax: n.RTP.Ports.Max,
			Jitter: n.RTP.jitter(), Latch: n.latch(),
		}
	}
	return e
}

// latch is whence sound is taken that SIP does not vouch for.
func (n *Network) latch() []netip.Prefix {
	if n.RTP.Latch != "allow" {
		return nil
	}
	return slices.Clone(n.Allow)
}

// jitter is what holds where the file says nothing of one bound.
func (r RTP) jitter() jitter.Config {
	own := jitter.Default()
	return jitter.Config{Min: cmp.Or(r.Jitter.Min, own.Min), Max: cmp.Or(r.Jitter.Max, own.Max)}
}
