package call

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"liandong/routing/desk"
	"liandong/routing/ticket"
)

// leaveTime is how long a caller who could not be served hears the apology
// and the busy tone before the call ends.
const leaveTime = 10 * time.Second

// Step takes one event at a time now and returns the next state and what is
// to be done. It is total: an event that means nothing in this state leaves
// it as it is and returns [Ignored]. The state passed in is not changed.
func Step(c Call, dir *desk.Directory, now time.Time, e Event) (Call, []Effect) {
	m := machines.Get().(*machine)
	*m = machine{Call: c.clone(), dir: dir, now: now}
	m.take(e)
	if !m.Over() {
		m.noteWay()
		m.tidyFocus()
		m.tidySupervisors()
		m.record()
		m.listen()
		m.connectedLine()
	}
	if err := m.Check(); err != nil {
		m.do(Astray{Err: err})
	}
	next, effects := m.Call, m.effects
	*m = machine{}
	machines.Put(m)
	return next, effects
}

// machines is room for steps: a state is large.
var machines = sync.Pool{New: func() any { return new(machine) }}

// machine is one step under way.
type machine struct {
	Call
	dir     *desk.Directory
	now     time.Time
	effects []Effect
}

// usualEffects are those of a step, and more.
const usualEffects = 6

func (m *machine) do(e ...Effect) {
	if m.effects == nil {
		m.effects = make([]Effect, 0, usualEffects)
	}
	m.effects = append(m.effects, e...)
}

func (m *machine) ignore(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	m.do(Ignored{format})
}

// take takes an event. The first three may come where there is no call yet, or none any more.
func (m *machine) take(e Event) {
	switch e := e.(type) {
	case Arrived:
		m.arrived(e)
	case CallbackAsked:
		m.callbackAsked(e)
	case SeatsFound:
		m.seatsFound(e)
	default:
		if m.Over() || m.Phase == "" {
			m.late(e)
		} else if !m.ofLeg(e) && !m.ofDesk(e) && !m.ofOthers(e) {
			m.ignore("unknown event %T", e)
		}
	}
}

// ofLeg takes what happens to one party; false: it is none of that.
func (m *machine) ofLeg(e Event) bool {
	switch e := e.(type) {
	case LegRinging:
		m.legRinging(e.Leg)
	case LegEarly:
		m.legEarly(e.Leg)
	case LegAnswered:
		m.legAnswered(e.Leg)
	case LegFailed:
		m.legFailed(e)
	case LegEnded:
		m.legEnded(e)
	case LegHeld:
		m.legHeld(e)
	case LegSilent:
		m.legSilent(e)
	case LegAlive:
		m.legAlive(e)
	case LegUnanswered:
		m.legUnanswered(e)
	case PlayDone:
		m.playDone(e)
	default:
		return false
	}
	return true
}

// ofDesk takes what a desk does, by keys or with its phone.
func (m *machine) ofDesk(e Event) bool {
	switch e := e.(type) {
	case KeyPressed:
		m.keyPressed(e)
	case DigitsPressed:
		m.digitsPressed(e)
	case KeyCutShort:
		m.keyCutShort(e)
	case DeskCalled:
		m.deskCalled(e)
	case BroughtIn:
		m.broughtIn(e)
	case DropAsked:
		m.dropAsked(e)
	case JoinAsked:
		m.joinAsked(e)
	case JoinFound:
		m.joinFound(e)
	case JoinOffered:
		m.joinOffered(e)
	case JoinFailed:
		m.report(e.Code)
	case LegTaken:
		m.legTaken(e)
	case PickedUp:
		m.pickedUp(e)
	case TakenOver:
		m.takenOver(e)
	case ColleagueJoined:
		m.colleagueJoined(e)
	default:
		return false
	}
	return true
}

// ofOthers takes what supervisors, the clock and the switch itself do.
func (m *machine) ofOthers(e Event) bool {
	switch e := e.(type) {
	case SupervisorDialled:
		m.supervisorDialled(e)
	case SupervisorAsked:
		m.supervisorAsked(e)
	case SupervisorPressed:
		m.supervisorPressed(e)
	case RecordAsked:
		m.recordAsked(e)
	case Ticked:
		m.ticked()
	case Broken:
		m.end(Failure)
	case SwitchStops:
		m.switchStops(e)
	default:
		return false
	}
	return true
}

