// Package indicator counts what the linkage is measured by: how often a line hands over and how often that succeeds,
// how long it takes, what comes back, what is answered and closed in time. [OfEntry], [OfUpdate] and [OfCall] say what
// one event adds; [Of] makes the indicators of the sums. The package does no I/O: package ledger keeps the sums in
// Redis.
package indicator

import (
	"strconv"
	"time"

	"liandong/routing/category"
	"liandong/routing/matter"
	"liandong/routing/news"
	"liandong/routing/ticket"
)

// Count is what one event adds to the sums of a line. It is added once, however often the event is read: ID says which.
type Count struct {
	ID   string
	Line string // hotline id
	At   time.Time
	Adds map[string]int64 // by name of the sum
}

// The sums of a line. Those of calls come from call events, which are best effort; all others from ticket entries and
// updates, of which none is lost.
const (
	Calls         = "calls"          // that came to the line
	CallsAnswered = "calls_answered" // by a desk
	CallsIn15s    = "calls_in_15s"   // of these within 15 s
	Due           = "due"            // calls due for diversion: handed over, or of a category that is another line's

	AskedDirect   = "asked_direct"    // one-key transfers and consultations
	AskedThreeWay = "asked_three_way" // three-way calls asked for
	TicketOnly    = "ticket_only"     // matters that go over as a ticket alone
	Answered      = "answered"        // by the other line
	Abandoned     = "abandoned"       // the caller hung up before that
	Unreached     = "unreached"       // busy, no answer, failed
	TakenBack     = "taken_back"
	Lost          = ticket.SwitchLost  // the switch ended with the call
	KeyToAnswer   = "key_to_answer_ms" // sum over Answered; "key_to_answer_le_5" counts those within 5 s
	OtherMode     = "other_mode"       // went over in a way that its category does not want

	ThreeWays     = "three_way"       // three-way calls that stood
	ThreeWayEnded = "three_way_ended" // whose length is known
	ThreeWayMS    = "three_way_ms"    // sum over ThreeWayEnded
	Agreed        = "agreed"          // decided by the desks
	FirstReceiver = "first_receiver"  // decided by the rule
	Emergency     = "emergency"       // danger
	Kept          = "kept"            // the line that asked takes the matter itself

	Returned       = "returned" // matters that came back, once each
	Feedback       = "feedback" // first answers
	FeedbackInTime = "feedback_in_time"
	Closed         = "closed"
	ClosedInTime   = "closed_in_time"
	Overdue        = "overdue"  // time limits that passed
	Hotspots       = "hotspots" // repeated places and persons told of
)

// buckets are the upper bounds, in s, by which the times from key to answer are counted. What took longer is in none.
var buckets = []int{1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60}

func bucketName(s int) string { return "key_to_answer_le_" + strconv.Itoa(s) }

// soon is how fast a call is to be answered.
const soon = 15 * time.Second

// OfEntry is what a ticket entry adds; before is the matter without it, stream the line whose stream the entry is in.
func OfEntry(before matter.Matter, e ticket.Entry, stream string, kinds category.List) []Count {
	c := Count{ID: e.EventID + " " + stream, Line: e.From, At: e.At, Adds: map[string]int64{}}
	list := []Count{}
	switch e.Event {
	case ticket.Opened:
		c.Adds[map[string]string{ticket.Direct: AskedDirect, ticket.ThreeWay: AskedThreeWay,
			ticket.TicketOnly: TicketOnly}[e.Mode]] = 1
		list = append(list, due(e.CallRef, e.From, e.At))
	case ticket.Answered:
		c.answered(e)
	case ticket.Abandoned:
		c.Adds[Abandoned] = 1
	case ticket.Failed:
		switch e.Reason {
		case "taken_back":
			c.Adds[TakenBack] = 1
		case ticket.SwitchLost: // the other line may have answered before
			c.Adds[Lost] = 1
		default:
			c.Adds[Unreached] = 1
		}
	case ticket.Decided:
		c.decided(e)
	case ticket.Overdue:
		c.Line, c.Adds[Overdue] = stream, 1
	case ticket.Hotspot:
		c.Line, c.Adds[Hotspots] = stream, 1
	}
	if kind, ok := kinds.ByCode(e.CategoryCode); ok && !matter.IsAlarm(e.Event) &&
		before.CategoryCode != e.CategoryCode && !kind.Allows(e.Mode) {
		c.Adds[OtherMode] = 1
	}
	if delete(c.Adds, ""); len(c.Adds) > 0 {
		list = append(list, c)
	}
	return list
}

