package exchange

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
)

// What a quality event says in detail.
const (
	qualityPoor   = "poor"       // in the last few seconds
	qualityFair   = "fair"       // again
	qualityClosed = "leg_closed" // since the leg began
)

// leaving is what the call event of a leg's last figures says of the leg: by then the
// call may be over.
func (c *Core) leaving(p *party) map[string]string {
	fields := c.about(call.Tell{Leg: p.ID, Note: qualityClosed})
	fields["party"] = "caller"
	if p.ID != call.CallerLeg {
		fields["party"], fields["agent"] = "desk", p.Agent
	}
	if line, ok := c.supervises(p); ok { // who is let go is in the state no more
		fields["party"] = "supervisor"
		fields["lines"] = cmp.Or(line, strings.Join(c.dir.Supervises(p.User), ","), "-")
	}
	return fields
}

// qualityChanged tells whoever watches the calls that a leg sounds poor, or fair again.
func (c *Core) qualityChanged(e engine.QualityChanged) {
	p := c.party(call.LegID(e.Leg))
	if p == nil || p.Gone {
		return
	}
	fields := c.leaving(p)
	fields["detail"] = qualityFair
	if e.Poor {
		fields["detail"] = qualityPoor
		c.world.Log.Warn("a leg sounds poor", "leg", e.Leg, "loss", e.Quality.In.Loss, "jitter", e.Quality.In.Jitter,
			"rtt", e.Quality.RTT)
	}
	measured(fields, e.Quality)
	c.publish("quality", fields)
}

// measuredTold is the note that says how a leg has sounded in the last few seconds.
const measuredTold = "measured"

// legMeasured tells whoever looks at the call afterwards how a leg sounds. It is told to nobody else: there are many.
func (c *Core) legMeasured(e engine.Measured) {
	p := c.party(call.LegID(e.Leg))
	if c.world.Trace == nil || p == nil || p.Gone {
		return
	}
	fields := map[string]string{"party": c.partyTold(p.ID)}
	if line, ok := c.supervises(p); ok {
		fields["supervisor"], fields["lines"] = "1", line
	}
	measured(fields, e.Quality)
	c.trace(measuredTold, fields)
}

// legClosed tells a leg's last figures. One that never carried sound has none.
func (x *Exchange) legClosed(e engine.LegClosed) {
	if e.About == nil || e.Quality.In.Packets == 0 && e.Quality.Out.Packets == 0 {
		return
	}
	measured(e.About, e.Quality)
	x.cfg.Tell("quality", e.About)
}

// measured adds the figures; those that are not known are left out.
func measured(fields map[string]string, q engine.Quality) {
	fields["packets"] = strconv.FormatUint(uint64(q.In.Packets), 10)
	fields["packets_sent"] = strconv.FormatUint(uint64(q.Out.Packets), 10)
	if q.RTT > 0 {
		fields["rtt_ms"] = milliseconds(q.RTT)
	}
	direction(fields, "", q.In)
	direction(fields, "remote_", q.Out)
}

func direction(fields map[string]string, prefix string, d engine.Direction) {
	if !d.Known {
		return
	}
	fields[prefix+"loss_percent"] = strconv.FormatFloat(100*d.Loss, 'f', 2, 64)
	fields[prefix+"jitter_ms"] = milliseconds(d.Jitter)
	fields[prefix+"mos"] = strconv.FormatFloat(d.MOSCQ, 'f', 2, 64)
	fields[prefix+"mos_lq"] = strconv.FormatFloat(d.MOSLQ, 'f', 2, 64)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64)
}
