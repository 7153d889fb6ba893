package matter

import (
	"fmt"
	"strconv"
	"time"
)

// Schema is the version of the hash, in its field "schema". Fields may be added within a version.
const Schema = "1"

// Prefix and a stub id make the key of the hash with the matter's current state.
const Prefix = "liandong:"

// Key is where the current state of a matter stands.
func Key(stubID string) string { return Prefix + stubID }

// stamp is how all times of the streams are printed: RFC 3339 with milliseconds and a numeric offset.
const stamp = "2006-01-02T15:04:05.000-07:00"

// column is one field of the hash. The list below is the one place that knows them.
type column struct {
	name string
	get  func(*Matter) string
	set  func(*Matter, string) error
}

var columns = []column{
	text("stub_id", func(m *Matter) *string { return &m.StubID }),
	text("state", func(m *Matter) *State { return &m.State }),
	moment("at", func(m *Matter) *time.Time { return &m.At }),
	text("from", func(m *Matter) *string { return &m.From }),
	text("to", func(m *Matter) *string { return &m.To }),
	text("owner", func(m *Matter) *string { return &m.Owner }),
	text("mode", func(m *Matter) *string { return &m.Mode }),
	text("call_ref", func(m *Matter) *string { return &m.CallRef }),
	text("urgency", func(m *Matter) *string { return &m.Urgency }),
	text("category_code", func(m *Matter) *string { return &m.CategoryCode }),
	text("category", func(m *Matter) *string { return &m.Category }),
	text("place", func(m *Matter) *string { return &m.Place }),
	text("title", func(m *Matter) *string { return &m.Title }),
	text("peer_ticket_no", func(m *Matter) *string { return &m.PeerTicketNo }),
	text("unit_code", func(m *Matter) *string { return &m.UnitCode }),
	text("unit_name", func(m *Matter) *string { return &m.UnitName }),
	text("handler", func(m *Matter) *string { return &m.Handler }),
	text("text", func(m *Matter) *string { return &m.Text }),
	text("reason_code", func(m *Matter) *string { return &m.ReasonCode }),
	text("satisfaction", func(m *Matter) *string { return &m.Satisfaction }),
	moment("opened_at", func(m *Matter) *time.Time { return &m.OpenedAt }),
	moment("received_at", func(m *Matter) *time.Time { return &m.ReceivedAt }),
	moment("signed_at", func(m *Matter) *time.Time { return &m.SignedAt }),
	moment("accepted_at", func(m *Matter) *time.Time { return &m.AcceptedAt }),
	moment("assigned_at", func(m *Matter) *time.Time { return &m.AssignedAt }),
	moment("first_feedback_at", func(m *Matter) *time.Time { return &m.FirstFeedbackAt }),
	moment("closed_at", func(m *Matter) *time.Time { return &m.ClosedAt }),
	moment("visited_at", func(m *Matter) *time.Time { return &m.VisitedAt }),
	moment("archived_at", func(m *Matter) *time.Time { return &m.ArchivedAt }),
	moment("receive_due", func(m *Matter) *time.Time { return &m.ReceiveDue }),
	moment("sign_due", func(m *Matter) *time.Time { return &m.SignDue }),
	moment("first_feedback_due", func(m *Matter) *time.Time { return &m.FirstFeedbackDue }),
	moment("close_due", func(m *Matter) *time.Time { return &m.CloseDue }),
	number("assignments", func(m *Matter) *int { return &m.Assignments }),
	number("supervised", func(m *Matter) *int { return &m.Supervised }),
	number("returns", func(m *Matter) *int { return &m.Returns }),
	text("extension", func(m *Matter) *string { return &m.Extension }),
}

func text[T ~string](name string, at func(*Matter) *T) column {
	return column{
		name: name,
		get:  func(m *Matter) string { return string(*at(m)) },
		set:  func(m *Matter, s string) error { *at(m) = T(s); return nil },
	}
}

func moment(name string, at func(*Matter) *time.Time) column {
	return column{
		name: name,
		get: func(m *Matter) string {
			if at(m).IsZero() {
				return ""
			}
			return at(m).Format(stamp)
		},
		set: func(m *Matter, s string) (err error) { *at(m), err = time.Parse(time.RFC3339Nano, s); return err },
	}
}

func number(name string, at func(*Matter) *int) column {
	return column{
		name: name,
		get:  func(m *Matter) string { return strconv.Itoa(*at(m)) },
		set:  func(m *Matter, s string) (err error) { *at(m), err = strconv.Atoi(s); return err },
	}
}

// FieldNames names the fields that a hash may have.
func FieldNames() []string {
	names := []string{"schema"}
	for _, c := range columns {
		names = append(names, c.name)
	}
	return names
}

// Fields prints the matter as its hash holds it: name, value, name, value … What is not known is left out.
func (m Matter) Fields() []string {
	flat := []string{"schema", Schema}
	for i := range columns {
		if v := columns[i].get(&m); v != "" {
			flat = append(flat, columns[i].name, v)
		}
	}
	return flat
}

// Parse reads a matter back from its hash. Fields that it does not know are passed over.
func Parse(fields map[string]string) (Matter, error) {
	if s := fields["schema"]; s != Schema {
		return Matter{}, fmt.Errorf("matter: schema %q, can read %s", s, Schema)
	}
	var m Matter
	for i := range columns {
		if v := fields[columns[i].name]; v != "" {
			if err := columns[i].set(&m, v); err != nil {
				return Matter{}, fmt.Errorf("matter: field %s cannot be read", columns[i].name)
			}
		}
	}
	return m, nil
}
