// Package object writes JSON objects of strings, of which each call event and each note of a trace is one.
package object

import (
	"encoding/json"
	"slices"
	"strings"
)

// Of is a JSON object of strings as package json writes it, the names in order.
func Of(fields map[string]string) []byte { return Shown{}.Append(nil, fields) }

// Shown is what is shown of some fields.
type Shown struct {
	Without []string // names that are left out
	Also    []Pair   // and what comes in addition, in the place of a field of that name
	Filled  bool     // fields with nothing in them are left out
	Room    int      // bytes that are to come behind the object
}

// Pair is a name and its value.
type Pair struct{ Name, Value string }

// Append appends the object.
func (s Shown) Append(b []byte, fields map[string]string) []byte {
	var room [40]Pair
	list := room[:0]
	for name, value := range fields {
		also := slices.ContainsFunc(s.Also, func(p Pair) bool { return p.Name == name })
		if !also && !slices.Contains(s.Without, name) {
			list = append(list, Pair{name, value})
		}
	}
	list = append(list, s.Also...)
	if s.Filled {
		list = slices.DeleteFunc(list, func(p Pair) bool { return p.Value == "" })
	}
	size := len(`{}`) + s.Room
	for _, p := range list {
		size += len(p.Name) + len(p.Value) + len(`"":"",`)
	}
	slices.SortFunc(list, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	b = append(slices.Grow(b, size), '{')
	for i, p := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quoted(b, p.Name), ':')
		b = quoted(b, p.Value)
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