// late: there is no call. A dialog that has come for it is not left ringing.
func (m *machine) late(e Event) {
	switch e := e.(type) {
	case DeskCalled:
		m.do(Refuse{Leg: e.Leg, Code: 480})
	case JoinFound:
		m.do(EndLeg{Leg: e.Leg, Why: Withdrawn})
	case JoinAsked:
		m.do(AskJoin{})
	case JoinOffered:
		m.do(OfferJoin{})
	case PickedUp:
		m.do(Refuse{Leg: e.Leg, Code: 481})
	case TakenOver:
		m.do(Refuse{Leg: e.Leg, Code: 481})
	case ColleagueJoined:
		m.do(Refuse{Leg: e.Leg, Code: 481})
	case SupervisorDialled:
		m.do(Refuse{Leg: e.Leg, Code: 480})
	}
	m.ignore("%T with no call on", e)
}

func (m *machine) arrived(a Arrived) {
	if m.Phase != "" {
		m.ignore("the call has begun already")
		return
	}
	m.Peer = a.Peer
	m.Ref, m.At, m.Caller, m.Dialed, m.Hotline = a.Ref, m.now, a.Caller, a.Dialed, a.Hotline
	m.Legs, m.NextLeg = []Leg{{ID: CallerLeg}}, CallerLeg+1
	m.Recording.Ref = a.Record
	if d := m.dir.Timers.MaxCall; d > 0 {
		m.EndsAt = m.now.Add(d)
	}
	m.do(Tell{What: "arrived"}, RingCaller{})
	if a.Test {
		m.tested(a.Says)
		return
	}
	m.setPhase(Ringing)
	m.seek(Hunt{Kind: SeeksDesk, Hotline: a.Hotline})
}

// tested answers the switch's own call: it hears what a caller hears for whom there is nobody, presses a key and is let
// go. A phone that has asked for something hears the answer, and is let go.
func (m *machine) tested(says []string) {
	m.Test = true
	m.reach(true)
	m.setPhase(Leaving)
	m.LeaveAt = m.now.Add(leaveTime)
	if says == nil {
		return
	}
	m.Says = slices.DeleteFunc(slices.Clone(says), func(clip string) bool { return clip == "" })
	if len(m.Says) == 0 { // it is to be silent
		m.end(Normal)
	}
}

// setPhase changes the phase. A notice belongs to the phase it was given in.
func (m *machine) setPhase(p Phase) {
	m.timeThreeWay(p == ThreeWay)
	m.Phase = p
	m.Second.MixAt = time.Time{}
	for i := range m.Legs {
		m.Legs[i].Notice = ""
	}
	for i := range m.Supervisors {
		m.Supervisors[i].Notice = ""
	}
}

// timeThreeWay tells how long a three-way call of two lines was when it is over. One that comes and goes within a step
// was none.
func (m *machine) timeThreeWay(on bool) {
	switch {
	case on && m.JoinedAt.IsZero():
		if m.Matter != nil && !m.Matter.inside() {
			m.JoinedAt = m.now
		}
	case !on && m.JoinedAt.Equal(m.now):
		m.JoinedAt = time.Time{}
	case !on && !m.JoinedAt.IsZero():
		m.do(Tell{What: "three_way_ended", Note: strconv.FormatInt(m.now.Sub(m.JoinedAt).Milliseconds(), 10)})
		m.JoinedAt = time.Time{}
	}
}

// reach makes sure that the caller has media from us: answered when answer is
// set, early media otherwise.
func (m *machine) reach(answer bool) {
	switch {
	case m.Answered:
	case answer:
		m.Answered = true
		m.do(AnswerCaller{})
		if l, ok := m.Leg(CallerLeg); ok {
			l.Up = true
		}
	case !m.Early:
		m.Early = true
		m.do(RingCaller{Media: true})
	}
}

// legAnswered: a desk picked up. The first one wins, the others are called off.
func (m *machine) legAnswered(id LegID) {
	if s, ok := m.Supervisor(id); ok {
		m.supervisorAnswered(s)
		return
	}
	if id == CallerLeg && m.callsCitizen() {
		m.citizenAnswered()
		return
	}
	l, ok := m.Leg(id)
	if !ok || l.Up || m.Hunt == nil || id == CallerLeg {
		m.ignore("leg %d was not being rung", id)
		return
	}
	l.Up, l.Early, l.Silent = true, false, false
	line := l.Hotline
	h := *m.Hunt
	m.stopHunt(Elsewhere)
	switch {
	case h.ForMatter():
		m.partnerAnswered(id)
		return
	case h.seeksTaker():
		m.takerReady(id)
		return
	}
	m.Desk, m.Met = id, true
	m.setPhase(Talking)
	m.reach(true)
	m.do(Tell{What: "answered", Leg: id, Note: line})
}

