// Package call decides what happens in one citizen's call: who rings, who
// talks to whom, what each party hears, and which ticket entries tell of it.
//
// It is a pure machine. [Step] takes the call's state, the time and an event
// (a fact in the past tense) and returns the next state and effects (orders)
// for package exchange to carry out. State is a plain value that can be
// stored and loaded; it knows no sockets, no SIP and no clock.
//
// What each party hears is not ordered piece by piece: after every step it is
// derived from the state as a whole (ears.go) and only the differences leave
// as [Hear] effects. So no path through the machine can forget a bridge or
// leave a caller in silence.
package call

import (
	"time"

	"liandong/routing/number"
	"liandong/routing/ticket"
)

// LegID names a leg within its call. The caller's is [CallerLeg].
type LegID uint32

// CallerLeg is the leg of the citizen; desks count up from it.
const CallerLeg LegID = 1

// SecondLeg is the first id of legs that a desk's phone adds to the call.
const SecondLeg LegID = 1 << 20

// Phase is what the call is about at the moment.
type Phase string

// The phases of a call.
const (
	Ringing      Phase = "ringing"      // the caller has no desk yet, or no longer
	Talking      Phase = "talking"      // caller and taker
	HandingOver  Phase = "handing_over" // the partner rings; the taker may have left
	Consulting   Phase = "consulting"   // the desks talk, or the partner rings; the caller hears music
	Conferencing Phase = "conferencing" // caller and taker talk, the partner rings
	ThreeWay     Phase = "three_way"    // caller and two desks
	CallingBack  Phase = "calling_back" // a desk calls a citizen back: it rings, or the citizen does
	Leaving      Phase = "leaving"      // nobody could be found: the caller hears so, then the call ends
	Ended        Phase = "ended"
)

// PeerCall is what the switch from which a call came says of it. Zero: it came from none.
type PeerCall struct {
	Ref  string // the call's UUID there: entries and events have it here too
	Stub string // of the matter as which it was handed over
}

// Call is the state of one call: a plain value, owned by the call's actor,
// stored whole. Change it only through [Step].
type Call struct {
	Ref     string   // the call's UUID, the same on every leg, entry and log line
	Peer    PeerCall // what another switch calls it, from which it came
	At      time.Time
	Caller  number.Number
	Dialed  string // as dialled
	Hotline string // the line called first
	Phase   Phase
	Test    bool     // the switch's own call to itself, or a phone's that asks for something
	Says    []string `cbor:",omitempty"` // of the latter: what it hears, once

	Answered bool // the caller's leg has our 200
	Early    bool // the caller's leg has early media (183)
	Met      bool // a desk has had the caller

	Shown   string // the line that the caller was last told of; "": the one that he has called
	Desk    LegID  // the taker, who has the caller; 0 none
	Partner LegID  // the second desk, in consult or three-way; 0 none
	Second  Second
	Focus   Focus
	Legs    []Leg // those alive; ended ones are dropped
	NextLeg LegID

	Hunt   *Hunt   // who rings, and for whom; nil nobody
	Matter *Matter // the hand-over, consult or conference, running or last; nil none yet

	Supervisors []Supervisor `cbor:",omitempty" json:",omitempty"` // who look after it
	Callback    *Callback    `cbor:",omitempty"`                   // of one that the switch makes to a citizen

	Recording RecordingState

	Way []Stop `cbor:",omitempty" json:",omitempty"` // the desks of each line that have had the citizen, in turn

	Category string // pressed before there was a matter
	Urgent   bool   // an urgent stub has gone out
	Visited  []string

	Refers []Refer // REFERs whose senders are to be told more

	JoinedAt time.Time // when the three-way call began; zero: there is none

	SettleUntil time.Time // until then a partner that hangs up has not taken the call over
	LeaveAt     time.Time // in Leaving: when the call ends at the latest
	EndsAt      time.Time // the longest call; zero no limit

	Ears     []Ear // what each leg was last told to hear
	NextPlay uint32
}

// Leg is one party as the call sees it.
type Leg struct {
	ID      LegID
	Hotline string  // whose desk; "" for the caller
	Seat    string  // the user; "" for a desk behind a trunk
	Up      bool    // answered
	Held    bool    // it has put us on hold
	Early   bool    // not answered yet, and heard all the same
	Silent  bool    // there is no sign of it: no sound, no report
	Vigil   Vigil   // while it is silent
	Notice  string  // a clip it is to hear once, now
	Noticed uint32  // counts notices, so that the same one can be heard twice
	Channel Channel // of the recording; zero: it is not recorded

	Referred  bool      // has handed on by REFER: it knows how to hang up by itself
	LeavesTil time.Time // its transfer has just failed: a BYE until then is meant for the transfer, not for the caller
}

// Refer is a REFER of a desk, and what it was told last.
type Refer struct {
	Leg  LegID
	ID   uint32
	Code int
}

// Agent is who sits there, as tickets name it: the seat's user, or the
// hotline for a desk behind a trunk.
func (l Leg) Agent() string {
	if l.Seat != "" {
		return l.Seat
	}
	return l.Hotline
}

// Result is how ringing a desk came out, in the words of the ticket field.
type Result string

