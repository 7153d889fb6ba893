package call

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"liandong/routing/desk"
)

// A supervisor looks after a call of his line. He is no desk: while he listens or whispers the call goes on as if he
// were not there, whoever hangs up, and a citizen who has nobody else still has nobody. Who has joined is the taker's
// equal: when his line's desk leaves, he has its place.
//
// What he hears is what the desk of his line says and hears, and with no desk what the citizen hears; nothing of a call
// that his line has no part in any more.

// Act is what a supervisor does in a call. The first three are how he is in it.
type Act string

// The acts of a supervisor.
const (
	Listen  Act = "listen"  // nobody hears him
	Whisper Act = "whisper" // the desk of his line alone hears him
	Join    Act = "join"    // all hear him; a citizen who has nobody has him
	Cut     Act = "end"     // the call is over, or his line's part in it
	Leave   Act = "leave"   // the call goes on without him

	// the desk of his line, which is handing the citizen over, has him alone again; or a citizen who has come from
	// another line goes back to the desk that handed him over
	Back Act = "take_back"
)

// Acts are all of them, in the order in which they are documented.
var Acts = []Act{Listen, Whisper, Join, Back, Cut, Leave}

// NeedsPhone says that a supervisor does it by a phone that is in the call.
func (a Act) NeedsPhone() bool { return a != Cut && a != Back }

// SupervisorKeys are the keys of a supervisor's phone.
var SupervisorKeys = map[byte]Act{'4': Listen, '5': Whisper, '6': Join, '7': Back, '0': Cut}

// Supervisor is a supervisor in the call, or one whose phone is rung for it. Its leg has his user as the seat, and the
// line by which he is here.
type Supervisor struct {
	Leg
	Lines []string  // whose supervisor he is
	Act   Act       // how he is in the call, or will be
	GoAt  time.Time // his line has no part in the call any more: he hears so, and is let go then
	Noted Act       // what the recording says of him; "": nothing

	// what he does in a moment, as he has asked when his phone was rung; "": nothing
	Then   Act       `cbor:",omitempty" json:",omitempty"`
	ThenAt time.Time `cbor:",omitzero" json:",omitzero"`
}

const (
	// maxSupervisors are in a call at most.
	maxSupervisors = 4
	// goodbyeTime is how long a supervisor hears that it is over for him.
	goodbyeTime = 2 * time.Second
	// prefetchTime is how long a supervisor who wants to be heard only listens first, while the talkers' sound begins
	// to be decoded: mixing him in then leaves no gap.
	prefetchTime = 400 * time.Millisecond
	// askTime is how long a supervisor's phone is rung.
	askTime = 30 * time.Second
)

// Why a supervisor cannot do what he asks for.
var (
	ErrStranger  = errors.New("call: no supervisor of a line that has the call")
	ErrNoDesk    = errors.New("call: no desk of the line is there to hear a whisper")
	ErrLines     = errors.New("call: the desk's phone mixes its lines itself, and would pass on what it hears")
	ErrNotHere   = errors.New("call: the supervisor is not in the call")
	ErrCrowd     = errors.New("call: so many supervisors are in the call already")
	ErrNotOver   = errors.New("call: nobody was handed over who could be taken back")
	ErrOver      = errors.New("call: the call is over")
	errSupervise = errors.New("call: no act of a supervisor")
)

// SupervisorDialled tells that a supervisor's phone has called to look after this call, or the desk that is in it.
type SupervisorDialled struct {
	Leg   LegID // the new dialog
	User  string
	Of    string   // the line of the desk that was named; "": none was
	Lines []string // whose supervisor he is
}

// SupervisorAsked tells that a supervisor asks for something by another way than his phone, which is rung if need be.
type SupervisorAsked struct {
	User  string
	Lines []string // of this call he may attend those
	Act   Act
	Stub  string // a fresh id, used if a matter is opened
}

// SupervisorPressed tells of a key of a supervisor's phone; of one that has no meaning the act is "".
type SupervisorPressed struct {
	Leg  LegID
	Act  Act
	Stub string // a fresh id, used if a matter is opened
}

// RingSupervisor invites a supervisor's phone.
type RingSupervisor struct {
	Leg  LegID
	User string
}

// TakeDesk lets a supervisor's leg go on as a desk's, whose keys are other ones.
type TakeDesk struct{ Leg LegID }

// NoteSupervisor has the recording tell how a supervisor is in the call from now on; "": he is not any more.
type NoteSupervisor struct {
	User, Line string
	Act        Act
}

