package configs

import "liandong/routing/outbox"

// Outbox is what the durable queue needs, with one Redis for all hotlines; see [Config.Stores].
func (c *Config) Outbox() outbox.Config {
	o := outbox.Default()
	o.Path, o.MaxBytes = c.Store.Path, int64(c.Store.MaxMB)<<20
	o.Keep = c.Store.Keep
	o.Remember = max(o.Remember, 2*o.Keep)
	o.Config = c.Redis.link()
	return o
}

// LampVersions is the file beside the queue that makes what lamps are told rise
// over restarts.
func (c *Config) LampVersions() string { return c.Store.Path + ".lamps" }
