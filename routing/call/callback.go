package call

import (
	"cmp"
	"strconv"
	"time"

	"liandong/routing/number"
	"liandong/routing/ticket"
)

// Callback is a call that a desk has the switch make to a citizen whose call was missed. The desk rings first; when it
// has picked up the citizen is rung, who is then [CallerLeg] as in every call, and from the citizen's answer on it is
// a call as any other.
type Callback struct {
	Stub          string    // of the missed call
	Trunk, Number string    // how the citizen is reached
	Shown         string    // the line's number, which the citizen sees
	Seat          string    // of the desk that asks for it
	Until         time.Time // when the citizen has rung long enough
	Result        Result    // "": the citizen has not been reached, and may be
}

// CallbackAsked tells that a desk has the switch call a citizen. The seat is claimed for the call.
type CallbackAsked struct {
	Ref     string
	Caller  number.Number // the citizen
	Hotline string
	Record  string // the id of the recording, should the call be recorded
	Callback
}

func (CallbackAsked) event() {}

// callbackAsked rings the desk.
func (m *machine) callbackAsked(e CallbackAsked) {
	if m.Phase != "" {
		m.ignore("the call has begun already")
		return
	}
	back := e.Callback
	m.Ref, m.At, m.Caller, m.Dialed, m.Hotline = e.Ref, m.now, e.Caller, back.Shown, e.Hotline
	m.Callback, m.Recording.Ref = &back, e.Record
	m.NextLeg = CallerLeg + 1
	if d := m.dir.Timers.MaxCall; d > 0 {
		m.EndsAt = m.now.Add(d)
	}
	m.setPhase(CallingBack)
	m.Hunt = &Hunt{Kind: SeeksTaker, Hotline: e.Hotline, Only: back.Seat, Since: m.now}
	m.do(Tell{What: "callback"}, RingSeat{Leg: m.newLeg(e.Hotline, back.Seat), Hotline: e.Hotline, Seat: back.Seat})
	m.ringFor(m.line().NoAnswer)
}

// seeksTaker says that the desk which calls back is being rung.
func (h *Hunt) seeksTaker() bool { return h != nil && h.Kind == SeeksTaker }

// takerReady: the desk has picked up, and the citizen is rung.
func (m *machine) takerReady(id LegID) {
	b := m.Callback
	m.Desk = id
	m.Legs = append([]Leg{{ID: CallerLeg}}, m.Legs...)
	b.Until = m.now.Add(cmp.Or(m.dir.Timers.TrunkRing, longestRing))
	m.do(RingTrunk{Leg: CallerLeg, Trunk: b.Trunk, Number: b.Number, Shown: b.Shown})
}

// callsCitizen says that the citizen is being rung.
func (m *machine) callsCitizen() bool {
	return m.Phase == CallingBack && m.Desk != 0 && m.Callback.Result == ""
}

// citizenAnswered: desk and citizen talk.
func (m *machine) citizenAnswered() {
	l, _ := m.Leg(CallerLeg)
	l.Up, l.Early, l.Silent = true, false, false
	m.Answered, m.Met = true, true
	m.calledBack(ResultAnswered, 0)
	m.setPhase(Talking)
	m.do(Tell{What: "answered", Leg: m.Desk, Note: m.Hotline})
}

// citizenFailed: the citizen was not reached. The desk hears so, and the call ends.
func (m *machine) citizenFailed(code int) {
	m.drop(CallerLeg)
	m.calledBack(resultOf(code), code)
	m.LeaveAt = m.now.Add(failedTime)
}

// failedTime is how long a desk hears that the citizen was not reached.
const failedTime = 4 * time.Second

// calledBack tells once what became of it.
func (m *machine) calledBack(r Result, code int) {
	b := m.Callback
	if b == nil || b.Result != "" {
		return
	}
	b.Result, b.Until = r, time.Time{}
	e := m.ofLine(b.Stub, ticket.CalledBack)
	e.Result, e.Reason, e.FromAgent = string(r), reasonText(code), b.Seat
	if l, ok := m.Leg(m.Desk); ok {
		e.FromAgent = l.Agent() // a colleague may have picked it up
	}
	if r == ResultAnswered {
		e.AnsweredAt, e.ToAgent = m.now, e.FromAgent
	}
	m.do(Write{e})
}

// ofLine is an entry that concerns the line alone whose citizen calls, or is called.
func (m *machine) ofLine(stub string, what ticket.Event) ticket.Entry {
	e := m.entryOf(Matter{Stub: stub, Mode: ticket.TicketOnly, From: m.Hotline, To: m.Hotline}, what)
	e.Urgency = ""
	return e
}

// callbackTicked: the desk, or the citizen, has rung long enough.
func (m *machine) callbackTicked() {
	switch {
	case m.Hunt.seeksTaker() && m.due(m.Hunt.SeatAt):
		m.end(NoAnswer)
	case m.Phase == CallingBack && m.due(m.Callback.Until):
		m.do(EndLeg{Leg: CallerLeg, Why: NoAnswer})
		m.citizenFailed(408)
	}
}

// callbackEar is what the desk hears while the citizen is rung, and when he was not reached.
func (m *machine) callbackEar() Ear {
	p := m.prompts()
	if m.Callback.Result != "" {
		return playing(p.Failed, cmp.Or(p.Busy, clipBusy))
	}
	return m.ringback("")
}

// missed tells the line of a citizen who leaves, or is left, without a desk: nobody has answered, or the desk was lost
// and no other has come. What another line is told of a hand-over is told there; a desk's own phone is no citizen, and
// a citizen who is called back waits for nobody before a desk has talked with him.
func (m *machine) missed(why Farewell) {
	if e, ok := m.missedEntry(why); ok {
		m.do(Write{e})
	}
}

func (m *machine) missedEntry(why Farewell) (e ticket.Entry, ok bool) {
	_, phone := m.dir.Seats[m.Caller.E164]
	if m.Test || m.Callback != nil && !m.Met || phone || m.Peer.Stub != "" || m.Phase != Ringing && m.Phase != Leaving {
		return e, false
	}
	e = m.ofLine(ticket.DerivedID(m.Recording.Ref, "stub"), ticket.Missed)
	e.EventID = ticket.DerivedID(m.Recording.Ref, "missed")
	e.Waited = strconv.FormatInt(int64(m.now.Sub(m.At)/time.Second), 10)
	switch {
	case why == Failure:
		e.Result, e.Reason = string(ResultFailed), ticket.SwitchLost
	case m.Phase == Leaving, why != Withdrawn:
		e.Result = string(ResultNoAnswer)
	default:
		e.Result = string(ResultAbandoned)
	}
	if m.Met && e.Reason == "" {
		e.Reason = ticket.DeskLost
	}
	return e, true
}

// untried is what became of a callback that ends before the citizen was reached: a desk that hangs up has given up.
func (m *machine) untried(why Farewell) Result {
	if m.Desk != 0 || why == Withdrawn {
		return ResultAbandoned
	}
	return ResultFailed
}
