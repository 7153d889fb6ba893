package configs

import "liandong/media/engine"

// Engine is what the media engine needs.
func (c *Config) Engine() engine.Config {
	e := engine.Default()
	e.Shards, e.MediaTimeout, e.Prompts = c.Media.Shards, c.Media.Timeout, c.library
	e.Networks = map[string]engine.Network{}
	for name, n := range c.Networks {
		e.Networks[name] = engine.Network{
			Address: n.RTP.Address, Advertise: n.RTP.Advertise, PortMin: n.RTP.Ports.Min, PortMax: n.RTP.Ports.Max,
		}
	}
	return e
}
