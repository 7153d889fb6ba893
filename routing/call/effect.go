package call

import "liandong/routing/ticket"

// Effect is an order to the exchange. Effects are carried out in order.
type Effect interface{ effect() }

// RingCaller sends the caller 180, or 183 with early media.
type RingCaller struct{ Media bool }

// AnswerCaller sends the caller 200.
type AnswerCaller struct{}

// RefuseCaller ends a call that was never answered.
type RefuseCaller struct{ Code int }

// Ring, Answer and Refuse are for the second dialog of a desk's phone. Media is for early
// media, as for the caller.
type Ring struct {
	Leg   LegID
	Media bool
}

// Answer accepts it.
type Answer struct{ Leg LegID }

// Refuse ends it before it was answered.
type Refuse struct {
	Leg  LegID
	Code int
}

// FindSeats asks for free seats, claimed for this call, answered by
// [SeatsFound]. Max 0 is all. With Queue the call waits in line when there is
// none, and SeatsFound comes again when one is free.
type FindSeats struct {
	Hotline string
	Tried   []string
	Max     int
	Queue   bool
	Only    string // this seat and no other
	First   string // this seat and no other, ready or not
}

// LeaveQueue takes the call out of the line of a hotline.
type LeaveQueue struct{ Hotline string }

// ReleaseSeats gives claimed seats back that will not be rung.
type ReleaseSeats struct{ Seats []string }

// RingSeat invites a claimed seat. The exchange releases the seat when the
// leg is gone.
type RingSeat struct {
	Leg           LegID
	Hotline, Seat string
	For           Cause
}

// Cause is what a desk is rung for. Zero for a first call.
type Cause struct {
	Stub string // of the matter
	From string // the hotline that hands over
	To   string // the hotline that it hands to
	By   string // who refers (RFC 3892), "" when nobody has by REFER
}

// RingTrunk invites a number behind a trunk: a line's, or with no Hotline one outside
// that a desk hands over to.
type RingTrunk struct {
	Leg                    LegID
	Hotline, Trunk, Number string
	For                    Cause
	Shown                  string // the number that is shown there; "": the caller's
}

// Succeed lets a desk go on in another dialog of its phone: what belongs to its seat
// goes with it.
type Succeed struct{ Leg, By LegID }

// AskJoin asks the other call for its party, which is to be Leg here, answered by
// [JoinFound] or [LegFailed]; 0: it is not to be asked.
type AskJoin struct{ Leg LegID }

// TakeLeg offers a lent party its session in this call, and tells it who is there.
// [LegAnswered] or [LegFailed] follows. Until then it belongs to the other call, and
// EndLeg gives it back.
type TakeLeg struct {
	Leg     LegID
	Hotline string
	For     Cause
}

// OfferJoin asks the other call to take this one's party, answered by [LegTaken] or
// [JoinFailed]; not OK: it is not to be asked.
type OfferJoin struct{ OK bool }

// EndLeg releases a leg, whatever its state.
type EndLeg struct {
	Leg   LegID
	Why   Farewell
	Grace bool // it has asked to leave by REFER and may say BYE itself
}

// Farewell is why a leg is released; it becomes the Reason header (RFC 3326).
type Farewell string

// The farewells.
const (
	Normal    Farewell = "normal"              // the call is over, or this party's part in it
	Elsewhere Farewell = "completed_elsewhere" // another desk answered first
	NoAnswer  Farewell = "no_answer"
	Withdrawn Farewell = "withdrawn" // the taker took the call back, or the caller hung up
	Failure   Farewell = "failure"
)

// Report answers a REFER and tells how the call that it has asked for is doing,
// as leg.Report.
type Report struct {
	Leg   LegID
	Refer uint32
	Code  int
}

// ProbeLeg asks a party whether it is still there: [LegAlive] follows, or [LegUnanswered].
type ProbeLeg struct{ Leg LegID }

// Hear tells the whole of what a leg hears from now on.
type Hear struct{ Ear }

// ConnectedLine tells the caller which line has the call now: connected identity (RFC 4916).
type ConnectedLine struct{ Hotline string }

// SendDigits passes key presses on to a party.
type SendDigits struct {
	Leg    LegID
	Digits string
}

// StartRecording begins the recording of the call. There is one at most.
type StartRecording struct{ Ref string }

// PauseRecording keeps silence in it; ResumeRecording ends that.
type (
	PauseRecording  struct{}
	ResumeRecording struct{}
)

// StopRecording ends it for good.
type StopRecording struct{}

// RecordLeg gives what a party says to a channel of the recording, from now on
// to the end of the leg; with no channel to none any more.
type RecordLeg struct {
	Leg     LegID
	Channel Channel
}

// Write puts an entry into the outbox. EventID and At are filled in there.
type Write struct{ Entry ticket.Entry }

// Tell publishes a call event for screen pop and wallboards. Best effort.
type Tell struct {
	What  string
	Leg   LegID
	Note  string
	Agent string // who, when no leg of the call says so
	Line  string // whose affair it is alone; "": of all lines that have to do with the call
}

// Ignored says that the event changed nothing, and why.
type Ignored struct{ Why string }

// Astray says that the state is one that no call can be in: a bug of this package, to be
// counted and told. The call goes on as it is.
type Astray struct{ Err error }

// Finish says that the call is over; nothing follows.
type Finish struct{}

func (RingCaller) effect()      {}
func (AnswerCaller) effect()    {}
func (RefuseCaller) effect()    {}
func (Ring) effect()            {}
func (Answer) effect()          {}
func (Refuse) effect()          {}
func (FindSeats) effect()       {}
func (LeaveQueue) effect()      {}
func (ReleaseSeats) effect()    {}
func (RingSeat) effect()        {}
func (RingTrunk) effect()       {}
func (Succeed) effect()         {}
func (AskJoin) effect()         {}
func (TakeLeg) effect()         {}
func (OfferJoin) effect()       {}
func (EndLeg) effect()          {}
func (Report) effect()          {}
func (ProbeLeg) effect()        {}
func (Hear) effect()            {}
func (ConnectedLine) effect()   {}
func (SendDigits) effect()      {}
func (Write) effect()           {}
func (Tell) effect()            {}
func (Ignored) effect()         {}
func (Astray) effect()          {}
func (Finish) effect()          {}
func (StartRecording) effect()  {}
func (PauseRecording) effect()  {}
func (ResumeRecording) effect() {}
func (StopRecording) effect()   {}
func (RecordLeg) effect()       {}