// legFailed: a desk was not reached.
func (m *machine) legFailed(e LegFailed) {
	if s, ok := m.Supervisor(e.Leg); ok && !s.Up {
		m.refuseSupervisor(s.Seat, s.Hotline, s.Act, ErrNotHere)
		m.dropSupervisor(e.Leg)
		return
	}
	if e.Leg == CallerLeg && m.callsCitizen() {
		m.citizenFailed(e.Code)
		return
	}
	l, ok := m.Leg(e.Leg)
	if !ok || l.Up || m.Hunt == nil || e.Leg == CallerLeg {
		m.ignore("leg %d was not being rung", e.Leg)
		return
	}
	m.Hunt.note(resultOf(e.Code), e.Code)
	if l.Seat != "" {
		m.Hunt.Tried = append(m.Hunt.Tried, l.Seat)
	}
	m.drop(e.Leg)
	switch {
	case len(m.Rung()) > 0:
	case m.Hunt.seeksTaker():
		m.end(NoAnswer)
	default:
		m.roundOver()
	}
}

// resultOf reads a final SIP code as the ticket's result.
func resultOf(code int) Result {
	switch code {
	case 486, 600, 603: // busy here, busy everywhere, declined
		return ResultBusy
	case 408, 480, 487: // silence, not available, given up
		return ResultNoAnswer
	}
	return ResultFailed
}

// legEnded: a party is gone.
func (m *machine) legEnded(e LegEnded) {
	if s, ok := m.Supervisor(e.Leg); ok {
		m.supervisorEnded(*s)
		return
	}
	l, ok := m.Leg(e.Leg)
	switch {
	case e.Leg == m.Second.ID && e.Leg != 0:
		m.secondEnded()
	case e.Leg == m.Focus.ID && e.Leg != 0:
		m.Focus = Focus{}
	case !ok:
		m.ignore("leg %d is not of this call", e.Leg)
	case e.Leg == CallerLeg && m.Phase == CallingBack:
		m.legFailed(LegFailed{Leg: e.Leg, Code: 487})
	case e.Leg == CallerLeg:
		m.drop(e.Leg)
		m.end(Withdrawn)
	case !l.Up:
		m.legFailed(LegFailed{Leg: e.Leg, Code: 487})
	case e.Leg == m.Partner:
		line := l.Hotline
		if m.drop(e.Leg); !m.succeedPartner(line) {
			m.partnerLeft()
		}
	case e.Leg == m.Desk:
		line, lost, dead := l.Hotline, e.Lost || !m.due(l.LeavesTil) && !l.LeavesTil.IsZero(), []string(nil)
		if e.Lost {
			dead = []string{l.Seat}
		}
		m.drop(e.Leg)
		m.deskLeft(line, lost, dead)
	default:
		m.drop(e.Leg)
		m.ignore("leg %d had no part in the call", e.Leg)
	}
}

// deskLeft: the taker is gone. Whoever else is there keeps the caller; a
// taker who ends the conversation alone with the caller ends the call.
func (m *machine) deskLeft(line string, lost bool, dead []string) {
	m.endSecond(480, Normal)
	m.Desk = 0
	settling := !m.SettleUntil.IsZero()
	m.SettleUntil = time.Time{}
	if m.succeedDesk(line) {
		return
	}
	switch m.Phase {
	case CallingBack:
		m.end(Withdrawn)
	case HandingOver, Conferencing:
		m.alone()
	case Consulting:
		if m.Partner == 0 {
			m.alone()
		} else {
			m.outcome(ResultAnswered, 0)
			m.promotePartner()
		}
	case ThreeWay:
		m.promotePartner()
		m.noticeAll(m.prompts().Left)
	case Talking:
		switch {
		case settling && m.Matter != nil:
			m.searchAgain(m.Matter.From)
		case lost:
			m.searchAgain(line, dead...)
		default:
			m.end(Normal)
		}
	}
}

// alone: the taker left while the partner rings. The caller is told, the
// partner goes on ringing, and whoever answers takes the call over.
func (m *machine) alone() {
	m.Matter.Mode = ticket.Direct
	m.setPhase(HandingOver)
}

