package call

import (
	"time"

	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// keyPressed carries out a desk's verb, or lets the desk hear that it cannot
// be done now. The caller has no verbs.
func (m *machine) keyPressed(e KeyPressed) {
	l, ok := m.Leg(e.Leg)
	if !ok || !l.Up || e.Leg != m.Desk && e.Leg != m.Partner {
		m.ignore("leg %d is no desk in this call", e.Leg)
		return
	}
	who := *l
	m.do(Tell{What: "key", Leg: e.Leg, Note: e.Verb.String()})
	var done bool
	switch e.Verb.Name {
	case verb.Handover:
		done = m.handover(who, e.Stub)
	case verb.Consult:
		done = m.consult(who, e.Stub)
	case verb.Conference:
		done = m.conference(who, e.Stub)
	case verb.TakeBack:
		done = m.takeBack(who)
	case verb.Accept:
		done = m.decide(who, true)
	case verb.OtherAccepts:
		done = m.decide(who, false)
	case verb.Urgent:
		done = m.urgent(who, e.Stub)
	case verb.Category:
		done = m.categorise(who, e.Verb.Category)
	}
	if !done {
		m.notice(who.ID, m.prompts().Refuse)
		m.ignore("%s cannot be done while %s", e.Verb.Name, m.Phase)
	}
}

// running says that a partner is being rung for the matter.
func (m *machine) running() bool { return m.Hunt != nil && m.Hunt.Partner }

// handover: the call goes to the partner line, the taker is released when it
// answers.
func (m *machine) handover(who Leg, stub string) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(who, stub, HandingOver)
	case m.running():
		m.Matter.Mode = ticket.Direct
		m.setPhase(HandingOver)
	case m.Phase == Consulting && who.ID == m.Desk:
		m.outcome(ResultAnswered, 0)
		m.leave(who)
	case m.Phase == ThreeWay:
		m.leave(who)
		m.noticeAll(m.prompts().Left)
	default:
		return false
	}
	return true
}

// leave releases one of two desks; the other one has the caller.
func (m *machine) leave(who Leg) {
	if who.ID == m.Desk {
		m.Desk = m.Partner
	}
	m.Partner = 0
	m.release(who.ID, Normal)
	m.setPhase(Talking)
}

// consult: the desks talk privately, the caller hears music.
func (m *machine) consult(who Leg, stub string) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(who, stub, Consulting)
	case m.running() || m.Phase == ThreeWay || m.Phase == Consulting:
		m.setPhase(Consulting)
		return true
	}
	return false
}

// conference: citizen and both desks in one call.
func (m *machine) conference(who Leg, stub string) bool {
	switch {
	case m.Phase == Talking:
		return m.begin(who, stub, Conferencing)
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

// begin opens a matter with the taker's partner line and rings it.
func (m *machine) begin(who Leg, stub string, phase Phase) bool {
	partner, ok := m.dir.Partner(who.Hotline)
	if !ok || who.ID != m.Desk {
		return false
	}
	mode := ticket.Direct
	if phase == Conferencing {
		mode = ticket.ThreeWay
	}
	m.SettleUntil = time.Time{}
	m.open(who, stub, mode, partner.ID)
	m.setPhase(phase)
	m.hunt(partner.ID, true)
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
	m.withdrawn()
	m.setPhase(Talking)
	return true
}

// partnerAnswered: the partner's desk is there. What that means the phase says.
func (m *machine) partnerAnswered(id LegID) {
	l, _ := m.Leg(id)
	m.Matter.Answered, m.Matter.ToAgent = m.now, l.Agent()
	m.do(Tell{What: "partner_answered", Leg: id, Note: m.Matter.Stub})
	switch m.Phase {
	case Consulting:
		m.Partner = id
	case Conferencing:
		m.Partner = id
		m.joinAll()
	default:
		m.outcome(ResultAnswered, 0)
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
	if m.Desk == 0 {
		m.searchAgain(m.Matter.From)
		return
	}
	m.setPhase(Talking)
	m.noticeAll(m.prompts().Failed)
}

// partnerLeft: the second desk hung up; two remain.
func (m *machine) partnerLeft() {
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
func (m *machine) urgent(who Leg, stub string) bool {
	if m.Urgent || m.dir.Emergency == "" {
		return false
	}
	m.Urgent = true
	m.writeUrgent(who, stub)
	if t := m.Matter; t != nil && t.Mode == ticket.ThreeWay && t.Told && !t.Decided {
		m.decided(m.dir.Emergency, ticket.Emergency)
	}
	m.notice(who.ID, m.prompts().Confirm)
	return true
}

// categorise notes the category on the matter, or for the one to come.
func (m *machine) categorise(who Leg, code string) bool {
	m.Category = code
	if m.Matter != nil {
		m.Matter.Category = code
		m.enriched()
	}
	m.notice(who.ID, m.prompts().Confirm)
	return true
}