func (SupervisorDialled) event() {}
func (SupervisorAsked) event()   {}
func (SupervisorPressed) event() {}
func (RingSupervisor) effect()   {}
func (TakeDesk) effect()         {}
func (NoteSupervisor) effect()   {}

// Party finds a leg of the call, or a supervisor's.
func (c *Call) Party(id LegID) (*Leg, bool) {
	if s, ok := c.Supervisor(id); ok {
		return &s.Leg, true
	}
	return c.Leg(id)
}

// Supervisor finds a supervisor by his leg.
func (c *Call) Supervisor(id LegID) (*Supervisor, bool) {
	for i := range c.Supervisors {
		if c.Supervisors[i].ID == id {
			return &c.Supervisors[i], true
		}
	}
	return nil, false
}

// going says that he hears that it is over for him.
func (s *Supervisor) going() bool { return s.Up && !s.GoAt.IsZero() }

// supervisor finds one by his user, who is not being let go.
func (c *Call) supervisor(user string) (*Supervisor, bool) {
	for i := range c.Supervisors {
		if s := &c.Supervisors[i]; s.Seat == user && !s.going() {
			return s, true
		}
	}
	return nil, false
}

// has says that a line has a part in the call: a desk of its own is in it, or the citizen who has no desk is with it.
func (c *Call) has(line string) bool {
	for _, id := range []LegID{c.Desk, c.Partner} {
		if l, ok := c.Leg(id); ok && l.Hotline == line {
			return true
		}
	}
	return c.Desk == 0 && c.inHand() == line
}

// lineOf is the line by which somebody may look after the call. waits: its desks are only rung for another line, and
// there is nothing to hear yet.
func (c *Call) lineOf(lines []string) (line string, waits, ok bool) {
	if i := slices.IndexFunc(lines, c.has); i >= 0 {
		return lines[i], false, true
	}
	if c.Hunt.ForMatter() && slices.Contains(lines, c.Hunt.Hotline) {
		return c.Hunt.Hotline, true, true
	}
	return "", false, false
}

// deskOf is the leg that the desk of a line talks on, 0: none of its desks is in the call.
func (m *machine) deskOf(line string) LegID {
	if l, ok := m.Leg(m.Desk); ok && l.Hotline == line {
		return m.talksOn()
	}
	if l, ok := m.Leg(m.Partner); ok && l.Hotline == line {
		return l.ID
	}
	return 0
}

// May says whether a supervisor may do now what he asks for; nil: he may.
func (c *Call) May(dir *desk.Directory, e SupervisorAsked) error {
	m := machine{Call: c.clone(), dir: dir}
	return m.asked(e)
}

// asked says why somebody may not do what he asks for, by his phone or another way. Who asks by the rights of one line
// neither moves nor learns of a supervisor of another.
func (m *machine) asked(e SupervisorAsked) error {
	s, here := m.supervisor(e.User)
	foreign := here && !slices.Contains(e.Lines, s.Hotline)
	here = here && !foreign
	switch {
	case m.Over():
		return ErrOver
	case e.Act == Leave && here:
		return nil
	case e.Act == Leave:
		return ErrNotHere
	case e.Act.NeedsPhone() && foreign:
		return ErrStranger
	case e.Act.NeedsPhone() && !here && len(m.Supervisors) >= maxSupervisors:
		return ErrCrowd
	}
	return m.may(e.Lines, e.Act)
}

// may is the table of what a supervisor may do, by what the call is about; see testdata/README.md. What goes into one
// dialog of a phone that mixes two comes out of the other one: then he may only listen.
func (m *machine) may(lines []string, act Act) error {
	line, waits, ok := m.lineOf(lines)
	if from, handed := m.giver(); !ok && act == Back && handed && !m.Test && slices.Contains(lines, from.Line) {
		return nil // the row of the table that is of another line's desk
	}
	if m.Over() || m.Phase == "" || m.Test || !ok {
		return ErrStranger
	}
	if m.Phase == CallingBack { // there is no citizen yet
		return ErrNoDesk
	}
	if l, ok := m.Leg(m.Desk); ok && slices.Contains(lines, l.Hotline) { // the citizen's desk goes before the other one
		line = l.Hotline
	}
	for _, r := range supervision {
		if r.act == act && r.is(m, line, waits) {
			return r.no
		}
	}
	return errSupervise
}