// The results. Of several desks that did not answer the highest in this order
// is told: no_answer before busy before failed.
const (
	ResultAnswered  Result = "answered"
	ResultNoAnswer  Result = "no_answer"
	ResultBusy      Result = "busy"
	ResultFailed    Result = "failed"
	ResultAbandoned Result = "abandoned"
)

// HuntKind is what is sought, and for whom.
type HuntKind string

// The kinds of a search: for a caller who has nobody,
const (
	SeeksDesk     HuntKind = "desk"     // a desk of a line
	SeeksOverflow HuntKind = "overflow" // a number behind a trunk, by the line's overflow rule
)

// for a citizen whose call was missed,
const SeeksTaker HuntKind = "taker" // the desk that calls him back, before he is rung himself

// and for the matter.
const (
	SeeksPartner HuntKind = "partner" // a desk of the line that the matter is with
	SeeksOutside HuntKind = "outside" // the number outside that the desk hands over to
	SeeksJoin    HuntKind = "join"    // a desk that comes from another call
)

// Hunt is the search for a desk of one hotline.
type Hunt struct {
	Kind    HuntKind
	Hotline string
	Only    string   // the one seat that is wanted; "" any
	First   string   `cbor:",omitempty" json:",omitempty"` // is rung before the line, ready or not; "": none is
	Tried   []string // seats that had their turn
	Result  Result   // best so far, see Result
	Code    int      // the last SIP code that refused
	Since   time.Time
	SeatAt  time.Time // when those who ring now have rung long enough; zero: nobody rings
	LineAt  time.Time // when the whole line has rung long enough (Partner)
	RetryAt time.Time // when to look for free seats again; zero: not waiting
	Denied  bool      `cbor:",omitempty"` // another switch had what was free when it sought last
	EarlyAt time.Time // until then the caller hears our announcement, and no early sound; zero: it is over
	Queued  bool      // no seat was free, or none has answered: the caller hears the queue
	Rounds  int       // how often the caller has been waiting
}

// ForMatter says that the search is for the matter.
func (h *Hunt) ForMatter() bool {
	return h != nil && (h.Kind == SeeksPartner || h.Kind == SeeksOutside || h.Kind == SeeksJoin)
}

// outside says that it rings one number behind a trunk that is no line's.
func (h *Hunt) outside() bool { return h.Kind == SeeksOverflow || h.Kind == SeeksOutside }

// Matter is one act of a desk that concerns another line: it has one stub.
type Matter struct {
	Stub     string
	Mode     string // ticket.Direct or ticket.ThreeWay
	From, To string // hotlines
	// the number outside that the desk hands over to; To is its own line then, and no ticket tells of it
	Outside   string
	FromAgent string
	ToAgent   string
	KeyAt     time.Time
	Answered  time.Time // zero: not yet
	Told      bool      // the outcome entry (answered, failed, abandoned) has gone out
	Decided   bool      // nothing has to be decided any more
	Owner     string    // the line that takes it, by Basis; "": not decided
	Basis     ticket.Basis
	Category  string
	By        string // who refers (RFC 3892); "" when it did not come by REFER
}

// inside says that a desk hands on to a colleague of its own line: no ticket
// tells of it.
func (t Matter) inside() bool { return t.From == t.To }

// Leg finds a live leg.
func (c *Call) Leg(id LegID) (*Leg, bool) {
	for i := range c.Legs {
		if c.Legs[i].ID == id {
			return &c.Legs[i], true
		}
	}
	return nil, false
}

// Over says that the call has ended; only its legs' farewells may be left.
func (c *Call) Over() bool { return c.Phase == Ended }

// Deadline is the time of the next [Ticked] that matters.
func (c *Call) Deadline() (at time.Time, ok bool) {
	var room [16]time.Time
	due := append(room[:0], c.SettleUntil, c.LeaveAt, c.EndsAt, c.Second.MixAt, c.Focus.Until)
	if c.Callback != nil {
		due = append(due, c.Callback.Until)
	}
	if c.Hunt != nil {
		due = append(due, c.Hunt.SeatAt, c.Hunt.LineAt, c.Hunt.RetryAt, c.Hunt.EarlyAt)
	}
	for _, l := range c.Legs {
		due = append(due, l.Vigil.due())
	}
	for _, s := range c.Supervisors {
		due = append(due, s.GoAt, s.ThenAt, s.Vigil.due())
	}
	for _, t := range due {
		if !t.IsZero() && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok && !c.Over()
}

// clone is a copy that a step may change. Ears and Visited it does not change, but replaces.
func (c Call) clone() Call {
	c.Legs = append([]Leg(nil), c.Legs...)
	c.Refers = append([]Refer(nil), c.Refers...)
	c.Supervisors = append([]Supervisor(nil), c.Supervisors...)
	if c.Hunt != nil {
		h := *c.Hunt
		h.Tried = append([]string(nil), h.Tried...)
		c.Hunt = &h
	}
	if c.Matter != nil {
		m := *c.Matter
		c.Matter = &m
	}
	if c.Callback != nil {
		b := *c.Callback
		c.Callback = &b
	}
	return c
}
