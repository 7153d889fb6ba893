package call

import (
	"cmp"
	"slices"
	"time"

	"liandong/routing/desk"
)

// retryPause paces the search for a desk: between two rounds of a line whose
// seats did not answer, and as a guard against a lost word from the queue.
const retryPause = 2 * time.Second

// longestPause is what the pause between two rounds grows to. Whoever becomes free meanwhile
// is offered by the queue at once; but of the seats that have had their turn other switches keep none for the caller.
const longestPause = 8 * time.Second

// longestRing ends the ringing of a desk for which no time is configured: a
// phone that answers 180 and then nothing must not hold a call for ever.
const longestRing = 3 * time.Minute

// seek starts the search for a desk of a line.
func (m *machine) seek(h Hunt) {
	h.Since = m.now
	m.Hunt = &h
	if _, ok := m.dir.Hotlines[h.Hotline]; !ok {
		m.Hunt.note(ResultFailed, 404)
		m.exhausted()
		return
	}
	m.find()
}

// find rings the number of a line behind a trunk, or asks for free seats: all
// of them, or the next one in turn.
func (m *machine) find() {
	h, line := m.Hunt, m.line()
	h.RetryAt = time.Time{}
	if line.Trunk != "" {
		m.ringTrunk(h.Hotline, line.Trunk, line.TrunkNumber)
		return
	}
	f := FindSeats{Hotline: h.Hotline, Tried: slices.Clone(h.Tried), Queue: !h.ForMatter(), Only: h.Only,
		First: h.First}
	if line.Ring != desk.All {
		f.Max = 1
	}
	h.RetryAt = m.now.Add(retryPause) // should the answer never come
	m.do(f)
}

// huntOutside rings a number that the taker's line permits.
func (m *machine) huntOutside(to Target) {
	m.Hunt = &Hunt{Kind: SeeksOutside, Hotline: to.Hotline, Since: m.now}
	m.do(Tell{What: "outside", Leg: m.Desk, Note: to.Trunk})
	m.do(RingTrunk{Leg: m.newLeg(to.Hotline, ""), Trunk: to.Trunk, Number: to.Number, For: m.cause()})
	m.ringFor(m.dir.Timers.TrunkRing)
}

// line is the hotline being rung; an empty one when the directory lost it.
func (m *machine) line() desk.Hotline {
	if h, ok := m.dir.Hotlines[m.Hunt.Hotline]; ok {
		return *h
	}
	return desk.Hotline{}
}

func (m *machine) seatsFound(e SeatsFound) {
	h := m.Hunt
	if m.Over() || h == nil || h.Hotline != e.Hotline || h.outside() || len(m.Rung()) > 0 {
		if len(e.Seats) > 0 {
			m.do(ReleaseSeats{e.Seats})
		}
		m.ignore("no desk of %s is sought", e.Hotline)
		return
	}
	switch {
	case e.Denied:
		h.Denied = true
		m.find()
		return
	case len(e.Seats) == 0:
		m.noSeat(e)
		return
	}
	h.Queued, h.Denied, h.RetryAt = false, false, time.Time{}
	for _, seat := range e.Seats {
		m.do(RingSeat{Leg: m.newLeg(e.Hotline, seat), Hotline: e.Hotline, Seat: seat, For: m.cause()})
	}
	m.ringFor(m.seatTime())
}

// seatTime is how long the seats that ring now may ring.
func (m *machine) seatTime() time.Duration {
	line := m.line()
	if line.Ring != desk.All && line.RingEach > 0 {
		return line.RingEach
	}
	return line.NoAnswer
}

func (m *machine) ringFor(d time.Duration) {
	if d <= 0 {
		d = longestRing
	}
	m.Hunt.SeatAt = m.now.Add(d)
	if n := m.line().NoAnswer; m.Hunt.ForMatter() && !m.Hunt.outside() && m.Hunt.First == "" && n > 0 &&
		m.Hunt.LineAt.IsZero() {
		m.Hunt.LineAt = m.now.Add(n)
	}
}

func (m *machine) newLeg(line, seat string) LegID {
	id := m.NextLeg
	m.NextLeg++
	m.Legs = append(m.Legs, Leg{ID: id, Hotline: line, Seat: seat})
	return id
}

func (m *machine) ringTrunk(line, trunk, number string) {
	m.do(RingTrunk{Leg: m.newLeg(line, ""), Hotline: line, Trunk: trunk, Number: number, For: m.cause()})
	d := m.line().NoAnswer
	if d == 0 || m.Hunt.outside() {
		d = m.dir.Timers.TrunkRing
	}
	m.ringFor(d)
}

// cause tells a partner's desk what it is rung for.
func (m *machine) cause() Cause {
	t := m.Matter
	switch {
	case !m.running() || t == nil:
		return Cause{}
	case t.Outside != "": // who has been with the caller is nobody's business there
		return Cause{From: t.From, To: t.Outside}
	case t.inside():
		return Cause{By: t.By}
	}
	return Cause{Stub: t.Stub, From: t.From, To: t.To, By: t.By}
}

// noSeat: no seat is free. A partner is busy then; a caller waits.
func (m *machine) noSeat(e SeatsFound) {
	h := m.Hunt
	switch {
	case h.First != "":
		m.widen()
	case h.ForMatter() && len(h.Tried) == 0 && e.Online == 0:
		h.note(ResultFailed, 480)
		m.exhausted()
	case h.ForMatter():
		if len(h.Tried) == 0 {
			h.note(ResultBusy, 486)
		}
		m.exhausted()
	case e.Full || m.unqueued():
		m.overflow()
	default:
		m.wait()
	}
}

