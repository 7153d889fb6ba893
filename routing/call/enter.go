package call

import (
	"time"

	"liandong/routing/ticket"
)

// pickedUp: whoever is first has the call, the picker or the desk that rings; all
// others hear that it was answered elsewhere. RFC 3891 §3: what is no longer there
// cannot be replaced, 481.
func (m *machine) pickedUp(e PickedUp) {
	l, ok := m.Leg(e.Of)
	if !ok || l.Up || m.Hunt == nil || e.Of == CallerLeg {
		m.do(Refuse{Leg: e.Leg, Code: 481})
		m.ignore("leg %d does not ring", e.Of)
		return
	}
	m.addPhone(Leg{ID: e.Leg, Hotline: l.Hotline, Seat: e.Seat})
	m.do(Tell{What: "picked_up", Leg: e.Leg}, Answer{Leg: e.Leg})
	m.legAnswered(e.Leg)
}

// takenOver: the new dialog has the part that the old one had.
func (m *machine) takenOver(e TakenOver) {
	old, ok := m.Leg(e.Of)
	if !ok || !old.Up || e.Of != m.Desk && e.Of != m.Partner {
		m.do(Refuse{Leg: e.Leg, Code: 481})
		m.ignore("leg %d is no desk in this call", e.Of)
		return
	}
	m.addPhone(Leg{ID: e.Leg, Hotline: old.Hotline, Seat: old.Seat, Up: true})
	m.do(Answer{Leg: e.Leg})
	if e.Of == m.Desk {
		m.endSecond(480, Normal) // the old phone's
		m.Desk = e.Leg
	} else {
		m.Partner = e.Leg
	}
	m.release(e.Of, Elsewhere)
}

// colleagueJoined makes a three-way call of a conversation, by a matter inside the line: no
// ticket tells of it. RFC 3911 §4: where no conference can be, 488.
func (m *machine) colleagueJoined(e ColleagueJoined) {
	l, ok := m.Leg(e.Of)
	if !ok || m.Phase != Talking || e.Of != m.Desk || m.Second.ID != 0 {
		m.do(Refuse{Leg: e.Leg, Code: 488})
		m.ignore("nobody can join while %s", m.Phase)
		return
	}
	desk := *l
	m.settleMatter()
	m.SettleUntil = time.Time{}
	m.Matter = &Matter{
		Mode: ticket.ThreeWay, From: desk.Hotline, To: desk.Hotline, FromAgent: desk.Agent(), ToAgent: e.Seat,
		KeyAt: m.now, Answered: m.now,
	}
	m.addPhone(Leg{ID: e.Leg, Hotline: desk.Hotline, Seat: e.Seat, Up: true})
	m.Partner = e.Leg
	m.do(Tell{What: "joined", Leg: e.Leg}, Answer{Leg: e.Leg})
	m.threeWay()
}

// addPhone adds the leg of a phone that has called us. It holds us until it has said
// where it listens, which may be in its ACK: till then the others hear music.
func (m *machine) addPhone(l Leg) {
	l.Held = true
	m.Legs = append(m.Legs, l)
}
