package call

import (
	"cmp"
	"time"

	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// keyPressed carries out a desk's verb, or lets the desk hear that it cannot be
// done now. The caller has no verbs.
func (m *machine) keyPressed(e KeyPressed) {
	l, ok := m.pressedBy(e)
	if !ok {
		return
	}
	by := l.ID
	m.do(Tell{What: "key", Leg: by, Note: e.Verb.String()})
	l.Referred = l.Referred || e.Refer != 0
	o := m.referred(e, func() outcome { return m.act(press{KeyPressed: e, who: *l}) })
	m.acknowledgeKey(by, e.Verb, o, e.Refer != 0)
}

// pressedBy is the desk that has pressed a key, on whichever line of its phone. There is none, or none that has picked
// up: the key is refused.
func (m *machine) pressedBy(e KeyPressed) (*Leg, bool) {
	id := e.Leg
	if id == m.Second.ID || id == m.Focus.ID {
		id = m.Desk
	}
	l, ok := m.Leg(id)
	if !ok || !l.Up || id != m.Desk && id != m.Partner {
		m.refuse(e)
		m.ignore("leg %d is no desk in this call", e.Leg)
		return nil, false
	}
	return l, true
}

// keyCutShort lets a desk hear that its code was none.
func (m *machine) keyCutShort(e KeyCutShort) {
	if l, ok := m.pressedBy(KeyPressed{Leg: e.Leg}); ok {
		m.do(Tell{What: "cut_short", Leg: l.ID})
		m.notice(l.ID, m.prompts().Refuse)
	}
}

// outcome is what has come of a key.
type outcome uint8

const (
	refused outcome = iota // it cannot be done now
	already                // it is so already
	done
)

// acknowledgeKey lets a desk hear what has come of its key, where nothing else tells: a phone that
// is told of its REFER shows by itself that it is under way.
func (m *machine) acknowledgeKey(desk LegID, v verb.Verb, o outcome, told bool) {
	switch o {
	case refused:
		m.do(Tell{What: "refused", Leg: desk, Note: v.String()})
		m.notice(desk, m.prompts().Refuse)
		m.ignore("%s cannot be done while %s", v.Name, m.Phase)
	case already:
		if !told {
			m.notice(desk, cmp.Or(m.prompts().Already, m.prompts().Confirm))
		}
		m.do(Tell{What: "already", Leg: desk, Note: v.String()})
		m.ignore("%s is so already while %s", v.Name, m.Phase)
	}
}

// press is a verb with the desk that asks for it.
type press struct {
	KeyPressed
	who Leg
}

func (m *machine) act(p press) outcome {
	switch p.Verb.Name {
	case verb.Accept:
		return m.decide(p.who, true)
	case verb.OtherAccepts:
		return m.decide(p.who, false)
	case verb.Urgent:
		return m.urgent(p)
	case verb.Category:
		return m.categorise(p)
	case verb.Record:
		return m.wantRecording(p.who, !m.Recording.On)
	}
	if r, ok := m.ruleFor(p); ok && !m.otherMatter(p) {
		return r.does(m, p, r)
	}
	return refused
}

// otherMatter says that the verb is for another line than the one that the matter
// on hand is with: one at a time. A colleague gives way to it.
func (m *machine) otherMatter(p press) bool {
	t := m.Matter
	if now, _ := m.moment(); now == withCitizen || now == withColleague && p.who.ID == m.Desk {
		return false
	}
	return p.To.Hotline != "" && (t == nil || p.To.Hotline != t.To && p.To.Hotline != t.From ||
		p.To.Number != t.Outside)
}

// running says that a partner is being rung for the matter.
func (m *machine) running() bool { return m.Hunt.ForMatter() }

// soAlready: what the key asks for is there.
func (m *machine) soAlready(press, rule) outcome { return already }

// change: the call is about something else now, and nobody comes or goes.
func (m *machine) change(p press, r rule) outcome {
	if p.Refer != 0 && p.Verb.Name == verb.Handover {
		m.endSecond(487, Normal) // a semi-attended transfer: its second line has served
	}
	if m.Phase == r.then {
		return already
	}
	m.Matter.Mode = cmp.Or(r.mode, m.Matter.Mode)
	m.setPhase(r.then)
	return done
}

// leave releases one of two desks; the other one has the caller.
func (m *machine) leave(p press, r rule) outcome {
	private := m.Phase == Consulting
	if private {
		m.outcome(ResultAnswered, 0)
	}
	m.letGo(p.who.ID)
	m.setPhase(r.then)
	if !private {
		m.noticeAll(m.prompts().Left)
	}
	return done
}

// letGo releases one of two desks. The other one goes on where it talks, with whoever is left.
func (m *machine) letGo(id LegID) {
	if id == m.Desk {
		m.endSecond(480, Normal)
		m.Desk = m.Partner
	} else {
		m.oneLine(480)
	}
	m.Partner = 0
	m.release(id, Normal)
}

// makeThreeWay makes it a three-way call, and says so to all three.
func (m *machine) makeThreeWay(press, rule) outcome {
	m.threeWay()
	return done
}

func (m *machine) threeWay() {
	m.Matter.Mode = ticket.ThreeWay
	m.setPhase(ThreeWay)
	m.outcome(ResultAnswered, 0)
	m.noticeAll(m.prompts().Conference)
}

// confide: the taker and the colleague talk in private, or the taker asks another line.
func (m *machine) confide(p press, r rule) outcome {
	if p.To.Hotline != "" && p.To.Hotline != p.who.Hotline {
		return m.ringPartner(p, r)
	}
	r.mode = ""
	return m.change(p, r)
}

// ringPartner opens a matter with the line that is asked for, the taker's partner
// line when none is, and rings it. A colleague who is the third gives way, or has the
// citizen when it is he who is asked for.
func (m *machine) ringPartner(p press, r rule) outcome {
	partner, ok := m.dir.Partner(p.who.Hotline)
	if p.To.Hotline != "" {
		partner, ok = m.dir.Hotlines[p.To.Hotline]
	}
	l, third := m.Leg(m.Partner)
	switch {
	case !ok:
		return refused
	case third && p.To.Number == "" && partner.ID == l.Hotline && (p.To.Seat == "" || p.To.Seat == l.Seat):
		if r.then != HandingOver {
			return already
		}
		r.then = Talking
		return m.leave(p, r)
	case third:
		m.letGo(m.Partner)
	}
	m.SettleUntil = time.Time{}
	m.open(p, r.mode, partner.ID)
	m.setPhase(r.then)
	if p.To.Number != "" {
		m.huntOutside(p.To)
		return done
	}
	m.seek(Hunt{Kind: SeeksPartner, Hotline: partner.ID, Only: p.To.Seat, First: p.To.First})
	return done
}

// takeBack: caller and taker are together again, the partner is let go.
func (m *machine) takeBack(press, rule) outcome {
	m.bringBack()
	return done
}

func (m *machine) bringBack() {
	if m.running() {
		m.stopHunt(Withdrawn)
		m.endSecond(487, Normal)
	} else {
		m.release(m.Partner, Normal)
		m.oneLine(487)
	}
	m.withdrawn()
	m.setPhase(Talking)
}

// partnerAnswered: the partner's desk is there. What that means the phase says.
func (m *machine) partnerAnswered(id LegID) {
	l, _ := m.Leg(id)
	m.Matter.Answered, m.Matter.ToAgent = m.now, l.Agent()
	m.do(Tell{What: "partner_answered", Leg: id, Note: m.Matter.Stub})
	m.report(200)
	switch m.Phase {
	case Consulting:
		m.Partner = id
		m.secondAnswered()
	case Conferencing:
		m.Partner = id
		m.secondAnswered()
		m.threeWay()
	default:
		m.outcome(ResultAnswered, 0)
		m.endSecond(480, Normal)
		taker := m.Desk
		m.Desk = id
		m.release(taker, Normal)
		m.setPhase(Talking)
		if d := m.dir.Timers.Settle; d > 0 {
			m.SettleUntil = m.now.Add(d)
		}
	}
}

// partnerFailed: caller and taker are back together at once and told so. If
// the taker has left meanwhile, his line is rung again.
func (m *machine) partnerFailed(r Result, code int) {
	m.Hunt = nil
	m.outcome(r, code)
	m.endSecond(status(r, code), Failure)
	if m.Desk == 0 {
		m.searchAgain(m.Matter.From)
		return
	}
	m.setPhase(Talking)
	m.noticeAll(m.prompts().Failed)
}

// partnerLeft: the second desk hung up; two remain. Of a private talk the phone resumes the
// caller itself.
func (m *machine) partnerLeft() {
	if m.Phase == Consulting {
		m.endSecond(480, Normal)
		m.withdrawn()
	} else {
		m.oneLine(480)
	}
	m.setPhase(Talking)
	m.noticeAll(m.prompts().Left)
}

// decide records which line takes the matter of a three-way call. The last word of the desks
// counts, until the call ends; that danger goes first they do not change.
func (m *machine) decide(who Leg, own bool) outcome {
	t := m.Matter
	if t == nil || t.inside() || t.Mode != ticket.ThreeWay || !t.Told || t.Decided && t.Basis != ticket.Agreed {
		return refused
	}
	owner := who.Hotline
	if !own {
		owner = other(t, owner)
	}
	if t.Owner == owner {
		return already
	}
	m.decided(owner, ticket.Agreed)
	m.notice(m.Desk, m.prompts().Confirm)
	m.notice(m.Partner, m.prompts().Confirm)
	return done
}

func other(t *Matter, line string) string {
	if line == t.To {
		return t.From
	}
	return t.To
}

// urgent: danger. A stub to the emergency line at once, whatever else the call
// does; and the emergency line owns a matter that is still undecided.
func (m *machine) urgent(p press) outcome {
	switch {
	case m.dir.Emergency == "":
		return refused
	case m.Urgent:
		return already
	}
	m.Urgent = true
	m.writeUrgent(p)
	if t := m.Matter; t != nil && t.Mode == ticket.ThreeWay && t.Told && !t.Decided {
		m.decided(m.dir.Emergency, ticket.Emergency)
	}
	m.notice(p.who.ID, m.prompts().Confirm)
	return done
}

// categorise notes the category on the matter, or for the one to come. One that
// is danger calls the emergency line, unless it is its own desk that says so. A number
// that is not on the list is nobody's category.
func (m *machine) categorise(p press) outcome {
	kind, known := m.dir.Categories.ByCode(p.Verb.Category)
	if !known && len(m.dir.Categories) > 0 {
		return refused
	}
	m.Category = p.Verb.Category
	if m.Matter != nil {
		m.Matter.Category = m.Category
		m.enriched()
	}
	danger := kind.Urgency == ticket.Critical && p.who.Hotline != m.dir.Emergency
	if !danger || m.urgent(p) != done {
		m.notice(p.who.ID, m.prompts().Confirm)
	}
	return done
}
