package call

import (
	"cmp"
	"slices"

	"liandong/routing/desk"
)

// Ear is the whole of what one leg hears: other legs, mixed with a playlist.
type Ear struct {
	Leg  LegID
	From []LegID
	Play []string // clips in order
	Loop bool     // the last clip repeats
	Seq  uint32   // tells apart two notices of the same text
	ID   uint32   // of the playlist; 0 nothing plays
}

// Silent says that the leg hears nothing at all.
func (e Ear) Silent() bool { return len(e.From) == 0 && len(e.Play) == 0 }

// Clips that every library has; they stand in where a hotline names none, so
// that an empty config value never means silence.
const (
	clipRing  = "ring"
	clipMusic = "music"
	clipBusy  = "busy"
)

// listen derives what every leg hears and orders what has changed.
func (m *machine) listen() {
	var room [8]Ear
	ears := room[:0]
	for _, l := range m.Legs {
		if e, ok := m.ear(l); ok {
			ears = append(ears, m.numbered(e))
		}
	}
	if m.Second.Up || m.Second.Early {
		e := m.ringback("")
		if m.Second.Up {
			e = m.voices(m.Second.ID)
		}
		e.Leg = m.Second.ID
		if l, ok := m.Leg(m.Desk); ok && m.talksOn() == e.Leg {
			e = e.with(*l)
		}
		ears = append(ears, m.numbered(e))
	}
	if m.Focus.ID != 0 {
		e := playing(cmp.Or(m.prompts().Music, clipMusic))
		e.Leg = m.Focus.ID
		ears = append(ears, m.numbered(e))
	}
	for _, s := range m.Supervisors {
		if s.Up {
			ears = append(ears, m.numbered(m.supervisorEar(s)))
		}
	}
	m.whispers(ears)
	for _, e := range ears {
		if old, ok := earOf(m.Ears, e.Leg); !ok || !old.equal(e) {
			m.do(Hear{e})
		}
	}
	if !slices.EqualFunc(m.Ears, ears, Ear.same) {
		m.Ears = slices.Clone(ears)
	}
}

// forgetEar: a leg that is not there hears nothing.
func (m *machine) forgetEar(id LegID) {
	m.Ears = slices.DeleteFunc(slices.Clone(m.Ears), func(e Ear) bool { return e.Leg == id })
}

// connectedLine lets the caller see which line he talks with, when that has changed.
func (m *machine) connectedLine() {
	l, ok := m.Leg(m.Desk)
	if !ok || !m.Answered || m.Phase != Talking || l.Hotline == cmp.Or(m.Shown, m.Hotline) {
		return
	}
	m.Shown = l.Hotline
	m.do(ConnectedLine{Hotline: l.Hotline})
}

// numbered gives a playlist its id: the old one while it goes on, a new one
// when it changes.
func (m *machine) numbered(e Ear) Ear {
	if len(e.Play) == 0 {
		return e
	}
	if old, ok := earOf(m.Ears, e.Leg); ok && old.samePlay(e) {
		e.ID = old.ID
		return e
	}
	m.NextPlay++
	e.ID = m.NextPlay
	return e
}

func earOf(ears []Ear, leg LegID) (Ear, bool) {
	i := slices.IndexFunc(ears, func(e Ear) bool { return e.Leg == leg })
	if i < 0 {
		return Ear{}, false
	}
	return ears[i], true
}

// same says that nothing is another, not even whose it is.
func (e Ear) same(o Ear) bool { return e.Leg == o.Leg && e.equal(o) }

func (e Ear) samePlay(o Ear) bool {
	return e.Loop == o.Loop && e.Seq == o.Seq && slices.Equal(e.Play, o.Play)
}

func (e Ear) equal(o Ear) bool {
	return e.ID == o.ID && e.samePlay(o) && slices.Equal(e.From, o.From)
}

// ear is what one leg hears now; false when it has no media yet.
func (m *machine) ear(l Leg) (Ear, bool) {
	var e Ear
	switch {
	case l.ID == CallerLeg && (m.Answered || m.Early):
		e = m.callerEar()
	case l.ID != CallerLeg && l.Up:
		e = m.deskEar(l)
	default:
		return Ear{}, false
	}
	e.Leg = l.ID
	if l.ID != m.Desk || m.talksOn() == l.ID {
		e = e.with(l)
	}
	return e, true
}

// with lets the notice of a leg be heard first, if there is one: a desk hears it on the line
// on which it talks.
func (e Ear) with(l Leg) Ear {
	if l.Notice != "" {
		e.Play = append([]string{l.Notice}, e.Play...)
		e.Seq = l.Noticed
	}
	return e
}

