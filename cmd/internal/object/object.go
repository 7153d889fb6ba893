// Package object writes JSON objects of strings, of which each call event and each note of a trace is one.
package object

import (
	"encoding/json"
	"slices"

	"liandong/routing/news"
)

// Of is a JSON object of strings as package json writes it, the names in order.
func Of(fields news.Fields) []byte { return Shown{}.Append(nil, fields) }

// Shown is what is shown of some fields.
type Shown struct {
	Without []string    // names that are left out
	Also    news.Fields // and what comes in addition, in the place of a field of that name
	Filled  bool        // fields with nothing in them are left out
	Room    int         // bytes that are to come behind the object
}

// Append appends the object.
func (s Shown) Append(b []byte, fields news.Fields) []byte {
	var room [40]news.Field
	list := room[:0]
	also := s.Also
	for _, f := range fields {
		for len(also) > 0 && also[0].Name < f.Name {
			list, also = append(list, also[0]), also[1:]
		}
		if (len(also) == 0 || also[0].Name != f.Name) && !slices.Contains(s.Without, f.Name) {
			list = append(list, f)
		}
	}
	list = append(list, also...)
	size := len(`{}`) + s.Room
	for _, f := range list {
		size += len(f.Name) + len(f.Value) + len(`"":"",`)
	}
	b = append(slices.Grow(b, size), '{')
	began := len(b)
	for _, f := range list {
		if s.Filled && f.Value == "" {
			continue
		}
		if len(b) > began {
			b = append(b, ',')
		}
		b = quoted(append(quoted(b, f.Name), ':'), f.Value)
	}
	return append(b, '}')
}

// quoted appends a string. One that is not as it stands is left to package json.
func quoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // strings always fit
			return append(b, text...)
		}
	}
	b = append(append(b, '"'), s...)
	return append(b, '"')
}
