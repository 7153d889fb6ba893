package engine

import (
	"sync/atomic"
	"time"
)

// Stats counts since the engine's start, except where a field says now.
type Stats struct {
	Sessions int // now
	Legs     int // now
	Carried  int // of them, now: the kernel relays to them

	PacketsIn, PacketsOut uint64
	Unclaimed             uint64 // came to a port before its leg was configured, or after its end
	Malformed             uint64 // no RTP, or nothing that was agreed on
	Strangers             uint64 // from another source than the locked one
	Forged                uint64 // not sealed by the party's key, or heard before
	Dropped               uint64 // came in faster than they were read
	SendFailed            uint64

	Ticks, LateTicks, SkippedTicks uint64
	Silences                       uint64 // times a party had nothing to hear for a second
	MediaLost                      uint64
	EventsDropped                  uint64 // sinks too slow
	Refused                        uint64 // parties for whom there was no port, or no open file

	Transport string // how datagrams are moved

	Ports   map[string]PortStats    // by network, now
	Quality map[string]QualityStats // by network
}

// counters are one shard's; it alone adds to them.
type counters struct {
	legs, carried                           atomic.Int64
	in, out                                 atomic.Uint64
	unclaimed, malformed, strangers, failed atomic.Uint64
	forged                                  atomic.Uint64
	ticks, late, skipped                    atomic.Uint64
	silences, lost, unheard                 atomic.Uint64
	quality                                 map[string]*qualityTally // by network; the map does not change
}

func newCounters(networks map[string]Network) *counters {
	c := &counters{quality: map[string]*qualityTally{}}
	for name := range networks {
		c.quality[name] = newQualityTally()
	}
	return c
}

// Turn returns when every shard has had a turn, or has ended: one that is stuck holds it up for ever.
func (e *Engine) Turn() {
	turns := make(chan struct{}, len(e.shards))
	for _, s := range e.shards {
		s.post(order{what: func() { turns <- struct{}{} }})
	}
	for _, s := range e.shards {
		select {
		case <-turns:
		case <-s.done:
		}
	}
}

// Stats is a snapshot; its figures may be some packets apart.
func (e *Engine) Stats() Stats {
	stats := Stats{
		Ports: map[string]PortStats{}, Quality: map[string]QualityStats{},
		Refused: e.refused.Load(), Transport: e.transport(),
	}
	for _, s := range e.shards {
		stats.Sessions += int(s.sessions.Load())
		stats.Dropped += s.net.Lost()
		s.count.addTo(&stats)
	}
	now := time.Now()
	for name, p := range e.ports {
		stats.Ports[name] = p.stats(now)
	}
	return stats
}

func (c *counters) addTo(s *Stats) {
	s.Legs += int(c.legs.Load())
	s.Carried += int(c.carried.Load())
	s.PacketsIn += c.in.Load()
	s.PacketsOut += c.out.Load()
	s.Unclaimed += c.unclaimed.Load()
	s.Malformed += c.malformed.Load()
	s.Strangers += c.strangers.Load()
	s.Forged += c.forged.Load()
	s.SendFailed += c.failed.Load()
	s.Ticks += c.ticks.Load()
	s.LateTicks += c.late.Load()
	s.SkippedTicks += c.skipped.Load()
	s.Silences += c.silences.Load()
	s.MediaLost += c.lost.Load()
	s.EventsDropped += c.unheard.Load()
	for name, t := range c.quality {
		sum := s.Quality[name]
		t.addTo(&sum)
		s.Quality[name] = sum
	}
}
