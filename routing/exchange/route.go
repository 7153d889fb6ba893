package exchange

import (
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/sip/leg"
	"liandong/sip/sdp"
	"liandong/sip/trunk"
)

// Trunks knows where the trunks are reached, and how their targets are doing.
type Trunks interface {
	Order(trunk string) []trunk.Target // as a call is to try them
	Called(trunk string, t trunk.Target, o trunk.Outcome)
}

const (
	// tryFor is how long a target of a trunk may be silent before the next one is
	// tried. Over UDP four copies of the INVITE have gone out by then; a server that
	// lives answers the first with 100 within 200 ms (RFC 3261 §17.2.1).
	tryFor = 4 * time.Second
	// tryLast is the same for the last one: there is nothing to lose but time, and
	// not as much as timer B would take.
	tryLast = 8 * time.Second
	// tryLeast: RFC 3261 §17.1.1.2, by then a second copy of the INVITE has gone
	// out (T1), and an answer to the first has had its time.
	tryLeast = time.Second
)

// share is how long the next of so many targets may be silent when there is so
// much time left: each of them is to get its turn before the ringing time is over.
func share(left time.Duration, targets int) time.Duration {
	if targets <= 1 {
		return tryLast
	}
	return max(min(tryFor, left/time.Duration(targets)), tryLeast)
}

// route is the way to a desk behind a trunk: the target that is being tried, and
// those after it. The call knows one leg that rings, whichever target that is:
// its state machine, the stub, the ringing time and what everybody hears go on
// untouched while targets fail, and only the failure of the last one is news.
// Each try is a SIP leg of its own, with its own Call-ID, so that a late answer
// to an abandoned one is not taken for the call's: its leg sends ACK and BYE.
type route struct {
	trunk *desk.Trunk
	Ring  call.RingTrunk
	At    trunk.Target
	Rest  []trunk.Target
	Until time.Time // the line's ringing time is over
	Heard bool      // at has said something
}

func (c *Core) ringTrunk(e call.RingTrunk) {
	p := &party{ID: e.Leg, Agent: e.Hotline, Trunk: e.Trunk, Keys: c.keysOf(e)}
	switch {
	case e.Leg == call.CallerLeg:
		c.world.Log.Info("a citizen is called back", "line", c.state.Hotline, "trunk", e.Trunk,
			"number", number.Mask(e.Number))
	case e.Hotline == "": // somebody outside
		p.Agent = e.For.From
		c.world.Log.Info("a caller is handed to a number outside", "leg", e.Leg, "line", e.For.From, "trunk", e.Trunk,
			"number", number.Mask(e.Number))
	}
	t, ok := c.dir.Trunks[e.Trunk]
	if !ok {
		c.unreachable(p, 404)
		return
	}
	targets := c.targets(t)
	if len(targets) == 0 {
		c.world.Log.Error("a trunk has no target", "trunk", t.Name)
		c.unreachable(p, 503)
		return
	}
	p.Route = &route{trunk: t, Ring: e, At: targets[0], Rest: targets[1:], Until: c.now.Add(c.ringTime(e))}
	p.Network = t.Network
	if c.open(p) {
		c.try(p)
	}
}

// ringTime is how long a desk behind a trunk may ring, as the call counts it.
func (c *Core) ringTime(e call.RingTrunk) time.Duration {
	line := c.dir.Hotlines[e.Hotline]
	if _, over := c.overflowed(e); over || line == nil || line.NoAnswer == 0 {
		return c.dir.Timers.TrunkRing
	}
	return line.NoAnswer
}

func (c *Core) targets(t *desk.Trunk) []trunk.Target {
	switch {
	case c.world.Trunks != nil:
		return c.world.Trunks.Order(t.Name)
	case t.Target != "":
		return []trunk.Target{{Host: t.Target}}
	}
	return nil
}