// supervisorRule is one row of the table of what a supervisor may do. The first that fits holds.
type supervisorRule struct {
	while situation
	act   Act
	no    error // why not; nil: he may
	says  string
}

// situation is what a call is to a supervisor of a line.
type situation string

// The situations.
const (
	lineRung   situation = "his line is only rung for another one"
	citizenHas situation = "no desk has the citizen"
	phoneMixes situation = "the phone of the taker mixes two lines"
	deskThere  situation = "a desk of his line talks"
	handsOver  situation = "the taker is of his line, and a second desk is there or rung"
	cameOver   situation = "the citizen was handed over to a desk of his line, or by one of his to another line"
	otherwise  situation = "anything else"
)

var supervision = []supervisorRule{
	{lineRung, Listen, nil, "He waits and hears ringing until his line has a part in the call."},
	{lineRung, Whisper, ErrNoDesk, "Refused."},
	{lineRung, Join, ErrNoDesk, "Refused."},
	{lineRung, Cut, ErrNoDesk, "Refused: the call is another line's."},
	{lineRung, Back, ErrNoDesk, "Refused: the call is another line's."},

	{citizenHas, Listen, nil, "He hears what the citizen hears, and the citizen. Nobody hears him."},
	{citizenHas, Whisper, ErrNoDesk, "Refused: there is nobody to whisper to."},
	{citizenHas, Join, nil, "He has the citizen, as a desk that has answered."},
	{citizenHas, Cut, nil, "The call is over."},

	{phoneMixes, Listen, nil, "He hears what the taker says and hears. Nobody hears him."},
	{phoneMixes, Whisper, ErrLines, "Refused: the phone would pass it on."},
	{phoneMixes, Join, ErrLines, "Refused: the others would hear him twice."},
	{phoneMixes, Cut, nil, "The call is over; where his line's desk is the second one, it is let go."},

	{deskThere, Listen, nil, "He hears what his line's desk says and hears. Nobody hears him."},
	{deskThere, Whisper, nil, "The same, and his line's desk alone hears him."},
	{deskThere, Join, nil, "He is one of those who talk. When his line's desk leaves, he has its place."},
	{deskThere, Cut, nil, "The call is over; where his line's desk is the second one, it is let go."},

	{handsOver, Back, nil, "Taker and citizen are together, as by the taker's own key."},
	{cameOver, Back, nil, "The desk that handed him over rings, ready or not, and where it cannot its line. Who answers has him."},
	{otherwise, Back, ErrNotOver, "Refused: nobody was handed over."},
}

// is says that the row's situation is the one of a supervisor of a line.
func (r supervisorRule) is(m *machine, line string, waits bool) bool {
	switch r.while {
	case lineRung:
		return waits
	case citizenHas:
		return m.Desk == 0
	case phoneMixes:
		return m.bothActive()
	case handsOver:
		return m.handsOver(line)
	case cameOver:
		return m.cameOver(line)
	case otherwise:
		return true
	}
	return m.deskOf(line) != 0
}

// supervisorDialled: a supervisor's phone has called. He listens at first.
func (m *machine) supervisorDialled(e SupervisorDialled) {
	line, _, _ := m.lineOf(e.Lines)
	err := m.may(e.Lines, Listen)
	if e.Of != "" && !slices.Contains(e.Lines, e.Of) {
		err = ErrStranger
	}
	if _, here := m.supervisor(e.User); here || len(m.Supervisors) >= maxSupervisors {
		err = ErrCrowd
	}
	if err != nil {
		m.refuseSupervisor(e.User, cmp.Or(e.Of, line, m.Hotline), Listen, err)
		m.do(Refuse{Leg: e.Leg, Code: 603})
		return
	}
	m.Supervisors = append(m.Supervisors, Supervisor{
		Leg:   Leg{ID: e.Leg, Hotline: line, Seat: e.User, Up: true, Held: true}, // as in addPhone
		Lines: e.Lines, Act: Listen,
	})
	m.do(Answer{Leg: e.Leg})
	m.tellSupervisor(m.Supervisors[len(m.Supervisors)-1], string(Listen))
}

// refuseSupervisor tells what a supervisor was refused, and why.
func (m *machine) refuseSupervisor(user, line string, act Act, why error) {
	m.do(Tell{What: "supervisor_refused", Note: string(act), Agent: user, Line: line})
	m.ignore("%s of %s: %v", act, user, why)
}

// tellSupervisor tells what a supervisor does, to his line alone.
func (m *machine) tellSupervisor(s Supervisor, what string) {
	m.do(Tell{What: "supervisor", Note: what, Agent: s.Seat, Line: s.Hotline})
}

