package call

import (
	"slices"

	"liandong/routing/verb"
)

// Stop is a desk that has had the citizen.
type Stop struct {
	Line string
	Seat string // "": a desk behind a trunk
}

// noteWay notes who has the citizen. A line that has him again is where it was on his way, with the desk that has him
// now, and what came after it is forgotten.
func (m *machine) noteWay() {
	l, ok := m.Leg(m.Desk)
	if !ok {
		return
	}
	now := Stop{l.Hotline, l.Seat}
	if len(m.Way) == 0 && m.Hotline != l.Hotline { // the version before has carried him here
		m.Way = []Stop{{Line: m.Hotline}}
	}
	if n := len(m.Way); n > 0 && m.Way[n-1] == now {
		return
	}
	at := slices.IndexFunc(m.Way, func(s Stop) bool { return s.Line == l.Hotline })
	if at < 0 {
		at = len(m.Way)
	}
	m.Way = append(slices.Clip(m.Way[:at]), now) // a new one: the state that came in stays as it is
}

// giver is the desk that handed the citizen over to the line of the desk which has him now, alone.
func (c *Call) giver() (from Stop, ok bool) {
	if now, keys := c.moment(); !keys || now != withCitizen || len(c.Way) < 2 {
		return from, false
	}
	return c.Way[len(c.Way)-2], true
}

// handsOver says that the taker is of a line, and could take back by a key.
func (m *machine) handsOver(line string) bool {
	l, ok := m.Leg(m.Desk)
	now, keys := m.moment()
	return ok && l.Hotline == line && keys && now != withCitizen
}

// cameOver says that a desk of a line has the citizen, and that he can go back to where he was.
func (m *machine) cameOver(line string) bool {
	l, ok := m.Leg(m.Desk)
	from, handed := m.giver()
	_, there := m.dir.Hotlines[from.Line]
	return ok && l.Hotline == line && handed && there
}

// back takes a citizen back who is being handed over, or has been.
func (m *machine) back(s Supervisor, stub string) {
	m.tellSupervisor(s, string(Back))
	l, _ := m.Leg(m.Desk)
	from, handed := m.giver()
	if !handed {
		m.bringBack()
		return
	}
	p := press{who: *l, KeyPressed: KeyPressed{Leg: l.ID, Verb: verb.Verb{Name: verb.Handover}, Stub: stub,
		To: Target{Hotline: from.Line, First: from.Seat}}}
	r, _ := m.ruleFor(p)
	m.ringPartner(p, r)
}
