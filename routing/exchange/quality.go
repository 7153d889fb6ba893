package exchange

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/news"
)

// What a quality event says in detail.
const (
	qualityPoor   = "poor"       // in the last few seconds
	qualityFair   = "fair"       // again
	qualityClosed = "leg_closed" // since the leg began
)

// leaving is what the call event of a leg's last figures says of the leg: by then the
// call may be over.
func (c *Core) leaving(p *party) *news.Item {
	it := c.about(call.Tell{What: qualityTold, Leg: p.ID, Note: qualityClosed})
	it.Set("party", "caller")
	if p.ID != call.CallerLeg {
		it.Set("party", "desk")
		it.Set("agent", p.Agent)
	}
	if line, ok := c.supervises(p); ok { // who is let go is in the state no more
		it.Set("party", "supervisor")
		it.Set("lines", cmp.Or(line, strings.Join(c.dir.Supervises(p.User), ","), "-"))
	}
	return it
}

// qualityChanged tells whoever watches the calls that a leg sounds poor, or fair again.
func (c *Core) qualityChanged(e engine.QualityChanged) {
	p := c.party(call.LegID(e.Leg))
	if p == nil || p.Gone {
		return
	}
	it := c.leaving(p)
	it.Set("detail", qualityFair)
	if e.Poor {
		it.Set("detail", qualityPoor)
		c.world.Log.Warn("a leg sounds poor", "leg", e.Leg, "loss", e.Quality.In.Loss, "jitter", e.Quality.In.Jitter,
			"rtt", e.Quality.RTT)
	}
	it.Fields = measured(it.Fields, e.Quality)
	c.publish(it)
}

const (
	qualityTold  = "quality"  // the event that says how a leg sounds, or has sounded
	measuredTold = "measured" // the note that says how a leg has sounded in the last few seconds
)

// legMeasured tells whoever looks at the call afterwards how a leg sounds. It is told to nobody else: there are many.
func (c *Core) legMeasured(e engine.Measured) {
	p := c.party(call.LegID(e.Leg))
	if c.world.Trace == nil || p == nil || p.Gone {
		return
	}
	line, watches := c.supervises(p)
	c.trace(measuredTold, watches, line, measured(news.Fields{{Name: "party", Value: c.partyTold(p.ID)}}, e.Quality)...)
}

// legClosed tells a leg's last figures. One that never carried sound has none.
func (x *Exchange) legClosed(e engine.LegClosed) {
	it, ok := e.About.(*news.Item)
	if !ok || e.Quality.In.Packets == 0 && e.Quality.Out.Packets == 0 {
		return
	}
	it.Fields = measured(it.Fields, e.Quality)
	x.cfg.Tell(*it)
}

// measured adds the figures; those that are not known are left out.
func measured(to news.Fields, q engine.Quality) news.Fields {
	add := func(name, value string) { to = append(to, news.Field{Name: name, Value: value}) }
	direction := func(prefix string, d engine.Direction) {
		if d.Known {
			add(prefix+"loss_percent", strconv.FormatFloat(100*d.Loss, 'f', 2, 64))
			add(prefix+"jitter_ms", milliseconds(d.Jitter))
			add(prefix+"mos", strconv.FormatFloat(d.MOSCQ, 'f', 2, 64))
			add(prefix+"mos_lq", strconv.FormatFloat(d.MOSLQ, 'f', 2, 64))
		}
	}
	add("packets", strconv.FormatUint(uint64(q.In.Packets), 10))
	add("packets_sent", strconv.FormatUint(uint64(q.Out.Packets), 10))
	if q.RTT > 0 {
		add("rtt_ms", milliseconds(q.RTT))
	}
	direction("", q.In)
	direction("remote_", q.Out)
	return news.Of(to...)
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64)
}
