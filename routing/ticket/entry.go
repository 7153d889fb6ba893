// Package ticket is what a hotline's ticket system gets to know of a call that was handed over or joined: the ticket
// stub, one flat stream entry per thing that happened to a matter. All entries of one matter carry the same stub id;
// each entry has an id of its own by which consumers tell a repeated delivery from a new one.
//
// An [Entry] is a plain value. [Entry.Fields] prints it as the flat strings of schema 1, [Parse] reads them back. The
// package does no I/O: time and entropy are arguments.
package ticket

import (
	"cmp"
	"log/slog"
	"time"
)

// Schema is the version of the fields, in the field "schema" of every entry. Fields may be added within a version;
// readers ignore those that they do not know. A field that is renamed, dropped or read differently raises it.
const Schema = "1"

// Prefix and a hotline's id make the name of the stream with the entries addressed to it.
const Prefix = "liandong:tickets:"

// Event is what happened to the matter. The set is open: readers pass over events that they do not know.
type Event string

// The events that the switch itself writes.
const (
	Opened     Event = "opened"     // a desk asked for the other line: the matter begins
	Answered   Event = "answered"   // the other line took the call
	Failed     Event = "failed"     // busy, no answer, unreachable, taken back: the matter goes on as a ticket
	Abandoned  Event = "abandoned"  // the caller hung up before the other line answered
	Decided    Event = "decided"    // which line takes the matter of a three-way call
	Urgent     Event = "urgent"     // danger: the emergency line is told, whoever's matter it is
	Enriched   Event = "enriched"   // more is known: category, place, title, content
	Reminded   Event = "reminded"   // a time limit will soon have passed
	Overdue    Event = "overdue"    // it has passed
	Supervised Event = "supervised" // it passed long ago: somebody above should know
	Recheck    Event = "recheck"    // assigned twice or more, and still open: told every day
	Hotspot    Event = "hotspot"    // many reports about one place or from one person
	Closed     Event = "closed"

	// Of citizens whom nobody served: they gave up waiting, were turned away or lost.
	Missed      Event = "missed"       // the first time within an hour
	MissedAgain Event = "missed_again" // once more within it
	CalledBack  Event = "called_back"  // a desk has called the citizen; result says with what success
	Reached     Event = "reached"      // the citizen has called again, and was answered
)

// How the matter goes over to the other line.
const (
	Direct     = "direct"
	ThreeWay   = "three_way"
	TicketOnly = "ticket_only"
)

// SwitchLost is the reason of entries by which a matter is closed whose call the switch has lost with its own end.
const SwitchLost = "switch_lost"

// DeskLost is the reason of a missed call whose desk had answered and was lost, and no other came; Overload of one that
// the switch had no room for.
const (
	DeskLost = "desk_lost"
	Overload = "overload"
)

// Basis is why a line takes the matter.
type Basis string

// The bases of a decision.
const (
	Agreed        Basis = "agreed"         // the desks said so with a key
	FirstReceiver Basis = "first_receiver" // no word: the line that was called first takes it (国办发〔2022〕12号)
	Emergency     Basis = "emergency"      // danger goes first
)

// Urgency is how soon somebody must act.
type Urgency string

// The urgencies.
const (
	Normal   Urgency = "normal"
	Pressing Urgency = "urgent"
	Critical Urgency = "critical"
)

// Confidentiality says whether the caller's identity is to be kept from the units that handle the matter.
type Confidentiality string

// The confidentialities; empty is not known.
const (
	Open         Confidentiality = "0"
	Confidential Confidentiality = "1"
)

// Entry is one entry of a matter. Empty strings and zero times are not known. It holds the caller's number, so it
// prints and logs itself without: see [Entry.String] and [Entry.LogValue].
type Entry struct {
	EventID string // ULID, unique per entry
	StubID  string // ULID, the same for all entries of a matter
	Event   Event
	At      time.Time

	From, To string // hotline ids, printed as direction "110_to_12345"
	Address  string // hotline whose stream the entry goes to; empty: To. Not a field of the entry
	Mode     string // Direct, ThreeWay, TicketOnly
	CallRef  string // the call's UUID

	CallerE164, CallerRaw      string // "+8613812345678" and what came on the wire
	CallerStatus, CallerSource string // "ok" "restricted" "unavailable" "invalid"; "pai" "rpid" "from"
	Dialed                     string // the number that the caller dialled
	FromAgent                  string // the desk that pressed the key
	CallAt, KeyAt              time.Time

	Result     string // "answered" "busy" "no_answer" "abandoned" "failed"
	Reason     string // more of a failure: "taken_back", a SIP cause
	AnsweredAt time.Time
	ToAgent    string // the desk that answered

	DecidedOwner  string // hotline id
	DecisionBasis Basis

	CategoryCode, Category string
	Urgency                Urgency
	Confidential           Confidentiality

	Place, RegionCode, Title, Content string
	RecordingRef                      string // an opaque id, never a path
	FirstFeedbackDue, CloseDue        time.Time

	Waited                  string // of a missed call: s from its coming to its end
	MissedCount             string // how often the citizen was missed in that hour
	MissedFirst, MissedLast time.Time

	Hotspot, HotspotWindow, HotspotCount string // "place" or "person"; "7d"; so many reports within it
}

// StreamOf is the name of the stream for entries that are addressed to a hotline.
func StreamOf(hotline string) string { return Prefix + hotline }

// Stream is the name of the stream that the entry goes to.
func (e Entry) Stream() string {
	return StreamOf(cmp.Or(e.Address, e.To))
}

// String names the entry without saying who called, for error texts and fmt's %v and %+v.
func (e Entry) String() string {
	return string(e.Event) + " " + e.EventID + " of stub " + e.StubID + " " + e.direction()
}

// GoString keeps %#v from printing the caller's number.
func (e Entry) GoString() string { return "ticket.Entry{" + e.String() + "}" }

// LogValue names the entry without saying who called.
func (e Entry) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("stub", e.StubID),
		slog.String("event_id", e.EventID),
		slog.String("event", string(e.Event)),
		slog.String("direction", e.direction()),
	)
}
