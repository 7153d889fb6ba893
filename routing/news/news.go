// Package news is what the switch tells of what happens in it: call events, as screens, streams, records and traces
// have them. One item goes to all of them; each reads of it what it shows.
package news

import (
	"maps"
	"slices"
	"strings"
)

// Item is one thing that has happened.
type Item struct {
	Event  string // what it is
	Caller string // who calls, masked, for whoever may not see more; "": nobody
	Fields
}

// Field is one fact.
type Field struct{ Name, Value string }

// Fields are facts in the order of their names, none of which is there twice. Who is given them only reads them.
type Fields []Field

// Of are these facts.
func Of(list ...Field) Fields {
	slices.SortFunc(list, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// From are the facts of a map.
func From(of map[string]string) Fields {
	f := make(Fields, 0, len(of))
	for _, name := range slices.Sorted(maps.Keys(of)) {
		f = append(f, Field{name, of[name]})
	}
	return f
}

// Map is a copy by name.
func (f Fields) Map() map[string]string {
	of := make(map[string]string, len(f))
	for _, one := range f {
		of[one.Name] = one.Value
	}
	return of
}

// find is where a name stands, or would. By hand, so that fields need not be on the heap for it.
func (f Fields) find(name string) (at int, ok bool) {
	from, to := 0, len(f)
	for from < to {
		if middle := (from + to) / 2; f[middle].Name < name {
			from = middle + 1
		} else {
			to = middle
		}
	}
	return from, from < len(f) && f[from].Name == name
}

// Get is the value of a name; "": it is not there.
func (f Fields) Get(name string) string {
	if at, ok := f.find(name); ok {
		return f[at].Value
	}
	return ""
}

// Set gives a name a value.
func (f *Fields) Set(name, value string) {
	at, ok := f.find(name)
	if ok {
		(*f)[at].Value = value
		return
	}
	*f = slices.Insert(*f, at, Field{name, value})
}

// Drop takes a name out.
func (f *Fields) Drop(name string) {
	if at, ok := f.find(name); ok {
		*f = slices.Delete(*f, at, at+1)
	}
}
