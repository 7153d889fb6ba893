package call

import (
	"slices"
	"time"
)

// Focus is a dialog of the taker's phone to the conference URI (RFC 4579 §5.4), to
// which nobody has been brought in yet. Zero: there is none. A dialog to that URI
// by which the phone has made the partner ring is the [Second] one.
type Focus struct {
	ID    LegID
	Desk  LegID // the phone's dialog with the caller
	Held  bool
	Until time.Time // by then it is over
}

// focusTime is how long a conference waits for those who are to be brought in.
const focusTime = 30 * time.Second

// focusCalled: the phone has called the conference URI while it has one line with the
// caller and one with the other desk: now it will say by REFER who is to be in the
// conference.
func (m *machine) focusCalled(e DeskCalled) {
	if m.Focus.ID != 0 || m.Phase == Talking {
		m.do(Refuse{Leg: e.Leg, Code: 480})
		m.ignore("leg %d can have no conference while %s", e.Desk, m.Phase)
		return
	}
	m.Focus = Focus{ID: e.Leg, Desk: m.Desk, Until: m.now.Add(focusTime)}
	m.do(Answer{Leg: e.Leg})
}

// broughtIn: whom the phone talks with in one dialog is to go on in the conference.
func (m *machine) broughtIn(e BroughtIn) {
	l, ok := m.Leg(m.Desk)
	talks := e.Leg == m.Desk || m.Second.Up && e.Leg == m.Second.ID
	if !ok || !talks || !m.isFocus(e.Focus) || e.Leg == e.Focus {
		m.do(Report{Leg: e.On, Refer: e.Refer, Code: 603})
		m.ignore("leg %d cannot go on in leg %d", e.Leg, e.Focus)
		return
	}
	// RFC 4579 §5.5 has the party call the conference: it is there already, so that
	// there is no progress to tell of.
	m.do(Tell{What: "key", Leg: m.Desk, Note: "conference"}, Report{Leg: e.On, Refer: e.Refer, Code: 200})
	l.Referred = true
	if e.Leg == m.Desk {
		m.succeed(e.Focus)
	} else {
		m.secondBy(e.Focus)
	}
	if m.Phase == Consulting && m.Partner != 0 && m.Second.ID == 0 {
		m.threeWay()
	}
}

// isFocus says that a dialog is one to the conference, and answered.
func (m *machine) isFocus(id LegID) bool {
	return id != 0 && (id == m.Focus.ID || id == m.Desk || id == m.Second.ID && m.Second.Up)
}

// succeed moves the taker to another dialog of the same phone. A question to the old dialog that is unanswered is put
// again in the new one, with its old deadline.
func (m *machine) succeed(focus LegID) {
	l, _ := m.Leg(m.Desk)
	old, held := l.ID, m.Focus.Held
	if focus == m.Second.ID {
		held = m.Second.Held
	}
	if l.Channel != 0 && !m.Second.Taped {
		m.do(RecordLeg{Leg: old}, RecordLeg{Leg: focus, Channel: l.Channel})
	}
	if focus == m.Second.ID {
		m.Second = Second{}
	} else {
		m.Focus = Focus{}
	}
	l.ID, l.Held = focus, held
	m.Desk = focus
	m.do(Succeed{Leg: old, By: focus}, EndLeg{Leg: old, Why: Normal, Grace: l.Referred})
	l.Vigil = l.Vigil.owed()
	if l.Silent = l.Vigil != (Vigil{}); l.Silent {
		m.do(ProbeLeg{focus})
	}
}

// secondBy lets the taker go on with the partner in the conference's dialog: on a
// line of its own still, until the caller is there too.
func (m *machine) secondBy(focus LegID) {
	if focus == m.Desk {
		m.endSecond(487, Normal)
		return
	}
	s, held := m.Second, m.Focus.Held
	m.Focus = Focus{}
	if l, ok := m.Leg(m.Desk); ok && s.Taped {
		m.do(RecordLeg{Leg: s.ID}, RecordLeg{Leg: focus, Channel: l.Channel})
	}
	m.do(EndLeg{Leg: s.ID, Why: Normal, Grace: true})
	s.ID, s.Held = focus, held
	m.Second = s
	m.forgetEar(focus)
}

// endFocus ends a conference that nobody has been brought into.
func (m *machine) endFocus() {
	if id := m.Focus.ID; id != 0 {
		m.Focus = Focus{}
		m.do(EndLeg{Leg: id, Why: Normal})
	}
}

// tidyFocus: it is of no use once the phone's own talk is over, or has nobody left
// to bring in.
func (m *machine) tidyFocus() {
	if m.Desk != m.Focus.Desk || m.Phase == Talking || m.due(m.Focus.Until) {
		m.endFocus()
	}
}

// dropAsked: a desk puts a party out of the call by REFER with method=BYE (RFC 4579
// §5.11). The citizen is put out by nobody.
func (m *machine) dropAsked(e DropAsked) {
	press := KeyPressed{Leg: e.Leg, Refer: e.Refer}
	l, ok := m.pressedBy(press)
	if !ok {
		return
	}
	who := *l
	m.do(Tell{What: "key", Leg: who.ID, Note: "drop"})
	if m.referred(press, func() outcome { return m.dropParty(who, e.Party) }) == refused {
		m.ignore("leg %d cannot be put out while %s", e.Party, m.Phase)
	}
}

func (m *machine) dropParty(who Leg, target LegID) outcome {
	rings := slices.ContainsFunc(m.Rung(), func(l Leg) bool { return l.ID == target }) && m.running()
	switch {
	case target == CallerLeg || target == 0:
		return refused
	case who.ID == m.Desk && (target == m.Partner || rings):
		m.bringBack()
		return done
	case m.Phase == ThreeWay && (target == who.ID || who.ID == m.Partner && target == m.Desk):
		m.letGo(target)
		m.setPhase(Talking)
		m.noticeAll(m.prompts().Left)
		return done
	}
	return refused
}