// widen: the seat that was to be first cannot be had, and the line is rung.
func (m *machine) widen() {
	m.Hunt.First = ""
	m.find()
}

// unqueued says that callers of the line do not wait: there is no queue, and nobody has had
// this one yet.
func (m *machine) unqueued() bool { return m.line().Queue.MaxCalls == 0 && !m.Met }

// wait keeps the caller in the line's queue, with music. Seats that did not
// answer have their turn again, those that refuse at once less and less often.
func (m *machine) wait() {
	h := m.Hunt
	if !h.Queued {
		h.Queued = true
		if h.Rounds++; h.Rounds == 1 {
			m.do(Tell{What: "queued", Note: h.Hotline})
		}
		m.reach(m.line().Queue.Answer)
	}
	h.Tried = nil
	h.RetryAt = m.now.Add(h.pause())
	if h.Denied { // nobody has refused: the next round is not put off
		h.RetryAt, h.Denied = m.now.Add(retryPause), false
	}
}

// roundOver: nobody rings any more and nobody answered.
func (m *machine) roundOver() {
	h := m.Hunt
	h.SeatAt = time.Time{}
	switch {
	case h.First != "":
		m.widen()
	case h.outside(), h.Kind == SeeksJoin, m.line().Trunk != "":
		m.exhausted()
	case m.line().Ring != desk.All:
		m.find()
	case h.ForMatter():
		m.exhausted()
	case m.unqueued() && m.line().Queue.Overflow.None(): // there is nowhere else to go
		m.wait()
	default: // a caller without a desk: who has become free meanwhile, or the queue
		m.find()
	}
}

// exhausted: this line cannot be reached.
func (m *machine) exhausted() {
	if m.running() {
		m.partnerFailed(m.Hunt.Result, m.Hunt.Code)
		return
	}
	m.overflow()
}

func (m *machine) huntTicked() {
	h := m.Hunt
	longest := m.line().Queue.MaxWait
	if m.due(h.EarlyAt) {
		h.EarlyAt = time.Time{}
	}
	switch {
	case h.ForMatter() && m.due(h.LineAt):
		h.note(ResultNoAnswer, 408)
		m.stopRinging(NoAnswer)
		m.exhausted()
	case m.due(h.SeatAt):
		h.note(ResultNoAnswer, 408)
		m.stopRinging(NoAnswer)
		m.roundOver()
	case h.Kind == SeeksDesk && longest > 0 && m.due(h.Since.Add(longest)) && len(m.Rung()) == 0:
		m.overflow()
	case m.due(h.RetryAt):
		m.find()
	}
}

// overflow: the line has no desk for the caller. Its overflow target is next,
// each line once; then there is nobody, and the caller is told so.
func (m *machine) overflow() {
	last := m.Hunt.Hotline
	to := m.line().Queue.Overflow
	outside, rounds := m.Hunt.outside(), m.Hunt.Rounds
	m.stopHunt(NoAnswer)
	m.Visited = append(slices.Clip(m.Visited), last)
	switch {
	case !outside && to.Trunk != "":
		m.do(Tell{What: "overflow", Note: to.Trunk})
		m.Hunt = &Hunt{Kind: SeeksOverflow, Hotline: last, Since: m.now}
		m.ringTrunk(last, to.Trunk, to.Number)
	case !outside && to.Hotline != "" && !slices.Contains(m.Visited, to.Hotline):
		m.do(Tell{What: "overflow", Note: to.Hotline})
		m.seek(Hunt{Kind: SeeksDesk, Hotline: to.Hotline})
	case m.Met: // somebody had this caller once: never let go of him, ring again
		m.Visited = nil
		m.Hunt = &Hunt{Kind: SeeksDesk, Hotline: last, Since: m.now, Rounds: rounds + 1}
		m.Hunt.RetryAt = m.now.Add(m.Hunt.pause())
	case !m.Answered:
		m.end(Normal)
	default:
		m.setPhase(Leaving)
		m.LeaveAt = m.now.Add(leaveTime)
	}
}

// stopRinging calls off every leg that rings; their seats had their turn.
func (m *machine) stopRinging(why Farewell) {
	for _, l := range m.Rung() {
		if l.Seat != "" {
			m.Hunt.Tried = append(m.Hunt.Tried, l.Seat)
		}
		m.release(l.ID, why)
	}
}

// stopHunt ends the search.
func (m *machine) stopHunt(why Farewell) {
	if m.Hunt == nil {
		return
	}
	m.stopRinging(why)
	if !m.running() {
		m.do(LeaveQueue{m.Hunt.Hotline})
	}
	m.Hunt = nil
}

// rank orders results: what the desks are told of several is the highest.
var rank = map[Result]int{ResultFailed: 1, ResultBusy: 2, ResultNoAnswer: 3}

// pause is how long it is to the next round.
func (h *Hunt) pause() time.Duration {
	return min(retryPause<<min(max(h.Rounds-1, 0), 8), longestPause)
}

func (h *Hunt) note(r Result, code int) {
	if cmp.Compare(rank[r], rank[h.Result]) >= 0 {
		h.Result, h.Code = r, code
	}
}
