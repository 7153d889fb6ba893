package configs

import (
	"time"

	"liandong/routing/hotspot"
	"liandong/routing/ledger"
	"liandong/routing/matter"
)

// Ledger is what keeps the state of the matters, with one Redis for all hotlines; see [Config.Stores].
func (c *Config) Ledger() ledger.Config {
	l := ledger.Default()
	l.Config = c.Redis.link()
	l.Node, l.Hotlines = c.Node, c.HotlineIDs()
	l.Trim = ledger.Trim{Age: c.Streams.Keep, Entries: int64(c.Streams.MaxEntries), Groups: c.Streams.Groups}
	l.Zone, l.Kinds = c.Location(), c.Known()
	l.KeepDays, l.KeepHours = c.Indicators.KeepDays, c.Indicators.KeepHours
	l.Hotspots = hotspot.Policy{Place: hotspot.Limits(c.Hotspots.Place), Person: hotspot.Limits(c.Hotspots.Person)}
	l.KeepOpen, l.KeepClosed = c.Matters.KeepOpen, c.Matters.KeepClosed
	l.Policy = matter.Policy{
		Limits: matter.Limits(c.Matters.Limits),
		Alarms: matter.Alarms{Remind: c.Matters.Remind, Supervise: c.Matters.Supervise,
			Recheck: timeOfDay(c.Matters.Recheck)},
		Calendar: c.calendar(),
		Hotlines: limits(c.Matters.Hotlines), Categories: limits(c.Matters.Categories),
	}
	return l
}

// Location is the zone by which days and hours are counted.
func (c *Config) Location() *time.Location {
	at, err := time.Parse("-07:00", c.Zone)
	if err != nil {
		return time.Local
	}
	_, offset := at.Zone()
	return time.FixedZone(c.Zone, offset)
}

func limits(table map[string]*Limits) map[string]matter.Limits {
	m := make(map[string]matter.Limits, len(table))
	for name, l := range table {
		m[name] = matter.Limits(*l)
	}
	return m
}

// timeOfDay is counted from midnight; 0 for none, and for midnight itself a nanosecond.
func timeOfDay(s string) time.Duration {
	at, err := time.Parse("15:04", s)
	if err != nil {
		return 0
	}
	return max(time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute, 1)
}

// streams: an hour is little enough to lose by a wrong unit.
func (c *checker) streams() {
	if keep := c.Streams.Keep; keep > 0 && keep < time.Hour && !c.faulty("streams.keep") {
		c.add("streams.keep", textKeepShort.of(keep))
	}
}

// matters: limits are for lines and categories that there are.
func (c *checker) matters() {
	for _, id := range sorted(c.Matters.Hotlines) {
		if _, ok := c.Hotlines[id]; !ok {
			c.addName(join("matters.hotlines", id), textNoSuch.of(id, sorted(c.Hotlines)))
		}
	}
	for _, code := range sorted(c.Matters.Categories) {
		if _, ok := c.known.ByCode(code); !ok {
			c.addName(join("matters.categories", code), textNoSuch.of(code, c.known.Codes()))
		}
	}
	c.workingTime()
}
