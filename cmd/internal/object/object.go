// Package object writes JSON objects of strings, of which each call event and each note of a trace is one.
package object

import (
	"encoding/json"
	"slices"
)

// Of is a JSON object of strings as package json writes it, the names in order.
func Of(fields map[string]string) []byte {
	var room [32]string
	names, size := room[:0], 2
	for name, value := range fields {
		names = append(names, name)
		size += len(name) + len(value) + len(`"":"",`)
	}
	slices.Sort(names)
	b := append(make([]byte, 0, size), '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(quoted(b, name), ':')
		b = quoted(b, fields[name])
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
