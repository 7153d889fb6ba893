package call

import (
	"time"

	"liandong/routing/verb"
)

// Second is another dialog of the taker's phone in the same call: on a second
// line it has dialled the partner, as for an attended transfer, or a verb. What
// the taker hears and says of the partner goes by it once it is answered. Zero:
// there is none.
type Second struct {
	ID     LegID
	Up     bool      // answered, as the partner has
	Early  bool      // not answered yet, and hears what comes from where the partner is
	Held   bool      // the phone has put it on hold
	Parted bool      // the first dialog has been held since: the phone tells by holds whom the taker talks to
	MixAt  time.Time // both dialogs are active: from then on the phone is taken to join all three
	Taped  bool      // the taker's channel of the recording is taken from it
}

// mixPause is how long both dialogs have to be active before it counts as a
// conference: a phone that swaps them resumes the one before it holds the other.
const mixPause = time.Second

// deskCalled carries out the verb of a second dialog. It rings as the partner
// does and is answered as the partner answers; what is done at once, or leaves
// the taker nothing to say, needs no dialog, and ends it; so does every verb where
// phones are to go on in the first dialog.
func (m *machine) deskCalled(e DeskCalled) {
	l, ok := m.Leg(e.Desk)
	if ok && e.Desk == m.Desk && m.Second.ID != 0 && e.Verb.Name == verb.Conference {
		m.focusCalled(e)
		return
	}
	if !ok || !l.Up || e.Desk != m.Desk && e.Desk != m.Partner || m.Second.ID != 0 {
		m.do(Refuse{Leg: e.Leg, Code: 480})
		m.ignore("leg %d can have no second dialog", e.Desk)
		return
	}
	who := *l
	m.do(Tell{What: "key", Leg: e.Desk, Note: e.Verb.String()})
	m.Second = Second{ID: e.Leg, Parted: l.Held}
	o := m.act(press{KeyPressed: KeyPressed{Leg: e.Desk, Verb: e.Verb, Stub: e.Stub, To: e.To}, who: who})
	m.acknowledgeKey(e.Desk, e.Verb, o, false)
	if o == refused || !m.running() || m.dir.OneLine {
		m.endSecond(480, Normal)
	}
}

// endSecond ends the second dialog: refused with code when it was not answered.
func (m *machine) endSecond(code int, why Farewell) {
	s := m.forgetSecond()
	l, ok := m.Leg(m.Desk)
	switch {
	case s.ID == 0:
	case s.Up:
		m.do(EndLeg{Leg: s.ID, Why: why, Grace: ok && l.Referred && why == Normal})
	default:
		m.do(Refuse{Leg: s.ID, Code: code})
	}
	m.tapeFirst(s)
}

// oneLine: of the taker's two lines the one that he talks on is his only one from now on.
func (m *machine) oneLine(code int) {
	if m.Second.Up && !m.Second.Held && m.talksOn() == m.Second.ID {
		m.succeed(m.Second.ID)
		return
	}
	m.endSecond(code, Normal)
}

// tapeFirst takes the taker's channel from his first line again.
func (m *machine) tapeFirst(s Second) {
	if l, ok := m.Leg(m.Desk); ok && s.Taped {
		m.do(RecordLeg{Leg: l.ID, Channel: l.Channel})
	}
}

func (m *machine) forgetSecond() Second {
	s := m.Second
	m.Second = Second{}
	m.forgetEar(s.ID)
	return s
}

// secondRings and secondAnswered let the phone see what the partner does.
func (m *machine) secondRings() {
	if m.Second.ID != 0 && !m.Second.Up && !m.Second.Early {
		m.do(Ring{Leg: m.Second.ID})
	}
}

// secondEarly: where the partner is rung there is something to hear already, and the phone
// hears it on the line by which it has called there.
func (m *machine) secondEarly() {
	if m.Second.ID != 0 && !m.Second.Up && !m.Second.Early {
		m.Second.Early = true
		m.do(Ring{Leg: m.Second.ID, Media: true})
	}
}

func (m *machine) secondAnswered() {
	if m.Second.ID != 0 && !m.Second.Up {
		m.Second.Up, m.Second.Early = true, false
		m.do(Answer{Leg: m.Second.ID})
		m.mixSoon()
	}
}

// secondEnded: the phone has hung up its second line. In a conversation of three
// the taker goes on with the first one; else the partner is let go.
func (m *machine) secondEnded() {
	m.tapeFirst(m.forgetSecond())
	switch {
	case m.running():
		m.stopHunt(Withdrawn)
	case m.Phase == Consulting:
		m.release(m.Partner, Normal)
	default:
		return
	}
	m.withdrawn()
	m.setPhase(Talking)
}

// secondHeld notes what the phone holds: of the second dialog, or of the first.
func (m *machine) secondHeld() {
	s := &m.Second
	l, ok := m.Leg(m.Desk)
	if s.ID == 0 || !ok {
		return
	}
	s.Parted = s.Parted || l.Held
	m.mixSoon()
}

// mixSoon begins to wait while both dialogs are active. A phone that has never held the first
// one mixes as well: pjsua does so.
func (m *machine) mixSoon() {
	m.Second.MixAt = time.Time{}
	if m.bothActive() && m.Phase == Consulting {
		m.Second.MixAt = m.now.Add(mixPause)
	}
}

// bothActive says that the taker speaks in both dialogs.
func (m *machine) bothActive() bool {
	l, ok := m.Leg(m.Desk)
	return ok && m.Second.Up && !l.Held && !m.Second.Held
}

// mixes says that the phone joins the three itself.
func (m *machine) mixes() bool { return m.Second.Parted && m.bothActive() }

// mixed: a conference that the phone has made by itself is one like any other,
// but for the sound.
func (m *machine) mixed() {
	m.Second.MixAt = time.Time{}
	if m.bothActive() && m.Phase == Consulting {
		m.Second.Parted = true
		m.threeWay()
	}
}

// talksOn is the dialog in which the taker talks.
func (m *machine) talksOn() LegID {
	l, ok := m.Leg(m.Desk)
	if !ok || !m.Second.Up || m.Second.Parted && !l.Held {
		return m.Desk
	}
	return m.Second.ID
}

// linesApart says that the taker's phone has one dialog with the caller and one with
// the partner, and lets neither hear the other but by its own doing.
func (m *machine) linesApart() bool {
	return m.Second.Up && m.Partner != 0 && (m.Phase == Consulting || m.mixes())
}

// opposite is whom a leg talks with while the dialogs are apart. Until the phone
// has held the caller once, the caller is kept out.
func (m *machine) opposite(leg LegID) []LegID {
	switch {
	case leg == m.Partner:
		return []LegID{m.Second.ID}
	case leg == m.Second.ID:
		return []LegID{m.Partner}
	case !m.Second.Parted:
		return nil
	case leg == CallerLeg:
		return []LegID{m.Desk}
	case leg == m.Desk:
		return []LegID{CallerLeg}
	}
	return nil
}
