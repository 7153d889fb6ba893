package call

import "time"

// A phone that loses its power says nothing: no BYE, no answer, no sound. One that is muted, on hold or suppresses
// silence says nothing either, and lives. So who is silent is asked, gently, for as long as the silence lasts; a party
// that owes the answer is heard no more and the others hear music instead; one that does not answer is gone.
//
// From the last sign of life on: the media engine notices after 1.5 s, the citizen hears music within 2 s, and a
// colleague rings within 6 s.
const (
	doubtTime = 400 * time.Millisecond  // an answer takes a round trip; by then it is late
	askPause  = 2 * time.Second         // from one answer to the next question
	goneTime  = 4400 * time.Millisecond // should nobody say that there was no answer
)

// Vigil is how a silent party is watched. Zero: there are signs of life, and nothing is asked.
type Vigil struct {
	Asked   time.Time // since when it owes an answer; zero: it does not
	AskAt   time.Time // when it is asked next; zero: it is being asked
	Doubted bool      // the answer is late: the others hear that somebody looks after them
}

// due is when the vigil goes on.
func (v Vigil) due() time.Time {
	switch {
	case v.Asked.IsZero():
		return v.AskAt
	case v.Doubted:
		return v.Asked.Add(goneTime)
	}
	return v.Asked.Add(doubtTime)
}

// owed is the open question to a party; one that is only scheduled is left out.
func (v Vigil) owed() Vigil {
	if v.Asked.IsZero() {
		return Vigil{}
	}
	return v
}

// legSilent: there has been no sign of a party for a moment, or there is one again. Of a desk
// that is rung it tells whether its early sound is to be heard.
func (m *machine) legSilent(e LegSilent) {
	l, ok := m.Party(e.Leg)
	if !ok || !l.Up && !l.Early || l.Silent == e.Silent {
		m.ignore("no change of silence")
		return
	}
	l.Silent, l.Vigil = e.Silent, Vigil{}
	if l.Up && e.Silent {
		m.ask(l)
	}
}

// ask asks a party whether it is there.
func (m *machine) ask(l *Leg) {
	l.Vigil = Vigil{Asked: m.now}
	m.do(ProbeLeg{l.ID})
}

// legAlive: a party has said something by signalling. That ends a doubt; while there is no
// sound it will be asked again.
func (m *machine) legAlive(e LegAlive) {
	l, ok := m.Party(e.Leg)
	if !ok || l.Vigil == (Vigil{}) {
		m.ignore("nobody has doubted that leg %d is there", e.Leg)
		return
	}
	l.Vigil = Vigil{AskAt: m.now.Add(askPause)}
}

// legUnanswered: a party that was asked is gone.
func (m *machine) legUnanswered(e LegUnanswered) {
	if l, ok := m.Party(e.Leg); !ok || l.Vigil.Asked.IsZero() {
		m.ignore("leg %d has not been asked", e.Leg)
		return
	}
	m.vanished(e.Leg)
}

// all are the legs of the call, supervisors' among them.
func (m *machine) all() (legs []*Leg) {
	for i := range m.Legs {
		legs = append(legs, &m.Legs[i])
	}
	for i := range m.Supervisors {
		legs = append(legs, &m.Supervisors[i].Leg)
	}
	return legs
}

// vigils goes on with the parties of whom something is due.
func (m *machine) vigils() {
	var gone []LegID
	for _, l := range m.all() {
		switch v := &l.Vigil; {
		case !m.due(v.due()):
		case v.Asked.IsZero():
			m.ask(l)
		case v.Doubted:
			gone = append(gone, l.ID)
		default:
			v.Doubted = true
		}
	}
	for _, id := range gone {
		m.vanished(id)
	}
}

// vanished: a party that does not answer is let go; should it be there all the same, it is told so.
func (m *machine) vanished(id LegID) {
	if _, ok := m.Party(id); !ok {
		return
	}
	m.do(EndLeg{Leg: id, Why: Failure})
	m.legEnded(LegEnded{Leg: id, Lost: true})
}
