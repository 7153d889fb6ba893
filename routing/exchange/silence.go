package exchange

import (
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// silent notes what the media engine says of a party: that there is no sign of it, neither sound nor a
// report, whether it is to send or not; or that there is one again.
func (c *Core) silent(id engine.LegID, is bool) {
	if p := c.party(call.LegID(id)); p != nil {
		p.Silent = is
	}
}

// earlySilence tells whether what comes before the answer is to be heard.
func (c *Core) earlySilence(id call.LegID, silent bool) {
	if l, ok := c.state.Leg(id); ok && !l.Up {
		c.fact(call.LegSilent{Leg: id, Silent: silent})
	}
}

// silences tells the call of the parties that are not as it has them: there is no sign of them
// any more, or there was none before they had a part in it.
func (c *Core) silences() {
	for _, l := range c.state.Legs {
		c.silenceOf(l)
	}
	for _, s := range c.state.Supervisors {
		c.silenceOf(s.Leg)
	}
}

func (c *Core) silenceOf(l call.Leg) {
	p := c.party(l.ID)
	is := p != nil && !p.Gone && p.Silent // one that is lent to another call is heard there
	if l.Up && l.Silent != is {
		c.fact(call.LegSilent{Leg: l.ID, Silent: is})
	}
}

// asks: a request of a party's own shows that it is there before it has been asked.
func (c *Core) asks(p *party) {
	if l, ok := c.state.Party(p.ID); ok && l.Vigil != (call.Vigil{}) {
		c.fact(call.LegAlive{Leg: p.ID})
	}
}

// presume is how long somebody who has never answered such a question is waited for: some
// gateways let OPTIONS and UPDATE in a dialog fall. A re-INVITE they have to answer (RFC 3261 §14.2).
const presume = 2 * time.Second

// probe asks a party whether it is there. One that is on its way between two calls is left
// alone until it has come there.
func (c *Core) probe(id call.LegID) {
	p := c.party(id)
	if p == nil || p.Lender.Ref != "" {
		c.fact(call.LegAlive{Leg: id})
		return
	}
	ask := leg.Probe{}
	if !p.Answers {
		ask.Patience = presume
	}
	c.command(p, ask)
}

// unanswered: who has answered such a question before is gone; who never has is asked by a
// re-INVITE, and is gone when the call has waited for long enough.
func (c *Core) unanswered(p *party) {
	if p.Answers {
		c.fact(call.LegUnanswered{Leg: p.ID})
		return
	}
	c.command(p, leg.Modify{Direction: sdp.SendRecv})
}