// supervisorAsked: a supervisor is in the call already, or his phone is rung. The call can be ended without one.
func (m *machine) supervisorAsked(e SupervisorAsked) {
	if s, ok := m.supervisor(e.User); ok && slices.Contains(e.Lines, s.Hotline) {
		m.supervise(s, e.Act, e.Stub)
		return
	}
	line, _, _ := m.lineOf(e.Lines)
	switch err := m.asked(e); {
	case err != nil:
		m.refuseSupervisor(e.User, cmp.Or(line, m.Hotline), e.Act, err)
	case e.Act == Cut:
		m.cut(Supervisor{Leg: Leg{Hotline: line, Seat: e.User}, Lines: e.Lines})
	case e.Act == Back:
		from, _ := m.giver()
		m.back(Supervisor{Leg: Leg{Hotline: cmp.Or(line, from.Line), Seat: e.User}, Lines: e.Lines}, e.Stub)
	default:
		id := m.NextLeg
		m.NextLeg++
		m.Supervisors = append(m.Supervisors, Supervisor{
			Leg: Leg{ID: id, Hotline: line, Seat: e.User}, Lines: e.Lines, Act: e.Act, GoAt: m.now.Add(askTime),
		})
		m.do(RingSupervisor{Leg: id, User: e.User})
	}
}

// supervisorPressed: a key of a supervisor's phone.
func (m *machine) supervisorPressed(e SupervisorPressed) {
	s, ok := m.Supervisor(e.Leg)
	if !ok || !s.Up || s.going() {
		m.ignore("leg %d is no supervisor's", e.Leg)
		return
	}
	m.supervise(s, e.Act, e.Stub)
}

// supervise carries out an act of a supervisor who is in the call, or lets him hear that it cannot be done. A matter
// that it opens has the stub.
func (m *machine) supervise(s *Supervisor, act Act, stub string) {
	s.Then, s.ThenAt = "", time.Time{}
	if act == Leave {
		m.tellSupervisor(*s, string(Leave))
		m.releaseSupervisor(s.ID, Normal)
		return
	}
	if err := m.may(s.Lines, act); err != nil {
		m.refuseSupervisor(s.Seat, s.Hotline, act, err)
		m.notice(s.ID, cmp.Or(m.prompts().Refuse, clipBusy))
		return
	}
	switch {
	case act == Cut:
		m.cut(*s)
		return
	case act == Back:
		m.notice(s.ID, m.prompts().Confirm)
		m.back(*s, stub)
		return
	case !s.Up: // it is done when his phone is there
		s.Act = act
		return
	case act == s.Act && (act != Join || m.Desk != 0):
		m.notice(s.ID, cmp.Or(m.prompts().Already, m.prompts().Confirm))
		m.ignore("%s already", act)
		return
	}
	s.Act = act
	m.tellSupervisor(*s, string(act))
	m.notice(s.ID, m.prompts().Confirm)
	if act == Join && m.Desk == 0 {
		m.takeCitizen(s.ID)
	}
}

// takeCitizen: a citizen who has nobody has the supervisor, as a desk that has answered.
func (m *machine) takeCitizen(id LegID) {
	matter := m.running()
	if !matter {
		m.stopHunt(Elsewhere)
	}
	m.Desk = m.becomeDesk(id)
	m.Met, m.LeaveAt = true, time.Time{}
	if !matter {
		m.setPhase(Talking)
		m.reach(true)
	}
	l, _ := m.Leg(m.Desk)
	m.do(Tell{What: "answered", Leg: m.Desk, Note: l.Hotline})
}

// becomeDesk makes a desk's leg of a supervisor's.
func (m *machine) becomeDesk(id LegID) LegID {
	s, _ := m.Supervisor(id)
	l := s.Leg
	if l.Channel != 0 {
		m.do(RecordLeg{Leg: id})
		l.Channel = 0
	}
	m.noteSupervisor(s, "")
	m.Supervisors = slices.DeleteFunc(m.Supervisors, func(s Supervisor) bool { return s.ID == id })
	m.Legs = append(m.Legs, l)
	m.do(TakeDesk{Leg: id})
	return id
}

// successor is a supervisor who has joined and is of the line of a desk that has left.
func (m *machine) successor(line string) (LegID, bool) {
	for _, s := range m.Supervisors {
		if s.isHeard() && slices.Contains(s.Lines, line) {
			return s.ID, true
		}
	}
	return 0, false
}

