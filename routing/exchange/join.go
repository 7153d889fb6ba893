package exchange

import (
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// Peer is another call.
type Peer interface {
	// Ask lets f work on that call when its turn comes, never at once; false: it is over.
	Ask(f func(now time.Time, c *Core)) bool
}

// Two calls of one phone become one: the call that has the citizen takes the party
// of the other one over. That party's leg, its dialog with all that is under way in
// it, is one value which has one owner at any moment: it is sent from call to call
// and never shared. The call that lends it keeps the party's port and its place in
// the state, so that all goes on as before when the leg comes back; only when the
// party has agreed to its new session is it of the other call for good.

// wish is a join that a REFER asks for, until the machine has said whether it can be.
type wish struct {
	peer   Peer
	user   string          // whose phone it is: both calls' in one
	dialog header.Replaces // of the other call; zero: the other call has asked
}

// claim asks for a call's party.
type claim struct {
	wish
	by  Peer
	ref string     // of the call that asks
	as  call.LegID // there
}

// loan is a party on its way from one call to another, or back.
type loan struct {
	who    party // its leg and who it is
	from   Peer
	id     call.LegID // in the call it comes from
	found  call.JoinFound
	refuse int // there is none: why, as a SIP code
}

// lender is the call that a party comes from, until it has agreed to stay.
type lender struct {
	peer Peer
	id   call.LegID // there
}

// joinsCalls takes a REFER whose Replaces names a dialog of another call of the same
// phone, and says false when there is none.
func (c *Core) joinsCalls(p *party, e leg.Referred) bool {
	peer, ok := c.world.Find(e.To.Replaces.CallID)
	user := c.userOf(p)
	if !ok || user == "" || p.gone {
		return false
	}
	c.wishes = append(c.wishes, wish{peer: peer, user: user, dialog: *e.To.Replaces})
	if p.id == call.CallerLeg {
		c.fact(call.JoinOffered{Leg: p.id, Refer: e.ID})
	} else {
		v := verb.Verb{Name: verb.Handover}
		if p.focus != "" {
			v.Name = verb.Conference
		}
		c.fact(call.JoinAsked{Leg: p.id, Verb: v, Refer: e.ID, By: referrer(p, e)})
	}
	return true
}

// userOf is whose phone a party is: also that of a desk which has begun the call.
func (c *Core) userOf(p *party) string {
	if p.id == call.CallerLeg {
		return c.origin.User
	}
	return p.user
}

func (c *Core) nextWish() (w wish) {
	if len(c.wishes) > 0 {
		w, c.wishes = c.wishes[0], c.wishes[1:]
	}
	return w
}

// offerJoin asks the call with the citizen to take this one's party.
func (c *Core) offerJoin(e call.OfferJoin) {
	w := c.nextWish()
	if !e.OK {
		return
	}
	back := wish{peer: c.world.Self, user: w.user}
	if !w.peer.Ask(func(now time.Time, o *Core) { o.askedToJoin(now, back, w.dialog) }) {
		c.fact(call.JoinFailed{Code: 481})
	}
}

// askedToJoin: another call of a desk here offers its party.
func (c *Core) askedToJoin(now time.Time, w wish, dialog header.Replaces) {
	c.now = now
	p := c.named(dialog)
	if p == nil || p.user != w.user {
		w.refuse(481)
		return
	}
	c.wishes = append(c.wishes, w)
	c.fact(call.JoinAsked{Leg: p.id, Verb: verb.Verb{Name: verb.Handover}, By: w.user})
	c.settle()
}

func (w wish) refuse(code int) {
	w.peer.Ask(func(now time.Time, o *Core) { o.notJoined(now, code) })
}

// notJoined: the party that this call has offered is not wanted.
func (c *Core) notJoined(now time.Time, code int) {
	c.now = now
	c.fact(call.JoinFailed{Code: code})
	c.settle()
}

// askJoin asks the other call for its party.
func (c *Core) askJoin(e call.AskJoin) {
	w := c.nextWish()
	switch {
	case w.peer == nil:
	case e.Leg == 0:
		if w.dialog == (header.Replaces{}) {
			w.refuse(603)
		}
	default:
		what := claim{wish: w, by: c.world.Self, ref: c.state.Ref, as: e.Leg}
		if !w.peer.Ask(func(now time.Time, o *Core) { o.claimed(now, what) }) {
			c.fact(call.LegFailed{Leg: e.Leg, Code: 481})
		}
	}
}

// claimed answers a claim with the party that the phone of this call's beginner
// talks with, or the line that still rings for it.
func (c *Core) claimed(now time.Time, what claim) {
	c.now = now
	l := c.lend(what)
	if !what.by.Ask(func(now time.Time, o *Core) { o.lent(now, what.as, l) }) && l.who.leg != nil {
		c.world.Seats.Pass(what.ref, c.state.Ref, l.who.seat) // the other call is over
		c.regain(l, 481)
	}
	c.settle()
}

func (c *Core) lend(what claim) loan {
	beginner, s := c.party(call.CallerLeg), &c.state
	switch {
	case beginner == nil, beginner.gone, c.origin.User != what.user:
		return loan{refuse: 481}
	case what.dialog != header.Replaces{} && !beginner.leg.Named(what.dialog):
		return loan{refuse: 481}
	case s.Phase == call.Ringing && s.Hunt != nil && !s.Met:
		line := s.Hunt.Hotline
		c.fact(call.LegTaken{})
		c.settle() // its seats are free before the other call asks for them
		return loan{found: call.JoinFound{Hotline: line, Rings: true}}
	case s.Phase != call.Talking:
		return loan{refuse: 491} // something else is under way here
	}
	return c.handOut(what)
}

// handOut lets go of the leg of this call's desk. Its port stays open, its place in
// the state too.
func (c *Core) handOut(what claim) loan {
	p := c.party(c.state.Desk)
	at, ok := c.state.Leg(c.state.Desk)
	if p == nil || !ok || p.lender.peer != nil {
		return loan{refuse: 491} // it is lent already
	}
	l := loan{
		who: *p, from: c.world.Self, id: p.id,
		found: call.JoinFound{Hotline: at.Hotline, Seat: at.Seat},
	}
	c.world.Seats.Pass(c.state.Ref, what.ref, p.seat)
	c.forward(p, what.by)
	p.leg, p.seat = nil, ""
	c.lentOut = append(c.lentOut, p)
	return l
}

// forward sends on what still comes here for a leg that has gone to another call.
func (c *Core) forward(p *party, to Peer) {
	if c.moved == nil {
		c.moved = map[string]Peer{}
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
func (c *Core) lent(now time.Time, as call.LegID, l loan) {
	c.now = now
	switch {
	case l.refuse != 0:
		c.fact(call.LegFailed{Leg: as, Code: l.refuse})
	default:
		if l.who.leg != nil {
			c.board(as, l)
		}
		l.found.Leg, l.found.Stub = as, c.world.NewID(now)
		c.fact(l.found)
	}
	c.settle()
}

// board makes a lent party one of this call's, as yet without sound.
func (c *Core) board(as call.LegID, l loan) {
	p := l.who
	p.id, p.media, p.gone = as, false, false
	if p.route == nil || p.route.ring.Hotline != "" {
		p.keys = c.collector()
	}
	p.lender = lender{peer: l.from, id: l.id}
	delete(c.moved, p.leg.CallID())
	c.world.Wire.Bind(p.leg.CallID())
	c.parties = append(c.parties, &p)
}

// takeLeg offers the party its session here. RFC 3261 §12.2.1.1: From does not
// change in a dialog; who is there now is said by P-Asserted-Identity.
func (c *Core) takeLeg(e call.TakeLeg) {
	p := c.party(e.Leg)
	if p == nil {
		return
	}
	addr, err := c.world.Media.Open(engine.LegID(p.id), p.network)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", p.network, "err", err)
		c.giveBack(p)
		c.fact(call.LegFailed{Leg: e.Leg, Code: 503})
		return
	}
	p.media, p.addr = true, addr
	c.command(p, leg.Modify{Addr: addr, Identity: c.identity(p, e.Hotline, e.For.Stub)})
}

// guest takes what a lent party does before it has agreed to stay, and says whether
// that was all there is to do.
func (c *Core) guest(p *party, e leg.Event) bool {
	from := p.lender
	switch e := e.(type) {
	case leg.MediaChanged:
		if e.Addr == p.addr {
			c.keep(p)
			c.negotiated(p, e.Media)
			c.fact(call.LegAnswered{Leg: p.id})
		}
		return true
	case leg.ModifyRefused:
		c.giveBack(p)
		c.fact(call.LegFailed{Leg: p.id, Code: e.Code})
		return true
	case leg.Ended:
		p.lender = lender{}
		lost := e.Cause != leg.Bye
		from.peer.Ask(func(now time.Time, o *Core) { o.lostGuest(now, from.id, lost) })
	}
	return false
}

// keep makes a lent party this call's own.
func (c *Core) keep(p *party) {
	from := p.lender
	p.lender = lender{}
	c.attended = true
	if p.seat != "" {
		c.world.Seats.Answered(c.state.Ref, p.seat)
	}
	from.peer.Ask(func(now time.Time, o *Core) { o.kept(now, from.id) })
}

// giveBack returns a lent party to its call; when that is over the party has nobody
// any more, and is let go.
func (c *Core) giveBack(p *party) {
	from := p.lender
	p.lender = lender{}
	if p.media {
		c.world.Media.Do(engine.Close{Leg: engine.LegID(p.id)})
		p.media = false
	}
	l := loan{who: *p, id: from.id}
	c.forward(p, from.peer)
	p.leg, p.gone = nil, true
	ref := c.state.Ref
	back := func(now time.Time, o *Core) {
		o.now = now
		o.world.Seats.Pass(ref, o.state.Ref, l.who.seat)
		o.regain(l, 487)
		o.settle()
	}
	if !from.peer.Ask(back) {
		delete(c.moved, l.who.leg.CallID())
		p.leg, p.gone = l.who.leg, false
		c.parties = append(c.parties, p)
		c.dismiss(p.id, leg.End{Fields: c.reason(p.id, call.Normal)})
	}
}

// regain has the leg of this call's desk again: the session is as it was before.
func (c *Core) regain(l loan, code int) {
	p := c.takeFromLent(l.id)
	if p == nil {
		return
	}
	p.leg, p.seat = l.who.leg, l.who.seat
	delete(c.moved, p.leg.CallID())
	c.world.Wire.Bind(p.leg.CallID())
	c.parties = append(c.parties, p)
	if _, ok := c.state.Leg(p.id); !ok || p.gone {
		p.gone = false // its seat came with it
		c.dismiss(p.id, leg.End{Fields: c.reason(p.id, call.Normal)})
		return
	}
	at, _ := c.state.Leg(p.id)
	c.command(p, leg.Modify{Addr: p.addr, Identity: c.identity(p, at.Hotline, "")})
	c.fact(call.JoinFailed{Code: code})
}

// kept: the party has stayed in the other call.
func (c *Core) kept(now time.Time, id call.LegID) {
	c.now = now
	if p := c.takeFromLent(id); p != nil {
		c.farewell(p)
		c.fact(call.LegTaken{Leg: id})
	}
	c.settle()
}

// lostGuest: the party has hung up, or is gone, while it was lent.
func (c *Core) lostGuest(now time.Time, id call.LegID, lost bool) {
	c.now = now
	if p := c.takeFromLent(id); p != nil {
		c.farewell(p)
		c.fact(call.LegEnded{Leg: id, Lost: lost})
	}
	c.settle()
}

func (c *Core) takeFromLent(id call.LegID) *party {
	for i, p := range c.lentOut {
		if p.id == id {
			c.lentOut = append(c.lentOut[:i:i], c.lentOut[i+1:]...)
			return p
		}
	}
	return nil
}
