package matter

import "liandong/routing/ticket"

// UpdateSchema describes an update as a ticket system writes it.
func UpdateSchema() []byte {
	fields := map[string]ticket.Shape{}
	for _, f := range updateFields {
		fields[f.name] = ticket.Shape{"maxLength": f.max}
	}
	fields["event_id"] = ticket.Shape{"minLength": 1, "maxLength": 64}
	fields["stub_id"] = ticket.ULIDShape()
	fields["event"] = ticket.Shape{"enum": eventNames}
	fields["at"], fields["due_at"] = ticket.TimeShape(), ticket.TimeShape()
	return ticket.JSONSchema("liandong update", []string{"event_id", "stub_id", "event", "at"}, fields)
}