func (m *machine) callerEar() Ear {
	p := m.prompts()
	switch {
	case len(m.Says) > 0:
		return Ear{Play: slices.Clone(m.Says)}
	case m.Phase == Leaving:
		return playing(p.Sorry, cmp.Or(p.Busy, clipBusy))
	case m.Phase == Ringing && m.Hunt != nil && m.Hunt.Queued:
		return playing(p.Wait, cmp.Or(p.Music, clipMusic))
	case m.Phase == Ringing && !m.Met:
		return m.callerRingback("")
	case m.Phase == Ringing, m.Phase == HandingOver && m.Desk == 0:
		return m.callerRingback(p.TakerGone)
	case m.Phase == HandingOver && !m.joining():
		return m.callerRingback(p.Handover)
	case m.Phase == Consulting && !m.linesApart():
		return playing(cmp.Or(p.Music, clipMusic))
	}
	return m.voices(CallerLeg)
}

func (m *machine) deskEar(l Leg) Ear {
	switch {
	case m.Phase == CallingBack:
		return m.callbackEar()
	case m.Phase == HandingOver, m.Phase == Conferencing:
		e := m.voices(l.ID)
		if len(e.From) > 0 && !m.joining() {
			r := m.ringback("")
			e.From, e.Play, e.Loop = append(e.From, r.From...), r.Play, r.Loop
		}
		return e
	case m.Phase == Consulting && m.Partner == 0:
		return m.ringback("")
	}
	return m.voices(l.ID)
}

// audible: a desk that holds us or may have gone dead is replaced by music. Of a
// citizen who is quiet every sound counts.
func (l Leg) audible() bool { return !l.Held && (!l.Vigil.Doubted || l.ID == CallerLeg) }

func (m *machine) audible(id LegID) bool {
	if id == m.Second.ID {
		l, ok := m.Leg(m.Desk) // of the same phone
		return !m.Second.Held && ok && !l.Vigil.Doubted
	}
	l, ok := m.Party(id)
	return ok && l.audible()
}

// others are whom a leg talks with; none when it has no part in the conversation.
func (m *machine) others(leg LegID) []LegID {
	if m.linesApart() {
		return append(m.opposite(leg), m.supervisorsWith(leg)...)
	}
	all := m.conversation()
	if !slices.Contains(all, leg) {
		return nil
	}
	return slices.DeleteFunc(all, func(id LegID) bool { return id == leg })
}

// supervisorsWith are the supervisors who have joined those whom the taker talks with on the line on which he does, of
// which a leg is one.
func (m *machine) supervisorsWith(leg LegID) []LegID {
	if on := m.talksOn(); leg == on || slices.Contains(m.opposite(on), leg) {
		return m.heardSupervisors()
	}
	return nil
}

// voices is a leg in conversation: it hears all others of it that are audible,
// and music when none is.
func (m *machine) voices(leg LegID) Ear {
	var e Ear
	for _, id := range m.others(leg) {
		if m.audible(id) {
			e.From = append(e.From, id)
		}
	}
	if len(e.From) == 0 {
		return playing(cmp.Or(m.prompts().Music, clipMusic))
	}
	return e
}

// conversation lists who talks with whom in the present phase.
func (m *machine) conversation() (ids []LegID) {
	if m.Phase != Consulting {
		ids = append(ids, CallerLeg)
	}
	for _, id := range []LegID{m.talksOn(), m.Partner} {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return append(ids, m.heardSupervisors()...)
}

// inHand is the line that has the caller in hand.
func (c *Call) inHand() string {
	switch {
	case c.Desk != 0:
		if l, ok := c.Leg(c.Desk); ok {
			return l.Hotline
		}
	case c.Hunt != nil && !c.Hunt.ForMatter():
		return c.Hunt.Hotline
	case c.Matter != nil:
		return c.Matter.From
	}
	return c.Hotline
}

// prompts are those of the line that has the caller in hand.
func (m *machine) prompts() desk.Prompts {
	if h, ok := m.dir.Hotlines[m.inHand()]; ok {
		return h.Prompts
	}
	return desk.Prompts{}
}

// playing is an ear that hears clips only, the last in a loop.
func playing(clips ...string) Ear {
	return Ear{Play: slices.DeleteFunc(clips, func(s string) bool { return s == "" }), Loop: true}
}

// notice lets a leg hear a clip once, over whatever else it hears.
func (m *machine) notice(id LegID, clip string) {
	if id == m.Second.ID {
		id = m.Desk // one phone, which hears it on the line on which it talks
	}
	if l, ok := m.Party(id); ok && clip != "" {
		l.Notice = clip
		l.Noticed++
	}
}

func (m *machine) noticeAll(clip string) {
	for _, id := range m.conversation() {
		m.notice(id, clip)
	}
}

func (m *machine) playDone(e PlayDone) {
	ear, ok := earOf(m.Ears, e.Leg)
	whose := e.Leg
	if whose == m.Second.ID {
		whose = m.Desk
	}
	l, alive := m.Party(whose)
	switch {
	case !ok || !alive || ear.ID != e.ID:
		m.ignore("a playlist that no longer plays")
	case len(m.Says) > 0:
		m.end(Normal)
	default:
		l.Notice = ""
	}
}