// succeedDesk gives the taker's place to a supervisor who has joined; false: there is none.
func (m *machine) succeedDesk(line string) bool {
	id, ok := m.successor(line)
	if !ok {
		return false
	}
	s, _ := m.Supervisor(id)
	s.Hotline = line
	m.Desk = m.becomeDesk(id)
	m.do(Tell{What: "picked_up", Leg: id, Note: line})
	m.noticeAll(m.prompts().Left)
	return true
}

// succeedPartner does the same for the second desk.
func (m *machine) succeedPartner(line string) bool {
	id, ok := m.successor(line)
	if !ok || m.Phase != ThreeWay {
		return false
	}
	s, _ := m.Supervisor(id)
	s.Hotline = line
	m.oneLine(480)
	m.Partner = m.becomeDesk(id)
	m.do(Tell{What: "picked_up", Leg: id, Note: line})
	m.noticeAll(m.prompts().Left)
	return true
}

// cut ends the call, or the part of a line whose desk is the second one.
func (m *machine) cut(s Supervisor) {
	m.tellSupervisor(s, string(Cut))
	first, _ := m.Leg(m.Desk)
	second, ok := m.Leg(m.Partner)
	if first == nil || slices.Contains(s.Lines, first.Hotline) || !ok {
		m.end(Normal)
		return
	}
	for i := range m.Supervisors { // nobody of the line has its place
		if o := &m.Supervisors[i]; slices.Contains(o.Lines, second.Hotline) {
			o.Act = Listen
		}
	}
	m.do(EndLeg{Leg: second.ID, Why: Normal})
	m.legEnded(LegEnded{Leg: second.ID})
}

// isHeard says that all hear him.
func (s *Supervisor) isHeard() bool { return s.Up && s.Act == Join && !s.going() }