func (m *machine) promotePartner() {
	m.Desk, m.Partner = m.Partner, 0
	m.setPhase(Talking)
}

// searchAgain: the caller has nobody; a line is rung again, but not at first the seats
// whose phones have just gone dead.
func (m *machine) searchAgain(line string, dead ...string) {
	m.setPhase(Ringing)
	m.seek(Hunt{Kind: SeeksDesk, Hotline: line, Tried: dead})
}

func (m *machine) legHeld(e LegHeld) {
	held := &m.Second.Held
	if l, ok := m.Party(e.Leg); ok {
		held = &l.Held
	} else if e.Leg == m.Focus.ID {
		held = &m.Focus.Held
	} else if e.Leg != m.Second.ID {
		held = &e.Held
	}
	if *held == e.Held {
		m.ignore("no change of hold")
		return
	}
	*held = e.Held
	m.secondHeld()
}

// digitsPressed passes digits on to everybody the leg talks with.
func (m *machine) digitsPressed(e DigitsPressed) {
	if m.Test && len(m.Says) == 0 { // so the switch learns that it hears, too
		m.end(Normal)
		return
	}
	to := m.others(e.Leg)
	if len(to) == 0 || m.Phase == CallingBack {
		m.ignore("nobody to pass digits to")
		return
	}
	for _, id := range to {
		m.do(SendDigits{Leg: id, Digits: e.Digits})
	}
}

func (m *machine) ticked() {
	switch {
	case m.due(m.EndsAt), m.due(m.LeaveAt):
		m.end(Normal)
		return
	case m.Callback != nil && m.Phase == CallingBack:
		m.callbackTicked()
	case m.Hunt != nil:
		m.huntTicked()
	}
	if m.due(m.SettleUntil) {
		m.SettleUntil = time.Time{}
	}
	if m.due(m.Second.MixAt) {
		m.mixed()
	}
	m.vigils()
}

func (m *machine) due(at time.Time) bool { return !at.IsZero() && !m.now.Before(at) }

// drop forgets a leg that is gone.
func (m *machine) drop(id LegID) {
	m.Legs = slices.DeleteFunc(m.Legs, func(l Leg) bool { return l.ID == id })
	m.forgetEar(id)
	if m.Partner == id {
		m.Partner = 0
	}
}

// release ends a leg and forgets it.
func (m *machine) release(id LegID, why Farewell) {
	if l, ok := m.Leg(id); ok {
		m.do(EndLeg{Leg: id, Why: why, Grace: l.Referred && why == Normal})
		m.drop(id)
	}
}

// end is the only way out of a call: whatever rings is called off, every
// party is released, the matter gets its last word.
func (m *machine) end(why Farewell) {
	m.calledBack(m.untried(why), 0)
	m.missed(why)
	m.stopHunt(Withdrawn)
	m.lastWord(why)
	m.report(487)
	m.endSecond(487, why)
	m.endFocus()
	m.stopRecording()
	if _, ok := m.Leg(CallerLeg); ok && !m.Answered && m.Callback == nil {
		m.do(RefuseCaller{Code: m.refusal(why)})
		m.drop(CallerLeg)
	}
	for _, l := range slices.Clone(m.Legs) {
		m.release(l.ID, why)
	}
	for _, s := range slices.Clone(m.Supervisors) {
		m.releaseSupervisor(s.ID, why)
	}
	m.Desk, m.Partner, m.Hunt = 0, 0, nil
	m.SettleUntil, m.LeaveAt, m.EndsAt = time.Time{}, time.Time{}, time.Time{}
	m.setPhase(Ended)
	m.do(Tell{What: "ended", Note: string(why)}, Finish{})
}

// switchStops: a caller who was never answered is told to come again, RFC 3261 §21.5.4.
func (m *machine) switchStops(e SwitchStops) {
	if _, ok := m.Leg(CallerLeg); ok && !m.Answered && m.Callback == nil {
		m.do(RefuseCaller{Code: 503})
		m.drop(CallerLeg)
		m.end(Failure)
		return
	}
	if e.Grace == 0 || m.Phase == CallingBack {
		m.end(Failure)
		return
	}
	m.announce(m.prompts().Wait)
	m.EndsAt = m.now.Add(e.Grace)
}

// refusal is the status for a caller who was never answered.
func (m *machine) refusal(why Farewell) int {
	if why == Failure {
		return 500
	}
	return 486
}
