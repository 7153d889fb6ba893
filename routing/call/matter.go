package call

import (
	"cmp"
	"strconv"

	"liandong/routing/ticket"
)

// open begins a matter: its stub is on its way before the partner rings. A
// former matter that nobody decided is settled first.
func (m *machine) open(p press, mode string, to string) {
	m.settleMatter()
	m.Matter = &Matter{
		Stub: p.Stub, Mode: mode, From: p.who.Hotline, To: to, FromAgent: p.who.Agent(),
		KeyAt: m.now, Category: m.Category, By: p.By, Outside: p.To.Number,
	}
	if m.Matter.inside() {
		m.Matter.Stub = ""
	}
	m.write(m.entry(ticket.Opened))
}

// outcome tells once how the matter came out. A direct hand-over is settled
// by it; a three-way call that stands is still to be decided.
func (m *machine) outcome(r Result, code int) {
	m.report(status(r, code))
	t := m.Matter
	if t == nil || t.Told {
		return
	}
	t.Told = true
	t.Decided = !(r == ResultAnswered && t.Mode == ticket.ThreeWay)
	e := m.entry(eventOf(r))
	e.Result = string(r)
	e.Reason = reasonText(code)
	m.write(e)
}

func eventOf(r Result) ticket.Event {
	switch r {
	case ResultAnswered:
		return ticket.Answered
	case ResultAbandoned:
		return ticket.Abandoned
	}
	return ticket.Failed
}

// withdrawn: the partner is let go without having taken the call.
func (m *machine) withdrawn() {
	m.report(487)
	if t := m.Matter; t != nil && !t.Told {
		t.Told, t.Decided = true, true
		e := m.entry(ticket.Failed)
		e.Result, e.Reason = string(ResultFailed), "taken_back"
		m.write(e)
	}
}

// corrected is the reason of a decision that takes the place of an earlier one.
const corrected = "corrected"

// decided tells which line takes the matter of a three-way call.
func (m *machine) decided(owner string, basis ticket.Basis) {
	t := m.Matter
	e := m.entry(ticket.Decided)
	if t.Decided {
		e.Reason = corrected
	}
	t.Decided, t.Owner, t.Basis = true, owner, basis
	e.DecidedOwner, e.DecisionBasis = owner, basis
	m.write(e)
}

// settleMatter: with no word the line that was called first takes it
// (国办发〔2022〕12号: 首接先行受理).
func (m *machine) settleMatter() {
	if t := m.Matter; t != nil && t.Told && !t.Decided {
		m.decided(m.Hotline, ticket.FirstReceiver)
	}
}

// lastWord gives the matter its final entry when the call ends.
func (m *machine) lastWord(why Farewell) {
	r := ResultFailed
	if why == Withdrawn {
		r = ResultAbandoned
	}
	m.outcome(r, 0)
	m.settleMatter()
}

// enriched tells of what came to be known after the stub was opened.
func (m *machine) enriched() { m.write(m.entry(ticket.Enriched)) }

// write puts an entry of the matter into the outbox.
func (m *machine) write(e ticket.Entry) {
	if !m.Matter.inside() {
		m.do(Write{e})
	}
}

// writeUrgent opens a stub of its own for the emergency line and settles it at
// once: danger goes first, whoever's matter it is.
func (m *machine) writeUrgent(p press) {
	t := Matter{
		Stub: p.Stub, Mode: ticket.TicketOnly, From: p.who.Hotline, To: m.dir.Emergency,
		FromAgent: p.who.Agent(), KeyAt: m.now, Category: m.Category,
	}
	e := m.entryOf(t, ticket.Opened)
	e.Urgency = ticket.Critical
	m.do(Write{e})
	e.Event = ticket.Urgent
	e.DecidedOwner, e.DecisionBasis = m.dir.Emergency, ticket.Emergency
	m.do(Write{e})
}

func (m *machine) entry(e ticket.Event) ticket.Entry { return m.entryOf(*m.Matter, e) }

// entryOf fills in what is known of a matter.
func (m *machine) entryOf(t Matter, e ticket.Event) ticket.Entry {
	kind, _ := m.dir.Categories.ByCode(t.Category)
	return ticket.Entry{
		StubID: t.Stub, Event: e, From: t.From, To: t.To, Mode: t.Mode, CallRef: cmp.Or(m.Peer.Ref, m.Ref),
		CallerE164: m.Caller.E164, CallerRaw: m.Caller.Raw,
		CallerStatus: m.Caller.Status.String(), CallerSource: m.Caller.Source,
		Dialed: m.Dialed, FromAgent: t.FromAgent, CallAt: m.At, KeyAt: t.KeyAt,
		AnsweredAt: t.Answered, ToAgent: t.ToAgent,
		CategoryCode: t.Category, Category: kind.Name, Urgency: cmp.Or(kind.Urgency, ticket.Normal),
		RecordingRef: m.Recording.ref(),
	}
}

// reasonText names the SIP code behind a failure, for the ticket.
func reasonText(code int) string {
	if code == 0 {
		return ""
	}
	return "sip_" + strconv.Itoa(code)
}
