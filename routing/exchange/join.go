package exchange

import (
	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// Two calls of one phone become one: the call that has the citizen takes the party
// of the other one over. That party's leg, its dialog with all that is under way in
// it, is one value which has one owner at any moment: it is sent from call to call
// and never shared. The call that lends it keeps the party's port and its place in
// the state, so that all goes on as before when the leg comes back; only when the
// party has agreed to its new session is it of the other call for good.

// wish is a join that a REFER asks for, until the machine has said whether it can be.
type wish struct {
	Ref    string          // the other call
	User   string          // whose phone it is: both calls' in one
	Dialog header.Replaces // of the other call; zero: the other call has asked
}

// claim asks for a call's party.
type claim struct {
	wish
	As call.LegID // in the call that asks
}

// loan is a party on its way from one call to another, or back.
type loan struct {
	Who    *party     // its leg and who it is; nil: nobody yet
	ID     call.LegID // in the call it comes from
	As     call.LegID // in the call that has asked for it
	Found  call.JoinFound
	Refuse int // there is none: why, as a SIP code
}

// lender is the call that a party comes from, until it has agreed to stay.
type lender struct {
	Ref string     // "": it is this call's own
	ID  call.LegID // there
}

// joinsCalls takes a REFER whose Replaces names a dialog of another call of the same
// phone, and says false when there is none.
func (c *Core) joinsCalls(p *party, e leg.Referred) bool {
	ref, ok := c.world.Find(e.To.Replaces.CallID)
	user := c.userOf(p)
	if !ok || user == "" || p.Gone {
		return false
	}
	c.wishes = append(c.wishes, wish{Ref: ref, User: user, Dialog: *e.To.Replaces})
	if p.ID == call.CallerLeg {
		c.fact(call.JoinOffered{Leg: p.ID, Refer: e.ID})
	} else {
		v := verb.Verb{Name: verb.Handover}
		if p.Focus != "" {
			v.Name = verb.Conference
		}
		c.fact(call.JoinAsked{Leg: p.ID, Verb: v, Refer: e.ID, By: referrer(p, e)})
	}
	return true
}

// userOf is whose phone a party is: also that of a desk which has begun the call.
func (c *Core) userOf(p *party) string {
	if p.ID == call.CallerLeg {
		return c.origin.User
	}
	return p.User
}

func (c *Core) nextWish() (w wish) {
	if len(c.wishes) > 0 {
		w, c.wishes = c.wishes[0], c.wishes[1:]
	}
	return w
}

// offerJoin asks the call with the citizen to take this one's party.
func (c *Core) offerJoin(e call.OfferJoin) {
	if w := c.nextWish(); e.OK {
		c.post(Letter{To: w.Ref, Offer: &w})
	}
}

// askedToJoin: another call of a desk here offers its party.
func (c *Core) askedToJoin(w wish, from string) {
	p := c.named(w.Dialog)
	if p == nil || p.User != w.User {
		c.post(Letter{To: from, Decline: 481})
		return
	}
	c.wishes = append(c.wishes, wish{Ref: from, User: w.User})
	c.fact(call.JoinAsked{Leg: p.ID, Verb: verb.Verb{Name: verb.Handover}, By: w.User})
}

// askJoin asks the other call for its party.
func (c *Core) askJoin(e call.AskJoin) {
	w := c.nextWish()
	switch {
	case w.Ref == "":
	case e.Leg != 0:
		c.post(Letter{To: w.Ref, Claim: &claim{wish: w, As: e.Leg}})
	case w.Dialog == header.Replaces{}:
		c.post(Letter{To: w.Ref, Decline: 603})
	}
}

// claimed answers a claim with the party that the phone of this call's beginner
// talks with, or the line that still rings for it.
func (c *Core) claimed(what claim, by string) {
	l := c.lend(what, by)
	l.As = what.As
	c.post(Letter{To: by, Loan: &l})
}

func (c *Core) lend(what claim, by string) loan {
	beginner, s := c.party(call.CallerLeg), &c.state
	switch {
	case beginner == nil, beginner.Gone, c.origin.User != what.User:
		return loan{Refuse: 481}
	case what.Dialog != header.Replaces{} && !beginner.leg.Named(what.Dialog):
		return loan{Refuse: 481}
	case s.Phase == call.Ringing && s.Hunt != nil && !s.Met:
		line := s.Hunt.Hotline
		c.fact(call.LegTaken{})
		c.drain() // its seats are free before the other call asks for them
		return loan{Found: call.JoinFound{Hotline: line, Rings: true}}
	case s.Phase != call.Talking:
		return loan{Refuse: 491} // something else is under way here
	}
	return c.handOut(by)
}

// handOut lets go of the leg of this call's desk. Its port stays open, its place in
// the state too.
func (c *Core) handOut(to string) loan {
	p := c.party(c.state.Desk)
	at, ok := c.state.Leg(c.state.Desk)
	if p == nil || !ok || p.Lender.Ref != "" {
		return loan{Refuse: 491} // it is lent already
	}
	who := *p
	l := loan{Who: &who, ID: p.ID, Found: call.JoinFound{Hotline: at.Hotline, Seat: at.Seat}}
	c.world.Seats.Pass(c.state.Ref, to, p.Seat)
	c.forward(p, to)
	p.leg, p.Leg, p.written, p.Seat = nil, nil, nil, "" // what is written of the leg is who's from here on
	c.lentOut = append(c.lentOut, p)
	return l
}

// forward sends on what still comes here for a leg that has gone to another call.
func (c *Core) forward(p *party, to string) {
	if c.moved == nil {
		c.moved = map[string]string{}
	}
	c.moved[p.leg.CallID()] = to
	for i, o := range c.parties {
		if o == p {
			c.parties = append(c.parties[:i:i], c.parties[i+1:]...)
			return
		}
	}
}

// lent takes the answer to a claim.
func (c *Core) lent(l loan, from string) {
	if l.Refuse != 0 {
		c.fact(call.LegFailed{Leg: l.As, Code: l.Refuse})
		return
	}
	if l.Who != nil {
		c.board(l, from)
	}
	l.Found.Leg, l.Found.Stub = l.As, c.newID()
	c.fact(l.Found)
}

// board makes a lent party one of this call's, as yet without sound.
func (c *Core) board(l loan, from string) {
	p := l.Who
	c.revive(p)
	p.ID, p.Media, p.Gone, p.Silent = l.As, false, false, false
	if p.Route == nil || p.Route.Ring.Hotline != "" {
		p.Keys = c.collector()
	}
	p.Lender = lender{Ref: from, ID: l.ID}
	delete(c.moved, p.leg.CallID())
	c.world.Wire.Bind(p.leg.CallID())
	c.parties = append(c.parties, p)
}

// takeLeg offers the party its session here. RFC 3261 §12.2.1.1: From does not
// change in a dialog; who is there now is said by P-Asserted-Identity.
func (c *Core) takeLeg(e call.TakeLeg) {
	p := c.party(e.Leg)
	if p == nil {
		return
	}
	addr, err := c.port(p)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", p.Network, "err", err)
		c.giveBack(p)
		c.fact(call.LegFailed{Leg: e.Leg, Code: 503})
		return
	}
	p.Media, p.Addr = true, addr
	c.command(p, leg.Modify{Addr: addr, Identity: c.identity(p, e.Hotline, e.For.Stub)})
}