// waysTo are the targets of a trunk, for when the Contact of its dialog leads nowhere.
func (c *Core) waysTo(name string) (ways []leg.Hop) {
	t := c.dir.Trunks[name]
	if t == nil {
		return nil
	}
	for _, at := range c.targets(t) {
		ways = append(ways, leg.Hop{Flow: leg.Flow{Network: t.Network, Transport: t.Transport, Remote: at.Addr},
			Target: at.Host})
	}
	return ways
}

// try calls the target that is next.
func (c *Core) try(p *party) {
	r := p.Route
	place := Place{
		URI:    "sip:" + r.Ring.Number + "@" + r.At.Host,
		Flow:   leg.Flow{Network: r.trunk.Network, Transport: r.trunk.Transport, Remote: r.At.Addr},
		Target: r.At.Host,
		SRTP:   r.trunk.SRTP,
	}
	i := c.toTrunk(r.Ring, r.trunk)
	i.Patience = share(r.Until.Sub(c.now), 1+len(r.Rest))
	r.Heard = false
	c.dial(p, place, i)
}

// triesNext: RFC 3263 §4.3, the next target is tried when one is silent, cannot be
// reached or answers 503. 500, 502 and 504 are added: a gateway that has lost its
// own way out says one of them, and nobody's phone rings twice by it.
func triesNext(e leg.Failed) bool {
	switch e.Code {
	case 500, 502, 503, 504:
		return true
	}
	return e.Silent
}

// failOver goes on to the trunk's next target; false: there is none, or another
// would say the same.
func (c *Core) failOver(p *party, e leg.Failed) bool {
	r := p.Route
	if r == nil || p.Gone {
		return false
	}
	c.judge(r, e)
	if !triesNext(e) {
		return false
	}
	c.world.Log.Warn("a target of a trunk failed a call", "trunk", r.trunk.Name, "target", r.At, "code", e.Code,
		"silent", e.Silent, "left", len(r.Rest))
	if len(r.Rest) == 0 {
		return false
	}
	// The leg of the abandoned try stays for its farewell.
	c.parties = append(c.parties, &party{leg: p.leg, Network: p.Network, Gone: true})
	r.At, r.Rest = r.Rest[0], r.Rest[1:]
	c.try(p)
	return true
}

// judge tells how the target has taken the call.
func (c *Core) judge(r *route, e leg.Failed) {
	o := trunk.Outcome{Code: e.Code, RetryAfter: e.RetryAfter}
	if e.Silent {
		o = trunk.Outcome{}
	}
	c.called(r, o)
}

// targetAnswered notes the first word of a target: it lives.
func (c *Core) targetAnswered(p *party, code int) {
	if r := p.Route; r != nil && !r.Heard {
		r.Heard = true
		c.called(r, trunk.Outcome{Code: code})
	}
}

// earlyPatience is how long early media may be promised and not come, before our
// own ringing tone is heard again.
const earlyPatience = time.Second

// earlyMedia lets those who wait for a desk behind a trunk hear what comes from there
// before the answer: the operator's announcement, the queue of the partner's PBX.
// Of several early dialogs, as a proxy's forking makes them, the last one is heard.
func (c *Core) earlyMedia(p *party, s *sdp.Session) {
	if p.Route == nil || p.Gone || s == nil {
		return
	}
	stream := streamOf(p, *s)
	stream.Timeout = earlyPatience
	c.stream(p, stream)
	c.fact(call.LegEarly{Leg: p.ID})
}

func (c *Core) called(r *route, o trunk.Outcome) {
	if c.world.Trunks != nil {
		c.world.Trunks.Called(r.trunk.Name, r.At, o)
	}
}

// failure is the code by which a desk was not reached. A trunk of which no target
// said a word is out of order, which is another thing than a desk where nobody picks up.
func failure(p *party, e leg.Failed) int {
	if p.Route != nil && e.Silent {
		return 503
	}
	return e.Code
}
