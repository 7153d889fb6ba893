package ticket

import (
	"encoding/json"
	"slices"
)

// Shape is what the value of a field may be, in the words of JSON Schema 2020-12.
type Shape map[string]any

// ULIDShape is that of an id.
func ULIDShape() Shape { return Shape{"pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"} }

// TimeShape is that of RFC 3339.
func TimeShape() Shape { return Shape{"format": "date-time"} }

// JSONSchema describes flat strings for programs: each field's shape, which are always there, and that others may come.
// Lengths are at most so many bytes, of which a character takes one or more.
func JSONSchema(title string, always []string, fields map[string]Shape) []byte {
	for _, f := range fields {
		f["type"] = "string"
	}
	b, _ := json.MarshalIndent(map[string]any{ // maps of strings, numbers and lists are never refused
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object",
		"required": always, "properties": fields, "additionalProperties": true,
	}, "", "  ")
	return append(b, '\n')
}

// EntrySchema describes an entry as it stands in the stream. A field that is always there is empty where the
// entry does not tell of it.
func EntrySchema() []byte {
	fields, always := map[string]Shape{}, []string{}
	for _, c := range columns {
		s := shapeOf(c)
		if c.star {
			always = append(always, c.name)
		}
		if c.star && !slices.Contains(neverEmpty, c.name) && len(s) > 0 {
			none := []Shape{{"const": ""}, s}
			if c.name == "caller_e164" {
				none = []Shape{{"const": ""}, {"const": Unknown}, s}
			}
			s = Shape{"anyOf": none}
		}
		s["maxLength"] = c.max
		fields[c.name] = s
	}
	return JSONSchema("liandong ticket entry, schema "+Schema, always, fields)
}

// neverEmpty are the fields that every entry has.
var neverEmpty = []string{"schema", "event_id", "stub_id", "event", "at", "direction", "mode", "call_ref"}

// shapeOf is what Validate wants of a field, and no shape where anything will do.
func shapeOf(c column) Shape {
	switch c.name {
	case "schema":
		return Shape{"const": Schema}
	case "event_id", "stub_id":
		return ULIDShape()
	case "event":
		return Shape{"pattern": word.String()}
	case "direction":
		return Shape{"pattern": "^.+" + between + ".+$"}
	case "mode":
		return Shape{"enum": modes}
	case "call_ref":
		return Shape{"pattern": uuid.String()}
	case "caller_e164":
		return Shape{"pattern": e164.String()}
	case "caller_status":
		return Shape{"enum": statuses}
	case "result":
		return Shape{"enum": results[1:]}
	case "reason":
		return Shape{"description": "why it failed: sip_CODE, taken_back, " + SwitchLost +
			" (the switch ended with the call, which nobody could take up again); more may come"}
	case "decision_basis":
		return Shape{"enum": bases[1:]}
	case "urgency":
		return Shape{"enum": urgencies[1:]}
	case "confidential":
		return Shape{"enum": secrecies[1:]}
	}
	if c.max == len(stamp) {
		return TimeShape()
	}
	return Shape{}
}
