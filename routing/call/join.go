package call

import (
	"time"

	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// joinTime is how long the desk that is to come from another call may take to agree
// to its new session. Then both calls go on as before.
const joinTime = 10 * time.Second

// joinAsked: the taker's phone has a call of its own with somebody else, begun apart
// from this one, and joins the two: as a hand-over, or as a conference. Until the
// other party is here nobody hears anything new.
func (m *machine) joinAsked(e JoinAsked) {
	press := KeyPressed{Leg: e.Leg, Verb: e.Verb, Refer: e.Refer, By: e.By}
	l, ok := m.Leg(e.Leg)
	if !ok || e.Leg != m.Desk || m.Phase != Talking {
		m.refuse(press)
		m.do(AskJoin{})
		m.ignore("leg %d has nobody to join while %s", e.Leg, m.Phase)
		return
	}
	m.do(Tell{What: "key", Leg: e.Leg, Note: e.Verb.String()})
	l.Referred = true
	who := *l
	m.referred(press, func() outcome {
		m.openJoin(KeyPressed{Verb: e.Verb, By: e.By}, who)
		return done
	})
}

// openJoin opens the matter with nobody yet, so that no ticket tells of what may not
// come about.
func (m *machine) openJoin(e KeyPressed, who Leg) {
	mode, phase := ticket.Direct, HandingOver
	if e.Verb.Name == verb.Conference {
		mode, phase = ticket.ThreeWay, Conferencing
	}
	m.SettleUntil = time.Time{}
	m.open(press{KeyPressed: e, who: who}, mode, who.Hotline)
	m.setPhase(phase)
	m.Hunt = &Hunt{Kind: SeeksJoin, Hotline: who.Hotline, Since: m.now, SeatAt: m.now.Add(joinTime)}
	m.do(AskJoin{Leg: m.newLeg(who.Hotline, "")})
}

// joinFound: the other call has lent its party, or has given up a line that still
// rang, which is then rung from here. Who comes too late goes back.
func (m *machine) joinFound(e JoinFound) {
	l, ok := m.Leg(e.Leg)
	if !ok || l.Up || !m.joining() {
		m.do(EndLeg{Leg: e.Leg, Why: Withdrawn})
		m.ignore("leg %d is not awaited", e.Leg)
		return
	}
	t := m.Matter
	if t.To = e.Hotline; !t.inside() {
		t.Stub = e.Stub
	}
	m.write(m.entry(ticket.Opened))
	m.Hunt.Hotline = e.Hotline
	if e.Rings {
		m.drop(e.Leg)
		m.Hunt.Kind, m.Hunt.SeatAt = SeeksPartner, time.Time{}
		m.find()
		return
	}
	l.Hotline, l.Seat = e.Hotline, e.Seat
	m.do(TakeLeg{Leg: e.Leg, Hotline: e.Hotline, For: m.cause()})
}

// joining says that a desk is to come from another call.
func (m *machine) joining() bool { return m.Hunt != nil && m.Hunt.Kind == SeeksJoin }

// joinOffered: a desk's phone, in a call that it has begun itself, asks for this
// call's party to be joined to another call of its own.
func (m *machine) joinOffered(e JoinOffered) {
	l, ok := m.Leg(e.Leg)
	if !ok || e.Leg != CallerLeg || m.Phase != Talking {
		m.do(Report{Leg: e.Leg, Refer: e.Refer, Code: 603}, OfferJoin{})
		m.ignore("nobody can be given away while %s", m.Phase)
		return
	}
	l.Referred = true
	m.Refers = append(m.Refers, Refer{Leg: e.Leg, ID: e.Refer, Code: 100})
	m.do(Report{Leg: e.Leg, Refer: e.Refer, Code: 100}, OfferJoin{OK: true})
}

// legTaken: the party, or the wish to reach one, has gone to another call. There is
// nothing left to do in this one.
func (m *machine) legTaken(e LegTaken) {
	m.report(200)
	m.drop(e.Leg)
	if l, ok := m.Leg(CallerLeg); ok {
		l.Referred = true
	}
	if !m.Answered {
		m.do(RefuseCaller{Code: 487})
		m.drop(CallerLeg)
	}
	m.end(Normal)
}