// heardSupervisors are the supervisors who have joined.
func (m *machine) heardSupervisors() (ids []LegID) {
	for i := range m.Supervisors {
		if s := &m.Supervisors[i]; s.isHeard() {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// releaseSupervisor lets a supervisor go.
func (m *machine) releaseSupervisor(id LegID, why Farewell) {
	m.do(EndLeg{Leg: id, Why: why})
	m.dropSupervisor(id)
}

// dropSupervisor forgets a supervisor who is gone.
func (m *machine) dropSupervisor(id LegID) {
	if s, ok := m.Supervisor(id); ok {
		m.noteSupervisor(s, "")
	}
	m.Supervisors = slices.DeleteFunc(m.Supervisors, func(s Supervisor) bool { return s.ID == id })
	m.forgetEar(id)
}

// supervisorEnded: a supervisor has hung up, or his phone is gone. The call goes on as it was.
func (m *machine) supervisorEnded(s Supervisor) {
	if s.Up && !s.going() {
		m.tellSupervisor(s, string(Leave))
	}
	m.dropSupervisor(s.ID)
}

// supervisorAnswered: the phone that was rung is there.
func (m *machine) supervisorAnswered(s *Supervisor) {
	if s.Up {
		m.ignore("leg %d was not being rung", s.ID)
		return
	}
	act := s.Act
	s.Up, s.GoAt, s.Act = true, time.Time{}, Listen
	m.tellSupervisor(*s, string(Listen))
	if act != Listen {
		s.Then, s.ThenAt = act, m.now.Add(prefetchTime)
	}
}

// thenSupervise does what supervisors have asked for when their phones were rung.
func (m *machine) thenSupervise() {
	for _, was := range slices.Clone(m.Supervisors) {
		if s, ok := m.Supervisor(was.ID); ok && m.due(s.ThenAt) {
			m.supervise(s, s.Then, "")
		}
	}
}

// tidySupervisors lets those go whose line has no part in the call any more, and has those only listen who could be
// heard by others than is meant.
func (m *machine) tidySupervisors() {
	m.thenSupervise()
	for _, s := range slices.Clone(m.Supervisors) {
		line, waits, ok := m.lineOf(s.Lines)
		at, _ := m.Supervisor(s.ID)
		switch {
		case m.due(s.GoAt) && !s.Up:
			m.refuseSupervisor(s.Seat, s.Hotline, s.Act, ErrNotHere)
			m.releaseSupervisor(s.ID, NoAnswer)
		case m.due(s.GoAt):
			m.releaseSupervisor(s.ID, Normal)
		case s.going():
		case !ok && !s.Up:
			m.releaseSupervisor(s.ID, Withdrawn)
		case !ok:
			m.tellSupervisor(s, "let_go")
			at.GoAt, at.Notice = m.now.Add(goodbyeTime), ""
		default:
			at.Hotline = line
			if s.Up && s.Act != Listen && (waits || m.bothActive() || s.Act == Join && m.Desk == 0) {
				at.Act = Listen
				m.tellSupervisor(*at, string(Listen))
				m.notice(s.ID, cmp.Or(m.prompts().Refuse, clipBusy))
			}
		}
	}
}

// supervisorEar is what a supervisor hears: what the desk of his line says and hears, or with no desk the citizen and
// what he hears.
func (m *machine) supervisorEar(s Supervisor) Ear {
	e := m.overheard(s)
	e.From = slices.DeleteFunc(e.From, func(id LegID) bool { return id == s.ID })
	if len(e.From) == 0 && len(e.Play) == 0 {
		e = playing(cmp.Or(m.prompts().Music, clipMusic))
	}
	e.Leg = s.ID
	return e.with(s.Leg)
}

func (m *machine) overheard(s Supervisor) Ear {
	_, waits, ok := m.lineOf(s.Lines)
	switch {
	case !ok || s.going():
		return playing(cmp.Or(m.prompts().Busy, clipBusy))
	case waits:
		return playing(cmp.Or(m.prompts().Ringback, clipRing))
	case m.Desk == 0:
		e := m.callerEar()
		if m.Answered || m.Early {
			e.From = append([]LegID{CallerLeg}, e.From...)
		}
		return e
	}
	id := m.deskOf(s.Hotline)
	e := m.voices(id)
	if l, ok := m.Leg(id); ok {
		e = m.deskEar(*l)
	}
	if m.audible(id) {
		e.From = append([]LegID{id}, e.From...)
	}
	return e
}

// whispers lets the desks hear who whispers to them.
func (m *machine) whispers(ears []Ear) {
	for _, s := range m.Supervisors {
		if !s.Up || s.Act != Whisper || s.going() || !s.audible() {
			continue
		}
		id := m.deskOf(s.Hotline)
		if i := slices.IndexFunc(ears, func(e Ear) bool { return id != 0 && e.Leg == id }); i >= 0 {
			ears[i].From = append(slices.Clip(ears[i].From), s.ID)
		}
	}
}

// noteSupervisors has the recording tell who listens, and gives what those say who have joined a channel.
func (m *machine) noteSupervisors() {
	taken := false
	for i := range m.Supervisors {
		s := &m.Supervisors[i]
		act := s.Act
		if !s.Up || s.going() {
			act = ""
		}
		m.noteSupervisor(s, act)
		if s.Channel != 0 && !s.isHeard() {
			s.Channel = 0
			m.do(RecordLeg{Leg: s.ID})
		}
		taken = taken || s.Channel != 0
	}
	for i := range m.Supervisors {
		if s := &m.Supervisors[i]; s.isHeard() && !taken {
			s.Channel, taken = SupervisorChannel, true
			m.do(RecordLeg{Leg: s.ID, Channel: s.Channel})
		}
	}
}

func (m *machine) noteSupervisor(s *Supervisor, act Act) {
	if s.Noted != act {
		s.Noted = act
		m.do(NoteSupervisor{User: s.Seat, Line: s.Hotline, Act: act})
	}
}

// ofSupervisors: they are apart from who has a part in the call.
func (c *Call) ofSupervisors() string {
	for i, s := range c.Supervisors {
		_, part := c.Leg(s.ID)
		_, _, concerned := c.lineOf(s.Lines)
		twice := slices.ContainsFunc(c.Supervisors[:i], func(o Supervisor) bool { return o.ID == s.ID })
		if says := broken(
			claim{"a supervisor has a part in the call", !part && s.ID != c.Second.ID && s.ID != c.Focus.ID},
			claim{"a supervisor is there twice", !twice},
			claim{"a supervisor of no line of the call is not let go", concerned || !s.GoAt.IsZero()},
			claim{"a supervisor has joined and nobody has the citizen", !s.isHeard() || c.Desk != 0},
			claim{"a supervisor's phone rings for ever", s.Up || !s.GoAt.IsZero()},
			claim{"a supervisor who is not silent is watched", !s.watchedInVain()},
			claim{"a supervisor is in the call in no way", s.Act == Listen || s.Act == Whisper || s.Act == Join},
		); says != "" {
			return says
		}
	}
	return ""
}
