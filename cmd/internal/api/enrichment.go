package api

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"liandong/routing/ticket"
)

// field is one field of what a desk application adds to a stub.
type field struct {
	name string
	most int  // bytes in UTF-8: a text that would be cut is refused, its sender would not notice
	want text // what it may be; empty: any text
	set  func(x *ticket.Enrichment, v string) bool
}

// addition is what a request adds, and by which id it is known again.
type addition struct {
	ticket.Enrichment
	id string // the client's; "" it has none
}

// maxID is the longest id of a client; of codes and the like whatever is longer is only too long.
const maxID = 64

func (s *Server) fields(a *addition) []field {
	text := func(name string, want text, fits func(string) bool, to *string) field {
		return field{name, max(ticket.Limit(name), maxID), want,
			func(_ *ticket.Enrichment, v string) bool { *to = v; return fits(v) }}
	}
	return []field{
		{"event_id", maxID, anyText, func(_ *ticket.Enrichment, v string) bool { a.id = v; return anything(v) }},
		{"category", maxID, s.codes(), s.setCategory},
		text("place", anyText, anything, &a.Place),
		text("region_code", wantRegion, isRegion, &a.RegionCode),
		text("title", anyText, anything, &a.Title),
		text("content", anyText, anything, &a.Content),
		{"urgency", maxID, wantUrgency, setUrgency},
		text("confidential", wantFlag, among("0", "1"), (*string)(&a.Confidential)),
	}
}

// anything is any text of one line. Escapes would paint over a terminal, line ends forge lines of a log, and marks of
// direction (Unicode UAX #9) show another text than the one that is stored.
func anything(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) ||
			unicode.Is(unicode.Bidi_Control, r)
	})
}

func among(allowed ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(allowed, s) }
}

// isRegion: GB/T 2260 has six digits, the codes of streets and villages below have up to twelve.
func isRegion(s string) bool {
	return len(s) >= 6 && len(s) <= 12 && strings.Trim(s, "0123456789") == ""
}

func (s *Server) setCategory(x *ticket.Enrichment, code string) bool {
	kind, ok := s.conf().Categories.ByCode(code)
	x.CategoryCode, x.Category, x.Urgency = code, kind.Name, ticket.Graver(x.Urgency, kind.Urgency)
	return ok
}

// setUrgency: a category that is danger is danger whatever else is said.
func setUrgency(x *ticket.Enrichment, v string) bool {
	x.Urgency = ticket.Graver(x.Urgency, ticket.Urgency(v))
	return among("normal", "urgent", "critical")(v)
}

// codes says which categories there are.
func (s *Server) codes() text {
	list := strings.Join(s.conf().Categories.Codes(), " ")
	if list == "" {
		list = "-"
	}
	return text{list, list}
}

// read takes a request's fields, or names everything that is wrong with them. Values are not quoted: they are the
// citizen's affairs, and errors end up in logs.
func (s *Server) read(values map[string]string, lang string) (a addition, faults []string) {
	list, known, said := s.fields(&a), []string{}, 0
	for _, f := range list {
		known = append(known, f.name)
		v := strings.TrimSpace(values[f.name])
		switch {
		case v == "":
			continue
		case len(v) > f.most:
			faults = append(faults, tooLong.in(lang, f.name, f.most, len(v)))
		case !f.set(&a.Enrichment, v):
			faults = append(faults, badField.in(lang, f.name, f.want.in(lang)))
		}
		if f.name != "event_id" {
			said++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			faults = append(faults, noField.in(lang, ticket.Clean(name, 40), strings.Join(known, ", ")))
		}
	}
	if said == 0 && len(faults) == 0 {
		faults = append(faults, noFields.in(lang, strings.Join(known, ", ")))
	}
	return a, faults
}
