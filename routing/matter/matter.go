// Package matter is the life of a matter after the call: pushed to a ticket system with its first entry, received,
// signed, accepted, assigned to a unit, answered, closed, visited, archived; on the way perhaps returned or reopened.
//
// A [Matter] is a plain value. [Note] takes in what the switch itself has written of it, [Step] what a ticket system
// sends back; a step that the life does not know is refused and changes nothing. [Matter.Fields] prints the current
// state as a flat hash that ticket systems read, [Parse] reads it back. The package does no I/O: time is in the
// entries.
package matter

import (
	"slices"
	"time"
)

// State is where a matter stands. Supervised and extended are no states: a matter stays where it is meanwhile.
type State string

// The states, in the order in which a matter usually comes through them.
const (
	Pushed   State = "PUSHED"   // the ticket system has been sent it
	Received State = "RECEIVED" // and has it
	Signed   State = "SIGNED"   // somebody there has taken note
	Accepted State = "ACCEPTED" // it is theirs
	Assigned State = "ASSIGNED" // a unit has it
	Feedback State = "FEEDBACK" // the unit has answered once
	Closed   State = "CLOSED"
	Visited  State = "VISITED" // the citizen was asked whether it is so
	Archived State = "ARCHIVED"
	Returned State = "RETURNED" // not theirs: to be assigned anew
	Reopened State = "REOPENED" // not settled after all: to be assigned anew
)

// Matter is what is known of a matter. Empty strings and zero times are not known. It holds no caller's number.
type Matter struct {
	StubID string
	State  State
	At     time.Time // of the newest entry or update that was taken in

	From, To, Owner string // hotline ids; Owner takes the matter: To, or what a three-way call decided
	Mode, CallRef   string
	Urgency         string

	CategoryCode, Category      string
	Place, Title                string
	PeerTicketNo                string // the ticket system's own number
	UnitCode, UnitName, Handler string
	Text, ReasonCode            string // of the newest update that had one
	Satisfaction                string

	OpenedAt, ReceivedAt, SignedAt, AcceptedAt, AssignedAt time.Time
	FirstFeedbackAt, ClosedAt, VisitedAt, ArchivedAt       time.Time

	// When the next step is due, by the [Policy] at the time when its clock began. Zero: no limit.
	ReceiveDue, SignDue, FirstFeedbackDue, CloseDue time.Time

	Assignments int    // how often a unit was given it
	Supervised  int    // how often somebody above has asked after it
	Returns     int    // how often it was refused
	Extension   string // "", "requested", "granted", "denied"
}

// Open says that somebody still has to do something.
func (m Matter) Open() bool { return !slices.Contains([]State{Closed, Visited, Archived}, m.State) }
