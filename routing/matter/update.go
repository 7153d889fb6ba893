package matter

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"liandong/routing/ticket"
)

// Event is what a ticket system says has happened.
type Event string

// The events that a ticket system may send.
const (
	EventReceived           Event = "received"
	EventSigned             Event = "signed"
	EventAccepted           Event = "accepted"
	EventAssigned           Event = "assigned"
	EventReturned           Event = "returned"
	EventFirstFeedback      Event = "first_feedback"
	EventProgress           Event = "progress"
	EventExtensionRequested Event = "extension_requested"
	EventExtensionGranted   Event = "extension_granted"
	EventExtensionDenied    Event = "extension_denied"
	EventSupervised         Event = "supervised"
	EventClosed             Event = "closed"
	EventVisited            Event = "visited"
	EventReopened           Event = "reopened"
	EventArchived           Event = "archived"
)

// Update is one entry that a ticket system has sent back. Empty strings and zero times are not known.
type Update struct {
	EventID string // the sender's, unique per update, at most 64 bytes: a second one of a matter is passed over
	StubID  string
	Event   Event
	At      time.Time

	PeerTicketNo                string
	UnitCode, UnitName, Handler string
	Text, ReasonCode            string
	DueAt                       time.Time
	Satisfaction, Place         string
}

// latestDue is how far ahead a due date may be.
const latestDue = 10 * 366 * 24 * time.Hour

// ErrMalformed says that an update cannot be read. Its text names the field and what is allowed, never the value.
var ErrMalformed = errors.New("matter: malformed update")

// field is one field of an update.
type field struct {
	name string
	max  int // bytes; longer text is cut
	set  func(*Update, string) error
}

var updateFields = []field{
	{"event_id", 65, func(u *Update, s string) error { u.EventID = s; return nil }},
	{"stub_id", 27, func(u *Update, s string) error { u.StubID = strings.ToUpper(s); return nil }},
	{"event", 33, func(u *Update, s string) error { u.Event = Event(s); return nil }},
	{"at", 64, func(u *Update, s string) error { return setTime(&u.At, s) }},
	{"peer_ticket_no", 128, func(u *Update, s string) error { u.PeerTicketNo = s; return nil }},
	{"unit_code", 64, func(u *Update, s string) error { u.UnitCode = s; return nil }},
	{"unit_name", 256, func(u *Update, s string) error { u.UnitName = s; return nil }},
	{"handler", 128, func(u *Update, s string) error { u.Handler = s; return nil }},
	{"text", 16384, func(u *Update, s string) error { u.Text = s; return nil }},
	{"reason_code", 64, func(u *Update, s string) error { u.ReasonCode = s; return nil }},
	{"due_at", 64, func(u *Update, s string) error { return setTime(&u.DueAt, s) }},
	{"satisfaction", 32, func(u *Update, s string) error { u.Satisfaction = s; return nil }},
	{"place", 1024, func(u *Update, s string) error { u.Place = s; return nil }},
}

// UpdateFields names the fields of an update.
func UpdateFields() (names []string) {
	for _, f := range updateFields {
		names = append(names, f.name)
	}
	return names
}

// ParseUpdate reads an update from the fields of a stream entry. Fields that it does not know are passed over. Every
// error is an [ErrMalformed].
func ParseUpdate(fields map[string]string) (Update, error) {
	var u Update
	for _, f := range updateFields {
		if v := ticket.Clean(fields[f.name], f.max); v != "" {
			if err := f.set(&u, v); err != nil {
				return Update{}, fmt.Errorf("%w: %s: %w", ErrMalformed, f.name, err)
			}
		}
	}
	if err := u.check(); err != nil {
		return Update{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return u, nil
}

func (u Update) check() error {
	_, known := rules[u.Event]
	_, noULID := ulid.ParseStrict(u.StubID)
	switch {
	case u.EventID == "" || len(u.EventID) > 64:
		return errors.New("event_id: must be set, at most 64 bytes, and unique per update")
	case noULID != nil:
		return errors.New("stub_id: must be that of a ticket entry, 26 letters and digits")
	case !known:
		return errors.New("event: must be one of " + strings.Join(eventNames, " "))
	case u.At.IsZero():
		return errors.New("at: must be set, like 2024-04-03T09:30:00.000+08:00")
	case u.At.Year() < 2000 || u.At.Year() >= 2200:
		return errors.New("at: must be a time of this century or the next")
	case !u.DueAt.IsZero() && (!u.DueAt.After(u.At) || u.DueAt.Sub(u.At) > latestDue):
		return errors.New("due_at: must be later than at, by ten years at most")
	}
	return nil
}

func setTime(t *time.Time, s string) (err error) {
	if *t, err = time.Parse(time.RFC3339Nano, s); err != nil {
		return errors.New("must be like 2024-04-03T09:30:00.000+08:00")
	}
	return nil
}
