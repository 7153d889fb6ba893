package call

import (
	"time"

	"liandong/routing/number"
	"liandong/routing/verb"
)

// Event is a fact that the call is told of.
type Event interface{ event() }

// Arrived opens a call: the caller's INVITE for a hotline.
type Arrived struct {
	Ref     string
	Peer    PeerCall
	Caller  number.Number
	Dialed  string
	Hotline string
	Record  string   // a fresh id, used if the call is recorded
	Test    bool     // the switch calls itself: it answers, and nobody is rung
	Says    []string // with Test: a phone has asked for something, and hears these clips for an answer
}

// SeatsFound answers [FindSeats], or comes by itself when a seat became free
// for a waiting call. The seats named are claimed for this call: each is rung
// or released.
type SeatsFound struct {
	Hotline string
	Seats   []string
	Online  int  // seats of the hotline that are registered, free or not, of those looked at: 0 is none at all
	Full    bool // no place in the queue
	Denied  bool // another switch has those that were free: they are to be sought again
}

// LegRinging tells that a desk's phone rings.
type LegRinging struct{ Leg LegID }

// LegEarly tells that a desk that is rung has a sound of its own before it has
// answered: an announcement or a ringing tone of whoever leads to it.
type LegEarly struct{ Leg LegID }

// LegAnswered tells that a desk picked up.
type LegAnswered struct{ Leg LegID }

// LegFailed tells that a desk was not reached: its final SIP code, 408 for
// silence, 503 when it could not be sent to.
type LegFailed struct {
	Leg  LegID
	Code int
}

// LegEnded tells that a party is gone. Lost marks that it did not mean to:
// a dead transport, an expired session timer, no ACK.
type LegEnded struct {
	Leg  LegID
	Lost bool
}

// LegHeld tells that a party put us on hold or took us back.
type LegHeld struct {
	Leg  LegID
	Held bool
}

// LegSilent tells that there has been no sign of a party for a moment, neither sound nor
// a report of it, or that there is one again.
type LegSilent struct {
	Leg    LegID
	Silent bool
}

// LegAlive tells that a party whom [ProbeLeg] has asked is there, or has said something
// else by signalling.
type LegAlive struct{ Leg LegID }

// LegUnanswered tells that there is no answer of a party whom [ProbeLeg] has asked.
type LegUnanswered struct{ Leg LegID }

// KeyPressed is a verb from a party.
type KeyPressed struct {
	Leg   LegID
	Verb  verb.Verb
	Stub  string // a fresh id, used if the verb opens a matter
	To    Target // with whom; zero: the partner line
	Refer uint32 // the REFER that it came by, which is to be told by [Report]; 0: it came by another way
	By    string // who refers, in the words of the REFER
}

// DeskCalled tells that the phone of a desk in this call has dialled a verb, or
// somebody, on a second line.
type DeskCalled struct {
	Desk LegID
	Leg  LegID // the new dialog, in nobody else's use: above [SecondLeg]
	Verb verb.Verb
	Stub string
	To   Target
}

// BroughtIn tells that the phone wants whom it talks with in dialog Leg to go on in
// the conference, its dialog Focus.
type BroughtIn struct {
	Leg, Focus LegID
	On         LegID // the dialog of the REFER
	Refer      uint32
}

// DropAsked tells that a phone asks for a party to be put out of the call; 0: of
// nobody that is in it.
type DropAsked struct {
	Leg   LegID
	Party LegID
	Refer uint32
}

// JoinAsked tells that a desk's phone in this call joins it to another call of its
// own: by a hand-over or as a conference. [AskJoin] answers it.
type JoinAsked struct {
	Leg   LegID
	Verb  verb.Verb
	Refer uint32 // as in [KeyPressed]; 0: the other call has been asked, and tells of it
	By    string
}

// JoinFound tells whom the other call has lent, as Leg of this one, or that it has
// given up a line that rang there.
type JoinFound struct {
	Leg           LegID
	Hotline, Seat string
	Rings         bool
	Stub          string // a fresh id
}

// JoinOffered tells that a desk's phone that has begun this call asks for its party
// to be joined to another one. [OfferJoin] answers it.
type JoinOffered struct {
	Leg   LegID
	Refer uint32
}

// JoinFailed tells that the other call has not taken the party: it is here still.
type JoinFailed struct{ Code int }

// LegTaken tells that the party has gone to another call; 0: nobody was here yet,
// and the other call rings in place of this one.
type LegTaken struct{ Leg LegID }

// PickedUp tells that a desk's phone wants the call of a colleague whose phone
// rings.
type PickedUp struct {
	Leg  LegID // the new dialog
	Of   LegID // the leg that rings
	Seat string
}

// TakenOver tells that a desk goes on with its call on another phone.
type TakenOver struct {
	Leg LegID // the new dialog
	Of  LegID // the leg that it takes the place of
}

// ColleagueJoined tells that a desk's phone wants to be the third in the conversation
// of a colleague.
type ColleagueJoined struct {
	Leg  LegID // the new dialog
	Of   LegID // the colleague's leg
	Seat string
}

// Target is whom a verb that opens a matter is to reach.
type Target struct {
	Hotline string
	Seat    string // this one of its seats; "": any
	First   string // this one first, ready or not; "": none

	Trunk, Number string // a number outside that Hotline, the desk's own line, permits; "": none
}

// RecordAsked tells that a phone's record key asks for a recording, or for its
// end.
type RecordAsked struct {
	Leg LegID
	On  bool
}

// DigitsPressed are digits that belong to no key code.
type DigitsPressed struct {
	Leg    LegID
	Digits string
}

// KeyCutShort tells that a party has begun a key code and not ended it in time. Its digits
// come as [DigitsPressed].
type KeyCutShort struct{ Leg LegID }

// PlayDone tells that a playlist that does not loop has ended.
type PlayDone struct {
	Leg LegID
	ID  uint32
}

// Ticked tells that time has passed, at the latest at [Call.Deadline].
type Ticked struct{}

// Broken tells that the switch cannot go on with this call: everybody is
// released and a running matter becomes a failed one.
type Broken struct{ Why string }

// SwitchStops tells that the switch goes down: who rings or waits is turned away for a while, who talks is told, and
// has so long to say goodbye; 0: everybody is released at once.
type SwitchStops struct{ Grace time.Duration }

func (Arrived) event()         {}
func (SeatsFound) event()      {}
func (LegRinging) event()      {}
func (LegEarly) event()        {}
func (LegAnswered) event()     {}
func (LegFailed) event()       {}
func (LegEnded) event()        {}
func (LegHeld) event()         {}
func (LegSilent) event()       {}
func (LegAlive) event()        {}
func (LegUnanswered) event()   {}
func (KeyPressed) event()      {}
func (DeskCalled) event()      {}
func (BroughtIn) event()       {}
func (DropAsked) event()       {}
func (JoinAsked) event()       {}
func (JoinFound) event()       {}
func (JoinOffered) event()     {}
func (JoinFailed) event()      {}
func (LegTaken) event()        {}
func (PickedUp) event()        {}
func (TakenOver) event()       {}
func (ColleagueJoined) event() {}
func (RecordAsked) event()     {}
func (DigitsPressed) event()   {}
func (KeyCutShort) event()     {}
func (PlayDone) event()        {}
func (Ticked) event()          {}
func (Broken) event()          {}
func (SwitchStops) event()     {}
