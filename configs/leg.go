package configs

import "liandong/sip/leg"

// Leg is what every leg is made with. Rand is left to whoever runs them.
func (c *Config) Leg() leg.Config {
	l := leg.Default()
	l.SessionExpires, l.MinSE = c.Timers.Session, c.Timers.MinSE
	return l
}
