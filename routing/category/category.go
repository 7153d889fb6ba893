// Package category is the shared knowledge of who handles what: the kinds of matters that both lines have agreed on,
// each with the line that it belongs to, what the citizen may be told, and how it should be handed over.
//
// A category advises a desk and never binds it: what a desk does is done, whatever the list says.
package category

import (
	"slices"

	"liandong/routing/ticket"
)

// Category is one kind of matter. Immutable.
type Category struct {
	Code     string         // what a desk dials after *8, "03"
	Name     string         // "消费纠纷"
	Owner    string         // id of the hotline whose matter it is; "" nobody has said
	Keywords []string       // what citizens say when they mean it
	Modes    []string       // ticket.Direct and the like: how it should go over; empty: any way
	Urgency  ticket.Urgency // at the least; Critical is danger: the emergency line is told at once; "" normal
	Answer   string         // what a desk may say to the citizen
}

// Allows says that a matter of this kind should go over in such a way.
func (c Category) Allows(mode string) bool {
	return len(c.Modes) == 0 || mode == "" || slices.Contains(c.Modes, mode)
}

// List is all categories, in the order of their codes. Immutable.
type List []Category

// ByCode finds a category.
func (l List) ByCode(code string) (Category, bool) {
	i := slices.IndexFunc(l, func(c Category) bool { return c.Code == code })
	if i < 0 {
		return Category{}, false
	}
	return l[i], true
}

// Codes lists the codes.
func (l List) Codes() []string {
	codes := make([]string, len(l))
	for i, c := range l {
		codes[i] = c.Code
	}
	return codes
}
