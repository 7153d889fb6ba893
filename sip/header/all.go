package header

import (
	"iter"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// All are a message's header fields of a name, which has no case (RFC 3261 §7.3.1), in
// their order. The library's own look-up makes a lower-case copy of each name that it
// passes; half of what a call allocated were these.
func All(m gosip.Message, name string) iter.Seq[gosip.Header] {
	return func(yield func(gosip.Header) bool) {
		for _, h := range fieldsOf(m) {
			if strings.EqualFold(h.Name(), name) && !yield(h) {
				return
			}
		}
	}
}

// First is the first of them; nil: there is none.
func First(m gosip.Message, name string) gosip.Header {
	for h := range All(m, name) {
		return h
	}
	return nil
}

func fieldsOf(m gosip.Message) []gosip.Header {
	switch m := m.(type) {
	case *gosip.Request:
		return m.Headers()
	case *gosip.Response:
		return m.Headers()
	}
	return nil
}