// guest takes what a lent party does before it has agreed to stay, and says whether
// that was all there is to do.
func (c *Core) guest(p *party, e leg.Event) bool {
	from := p.Lender
	switch e := e.(type) {
	case leg.MediaChanged:
		if e.Addr == p.Addr {
			c.keep(p)
			c.negotiated(p, e.Media)
			c.fact(call.LegAnswered{Leg: p.ID})
		}
		return true
	case leg.ModifyRefused:
		c.giveBack(p)
		c.fact(call.LegFailed{Leg: p.ID, Code: e.Code})
		return true
	case leg.Ended:
		p.Lender = lender{}
		c.post(Letter{To: from.Ref, Lost: &lostGuest{ID: from.ID, Silent: e.Cause != leg.Bye}})
	}
	return false
}

// keep makes a lent party this call's own.
func (c *Core) keep(p *party) {
	from := p.Lender
	p.Lender = lender{}
	c.attended = true
	if p.Seat != "" {
		c.world.Seats.Answered(c.state.Ref, p.Seat)
	}
	c.post(Letter{To: from.Ref, Kept: from.ID})
}

// giveBack returns a lent party to its call; when that is over the party has nobody
// any more, and is let go.
func (c *Core) giveBack(p *party) {
	from := p.Lender
	p.Lender = lender{}
	if p.Media {
		c.media(engine.Close{Leg: engine.LegID(p.ID)})
		p.Media = false
	}
	who := *p
	c.forward(p, from.Ref)
	p.leg, p.Gone = nil, true
	c.post(Letter{To: from.Ref, Back: &loan{Who: &who, ID: from.ID}})
}

// orphaned: the call to which a party was to go back is over.
func (c *Core) orphaned(l loan) {
	p := l.Who
	c.revive(p)
	delete(c.moved, p.leg.CallID())
	p.Gone = false
	c.parties = append(c.parties, p)
	c.dismiss(p.ID, leg.End{Fields: c.reason(p.ID, call.Normal)})
}

// regain has the leg of this call's desk again: the session is as it was before.
func (c *Core) regain(l loan, code int) {
	p := c.takeFromLent(l.ID)
	if p == nil {
		return
	}
	c.revive(l.Who)
	p.leg, p.Seat = l.Who.leg, l.Who.Seat
	delete(c.moved, p.leg.CallID())
	c.world.Wire.Bind(p.leg.CallID())
	c.parties = append(c.parties, p)
	if _, ok := c.state.Leg(p.ID); !ok || p.Gone {
		p.Gone = false // its seat came with it
		c.dismiss(p.ID, leg.End{Fields: c.reason(p.ID, call.Normal)})
		return
	}
	at, _ := c.state.Leg(p.ID)
	c.command(p, leg.Modify{Addr: p.Addr, Identity: c.identity(p, at.Hotline, "")})
	c.fact(call.JoinFailed{Code: code})
}

// kept: the party has stayed in the other call.
func (c *Core) kept(id call.LegID) {
	if p := c.takeFromLent(id); p != nil {
		c.farewell(p)
		c.fact(call.LegTaken{Leg: id})
	}
}

// lostGuest: the party has hung up, or is gone, while it was lent.
func (c *Core) lostGuest(l lostGuest) {
	if p := c.takeFromLent(l.ID); p != nil {
		c.farewell(p)
		c.fact(call.LegEnded{Leg: l.ID, Lost: l.Silent})
	}
}

func (c *Core) takeFromLent(id call.LegID) *party {
	for i, p := range c.lentOut {
		if p.ID == id {
			c.lentOut = append(c.lentOut[:i:i], c.lentOut[i+1:]...)
			return p
		}
	}
	return nil
}