func (c Count) answered(e ticket.Entry) {
	c.Adds[Answered] = 1
	if e.Mode == ticket.ThreeWay {
		c.Adds[ThreeWays] = 1
	}
	took := e.AnsweredAt.Sub(e.KeyAt)
	if e.KeyAt.IsZero() || took < 0 {
		return
	}
	c.Adds[KeyToAnswer] = took.Milliseconds()
	for _, s := range buckets {
		if took <= time.Duration(s)*time.Second {
			c.Adds[bucketName(s)] = 1
		}
	}
}

// decided counts a decision once, whatever the desks make of it later.
func (c Count) decided(e ticket.Entry) {
	if e.Reason == "corrected" {
		c.Adds[Kept] = map[bool]int64{true: 1, false: -1}[e.DecidedOwner == e.From]
		return
	}
	c.Adds[map[ticket.Basis]string{ticket.Agreed: Agreed, ticket.FirstReceiver: FirstReceiver,
		ticket.Emergency: Emergency}[e.DecisionBasis]] = 1
	if e.DecidedOwner == e.From {
		c.Adds[Kept] = 1
	}
}

// due counts a call once, whatever shows that it belongs to another line.
func due(call, line string, at time.Time) Count {
	return Count{ID: "due " + call + " " + line, Line: line, At: at, Adds: map[string]int64{Due: 1}}
}

// OfUpdate is what an update of a ticket system adds; before and after are the matter without and with it.
func OfUpdate(before, after matter.Matter, u matter.Update) []Count {
	c := Count{ID: u.StubID + " " + u.EventID, Line: after.Owner, At: u.At, Adds: map[string]int64{}}
	switch {
	case u.Event == matter.EventFirstFeedback && before.FirstFeedbackAt.IsZero():
		c.timed(Feedback, FeedbackInTime, u.At, before.FirstFeedbackDue)
	case u.Event == matter.EventClosed:
		c.timed(Closed, ClosedInTime, u.At, before.CloseDue)
	case u.Event == matter.EventReturned && before.Returns == 0:
		c.Line, c.Adds[Returned] = after.From, 1
	default:
		return nil
	}
	return []Count{c}
}

// timed: with no limit everything is in time.
func (c Count) timed(all, inTime string, at, due time.Time) {
	c.Adds[all] = 1
	if due.IsZero() || !at.After(due) {
		c.Adds[inTime] = 1
	}
}

// OfCall is what a call event adds. Of events that come again for a call, such as a second desk's answer, the first
// counts.
func OfCall(fields news.Fields, kinds category.List) []Count {
	switch fields.Get("event") {
	case "arrived", "answered", "three_way_ended", "key":
	default: // most events; those cost no more than this
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, fields.Get("at"))
	ref, line := fields.Get("call_ref"), fields.Get("hotline")
	if err != nil || ref == "" || line == "" {
		return nil
	}
	c := Count{ID: fields.Get("event") + " " + ref, Line: line, At: at, Adds: map[string]int64{}}
	switch fields.Get("event") {
	case "arrived":
		c.Adds[Calls] = 1
	case "answered":
		c.Adds[CallsAnswered] = 1
		if since, err := time.Parse(time.RFC3339Nano, fields.Get("call_at")); err == nil && at.Sub(since) <= soon {
			c.Adds[CallsIn15s] = 1
		}
	case "three_way_ended":
		ms, err := strconv.ParseInt(fields.Get("detail"), 10, 64)
		if err != nil || ms < 0 {
			return nil
		}
		c.ID += " " + fields.Get("at")
		c.Adds[ThreeWayEnded], c.Adds[ThreeWayMS] = 1, ms
	case "key":
		return pressed(fields.Get("detail"), ref, line, at, kinds)
	default:
		return nil
	}
	return []Count{c}
}

// pressed: a category that is another line's makes the call one that is due for diversion.
func pressed(verb, ref, line string, at time.Time, kinds category.List) []Count {
	const category = "category "
	if len(verb) <= len(category) || verb[:len(category)] != category {
		return nil
	}
	if kind, _ := kinds.ByCode(verb[len(category):]); kind.Owner == "" || kind.Owner == line {
		return nil
	}
	return []Count{due(ref, line, at)}
}
