package ticket

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/oklog/ulid/v2"
)

// The shapes of fields.
var (
	hotlineID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,32}$`)
	word      = regexp.MustCompile(`^[a-z][a-z_]{0,31}$`)
	uuid      = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	e164      = regexp.MustCompile(`^\+?[0-9]{2,20}$`) // short codes have no +
)

var (
	modes       = []string{Direct, ThreeWay, TicketOnly}
	bases       = []Basis{"", Agreed, FirstReceiver, Emergency}
	urgencies   = []Urgency{"", Normal, Pressing, Critical}
	secrecies   = []Confidentiality{"", Open, Confidential}
	results     = []string{"", "answered", "busy", "no_answer", "abandoned", "failed"}
	statuses    = []string{"ok", "restricted", "unavailable", "invalid"}
	deliverable = []string{"event_id", "stub_id", "direction"}
)

// Invalid says what is wrong with one field. It never quotes the value: it may be a caller's number.
type Invalid struct{ Field, Want string }

func (i Invalid) Error() string { return "ticket: " + i.Field + ": " + i.Want }

// Validate reports everything that is wrong with the entry as a ticket system would see it, joined, each an
// [Invalid]. See [Entry.Deliverable] for the part without which it cannot even be sent.
func (e Entry) Validate() error {
	var c checks
	c.identity(e)
	c.add(!e.At.IsZero(), "at", "must be set")
	c.add(slices.Contains(modes, e.Mode), "mode", oneOf(modes))
	c.add(uuid.MatchString(e.CallRef), "call_ref", "must be the call's UUID")
	if !e.afterwards() {
		c.caller(e)
		c.add(e.Dialed != "", "dialed", "must be set")
		c.add(!e.CallAt.IsZero(), "call_at", "must be set")
		c.add(e.FromAgent != "" || OfMissed(e.Event), "from_agent", "must be set")
		c.add(!e.KeyAt.IsZero() || OfMissed(e.Event), "key_at", "must be set")
	}
	c.outcome(e)
	return errors.Join(c...)
}

// afterwards says that more became known when the call was no longer at hand: who called, and when, the stub's first
// entry says.
func (e Entry) afterwards() bool {
	return e.CallerStatus == "" && slices.Contains([]Event{Enriched, Urgent}, e.Event)
}

// OfMissed says that an event is of a citizen whom nobody served: there was no desk and no key.
func OfMissed(e Event) bool {
	return slices.Contains([]Event{Missed, MissedAgain, CalledBack, Reached}, e)
}

// Deliverable reports what keeps the entry from being sent at all: without ids nobody can tell entries apart, and
// without a hotline there is no stream.
func (e Entry) Deliverable() error {
	var c checks
	c.identity(e)
	c = slices.DeleteFunc(c, func(err error) bool {
		return !slices.Contains(deliverable, err.(Invalid).Field)
	})
	return errors.Join(c...)
}

type checks []error

func (c *checks) add(ok bool, field, want string) {
	if !ok {
		*c = append(*c, Invalid{Field: field, Want: want})
	}
}

func (c *checks) identity(e Entry) {
	c.add(isULID(e.EventID), "event_id", "must be a ULID")
	c.add(isULID(e.StubID), "stub_id", "must be a ULID")
	c.add(word.MatchString(string(e.Event)), "event", "must be a word in lower case")
	c.add(isHotline(e.From) && isHotline(e.To) && (e.Address == "" || isHotline(e.Address)),
		"direction", "must name two hotlines, each 1–32 letters, digits, _ and - without "+between)
}

func (c *checks) caller(e Entry) {
	c.add(e.CallerE164 == "" || e164.MatchString(e.CallerE164), "caller_e164",
		"must be + and digits, a short code, or empty")
	c.add(slices.Contains(statuses, e.CallerStatus), "caller_status", oneOf(statuses))
	c.add(e.CallerStatus != "ok" || e.CallerE164 != "", "caller_e164", "must be set when caller_status is ok")
}

func (c *checks) outcome(e Entry) {
	c.add(slices.Contains(results, e.Result), "result", oneOf(results[1:]))
	c.add(slices.Contains(bases, e.DecisionBasis), "decision_basis", oneOf(bases[1:]))
	c.add(e.DecisionBasis == "" || e.DecidedOwner != "", "decided_owner", "must be set when decision_basis is")
	c.add(slices.Contains(urgencies, e.Urgency), "urgency", oneOf(urgencies[1:]))
	c.add(slices.Contains(secrecies, e.Confidential), "confidential", "must be 0 or 1")
}

func isULID(s string) bool {
	_, err := ulid.ParseStrict(s)
	return err == nil
}

func isHotline(s string) bool { return hotlineID.MatchString(s) && !strings.Contains(s, between) }

func oneOf[T ~string](allowed []T) string {
	return "must be one of " + strings.Trim(fmt.Sprint(allowed), "[]")
}
