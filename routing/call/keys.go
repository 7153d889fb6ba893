package call

import (
	"time"

	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// keyPressed carries out a desk's verb, or lets the desk hear that it cannot
// be done now. The caller has no verbs.
func (m *machine) keyPressed(e KeyPressed) {
	by := e.Leg
	if by == m.Second.ID || by == m.Focus.ID {
		by = m.Desk // pressed on another line of the same phone
	}
	l, ok := m.Leg(by)
	if !ok || !l.Up || by != m.Desk && by != m.Partner {
		m.refuse(e)
		m.ignore("leg %d is no desk in this call", e.Leg)
		return
	}
	m.do(Tell{What: "key", Leg: by, Note: e.Verb.String()})
	l.Referred = l.Referred || e.Refer != 0
	if !m.referred(e, func() bool { return m.act(press{KeyPressed: e, who: *l}) }) {
		m.notice(by, m.prompts().Refuse)
		m.ignore("%s cannot be done while %s", e.Verb.Name, m.Phase)
	}
}

// press is a verb with the desk that asks for it.
type press struct {
	KeyPressed
	who Leg
}

func (m *machine) act(p press) (done bool) {
	if m.elsewhere(p) {
		return false
	}
	switch p.Verb.Name {
	case verb.Handover:
		return m.handover(p)
	case verb.Consult:
		return m.consult(p)
	case verb.Conference:
		return m.conference(p)
	case verb.TakeBack:
		return m.takeBack(p.who)
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
	return false
}

// elsewhere says that the verb is for another line than the one that the matter
// on hand is with: one at a time.
func (m *machine) elsewhere(p press) bool {
	t := m.Matter
	return m.Phase != Talking && p.To.Hotline != "" &&
		(t == nil || p.To.Hotline != t.To && p.To.Hotline != t.From || p.To.Number != t.Outside)
}

// running says that a partner is being rung for the matter.
func (m *machine) running() bool { return m.Hunt != nil && m.Hunt.Partner }

// handover: the call goes to the partner line, the taker is released when it
// answers.
func (m *machine) handover(p press) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(p, HandingOver)
	case m.running():
		m.Matter.Mode = ticket.Direct
		m.setPhase(HandingOver)
		if p.Refer != 0 {
			m.endSecond(487, Normal) // a semi-attended transfer: its second line has served
		}
	case m.Phase == Consulting && p.who.ID == m.Desk:
		m.outcome(ResultAnswered, 0)
		m.leave(p.who)
	case m.Phase == ThreeWay:
		m.leave(p.who)
		m.noticeAll(m.prompts().Left)
	default:
		return false
	}
	return true
}

// leave releases one of two desks; the other one has the caller.
func (m *machine) leave(who Leg) {
	m.endSecond(480, Normal)
	if who.ID == m.Desk {
		m.Desk = m.Partner
	}
	m.Partner = 0
	m.release(who.ID, Normal)
	m.setPhase(Talking)
}

// consult: the desks talk privately, the caller hears music.
func (m *machine) consult(p press) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(p, Consulting)
	case m.running() || m.Phase == ThreeWay || m.Phase == Consulting:
		m.setPhase(Consulting)
		return true
	}
	return false
}

// conference: citizen and both desks in one call.
func (m *machine) conference(p press) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(p, Conferencing)
	case m.running():
		m.Matter.Mode = ticket.ThreeWay
		m.setPhase(Conferencing)
	case m.Phase == Consulting:
		m.joinAll()
	case m.Phase == ThreeWay:
	default:
		return false
	}
	return true
}

// joinAll makes it a three-way call, and says so to all three.
func (m *machine) joinAll() {
	m.Matter.Mode = ticket.ThreeWay
	m.setPhase(ThreeWay)
	m.outcome(ResultAnswered, 0)
	m.noticeAll(m.prompts().Conference)
}

// begin opens a matter with the line that is asked for, the taker's partner
// line when none is, and rings it.
func (m *machine) begin(p press, phase Phase) bool {
	partner, ok := m.dir.Partner(p.who.Hotline)
	if p.To.Hotline != "" {
		partner, ok = m.dir.Hotlines[p.To.Hotline]
	}
	if !ok || p.who.ID != m.Desk {
		return false
	}
	mode := ticket.Direct
	if phase == Conferencing {
		mode = ticket.ThreeWay
	}
	m.SettleUntil = time.Time{}
	m.open(p, mode, partner.ID)
	m.setPhase(phase)
	if p.To.Number != "" {
		m.huntOutside(p.To)
		return true
	}
	m.huntSeat(partner.ID, p.To.Seat, true)
	return true
}

// takeBack: caller and taker are together again, the partner is let go.
func (m *machine) takeBack(who Leg) bool {
	switch {
	case who.ID != m.Desk:
		return false
	case m.running():
		m.stopHunt(Withdrawn)
	case m.Partner != 0:
		m.release(m.Partner, Normal)
	default:
		return false
	}
	m.endSecond(487, Normal)
	m.withdrawn()
	m.setPhase(Talking)
	return true
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
		m.joinAll()
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

// partnerLeft: the second desk hung up; two remain.
func (m *machine) partnerLeft() {
	m.endSecond(480, Normal)
	if m.Phase == Consulting {
		m.withdrawn()
	}
	m.setPhase(Talking)
	m.noticeAll(m.prompts().Left)
}

// decide records which line takes the matter of a three-way call. The first
// word counts.
func (m *machine) decide(who Leg, own bool) bool {
	t := m.Matter
	if t == nil || t.Mode != ticket.ThreeWay || !t.Told || t.Decided {
		return false
	}
	owner := who.Hotline
	if !own {
		owner = other(t, owner)
	}
	m.decided(owner, ticket.Agreed)
	m.notice(m.Desk, m.prompts().Confirm)
	m.notice(m.Partner, m.prompts().Confirm)
	return true
}

func other(t *Matter, line string) string {
	if line == t.To {
		return t.From
	}
	return t.To
}

// urgent: danger. A stub to the emergency line at once, whatever else the call
// does; and the emergency line owns a matter that is still undecided.
func (m *machine) urgent(p press) bool {
	if m.Urgent || m.dir.Emergency == "" {
		return false
	}
	m.Urgent = true
	m.writeUrgent(p)
	if t := m.Matter; t != nil && t.Mode == ticket.ThreeWay && t.Told && !t.Decided {
		m.decided(m.dir.Emergency, ticket.Emergency)
	}
	m.notice(p.who.ID, m.prompts().Confirm)
	return true
}

// categorise notes the category on the matter, or for the one to come. One that
// is danger calls the emergency line, unless it is its own desk that says so.
func (m *machine) categorise(p press) bool {
	m.Category = p.Verb.Category
	if m.Matter != nil {
		m.Matter.Category = m.Category
		m.enriched()
	}
	kind, _ := m.dir.Categories.ByCode(m.Category)
	danger := kind.Urgency == ticket.Critical && p.who.Hotline != m.dir.Emergency
	if !danger || !m.urgent(p) {
		m.notice(p.who.ID, m.prompts().Confirm)
	}
	return true
}
