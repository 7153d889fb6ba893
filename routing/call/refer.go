package call

import (
	"slices"
	"time"
)

// leaveGrace is how long after a failed transfer a BYE still belongs to it:
// many phones hang up as soon as their REFER is accepted, whatever comes of it,
// and the caller is not to pay for that.
const leaveGrace = 5 * time.Second

// referred carries out a verb and answers the REFER that it has come by, before
// anything that follows from the verb: refused when it cannot be done, done at
// once, or under way.
func (m *machine) referred(e KeyPressed, act func() outcome) outcome {
	if e.Refer == 0 {
		return act()
	}
	at := len(m.effects)
	m.Refers = append(m.Refers, Refer{Leg: e.Leg, ID: e.Refer})
	o := act()
	if o == refused {
		m.refuse(e)
		return o
	}
	i := slices.IndexFunc(m.Refers, func(r Refer) bool { return r.Leg == e.Leg && r.ID == e.Refer && r.Code == 0 })
	switch {
	case i < 0: // it has been told already
	case m.running():
		m.Refers[i].Code = 100
		m.effects = slices.Insert(m.effects, at, Effect(Report{Leg: e.Leg, Refer: e.Refer, Code: 100}))
	default:
		m.Refers = slices.Delete(m.Refers, i, i+1)
		m.effects = slices.Insert(m.effects, at, Effect(Report{Leg: e.Leg, Refer: e.Refer, Code: 200}))
	}
	return o
}

// refuse declines a REFER: RFC 3515 §2.4.2.
func (m *machine) refuse(e KeyPressed) {
	if e.Refer == 0 {
		return
	}
	m.Refers = slices.DeleteFunc(m.Refers, func(r Refer) bool { return r.Leg == e.Leg && r.ID == e.Refer })
	m.do(Report{Leg: e.Leg, Refer: e.Refer, Code: 603})
}

// report tells everybody whose REFER is open how the call is doing, each status
// once. A final one closes it. A failure is no news for who has just asked for it.
func (m *machine) report(code int) {
	asks := func(r Refer) bool { return r.Code == 0 && code >= 300 }
	for i := range m.Refers {
		if asks(m.Refers[i]) {
			continue
		}
		if r := &m.Refers[i]; r.Code != code {
			r.Code = code
			m.do(Report{Leg: r.Leg, Refer: r.ID, Code: code})
		}
		if l, ok := m.Leg(m.Refers[i].Leg); ok && code >= 300 {
			l.LeavesTil = m.now.Add(leaveGrace)
		}
	}
	if code >= 200 {
		m.Refers = slices.DeleteFunc(m.Refers, func(r Refer) bool { return !asks(r) })
	}
}

// legRinging: the partner's phone rings, which whoever has asked by REFER is told.
func (m *machine) legRinging(id LegID) {
	l, ok := m.Leg(id)
	if !ok || l.Up || !m.running() {
		m.ignore("leg %d is not rung for a matter", id)
		return
	}
	m.report(180)
	m.secondRings()
}

// status is how a matter came out in the words of SIP: the desk's own where
// there are some.
func status(r Result, code int) int {
	switch {
	case r == ResultAnswered:
		return 200
	case code >= 300:
		return code
	case r == ResultBusy:
		return 486
	case r == ResultNoAnswer:
		return 480
	case r == ResultAbandoned:
		return 487
	}
	return 503
}
