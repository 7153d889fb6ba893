// Package verb turns what a call-taker presses into what the switch is asked
// to do: feature codes such as *1 become verbs such as handover, and every
// digit that belongs to no code is given back to be passed on to the other
// party. It is pure: digits and time in, verbs out.
package verb

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Name is what a desk asks of the switch. The names are part of the
// configuration, of the HTTP interface and of log lines.
type Name string

// The verbs of a desk.
const (
	Handover     Name = "handover"      // one-key transfer to the partner hotline
	Consult      Name = "consult"       // the desks talk privately, the caller hears music
	Conference   Name = "conference"    // three-way call
	TakeBack     Name = "take_back"     // undo what runs; caller and taker are together again
	Accept       Name = "accept"        // our line takes the matter
	OtherAccepts Name = "other_accepts" // the other line takes the matter
	Urgent       Name = "urgent"        // danger: a stub to the emergency hotline at once
	Category     Name = "category"      // the matter's category, by number
	Record       Name = "record"        // the call is recorded from now on, or no longer
)

// Pickup is no verb of a call: whoever dials the number of that service takes the
// call that has rung the desks of his line for longest.
const Pickup = "pickup"

// What the number of a service does to the seat of whoever dials it, in a call or not. NotReady may have a reason
// behind it: "not_ready break".
const (
	Ready    = "ready"
	NotReady = "not_ready"
)

// OfSeat reads a service by which a seat becomes ready or not; false: it is another one.
func OfSeat(service string) (state, reason string, ok bool) {
	state, reason, _ = strings.Cut(service, " ")
	return state, reason, state == NotReady || service == Ready
}

// Monitor is no verb of a call either: whoever dials the number of that service with the number of a desk or of a line
// behind it looks after the call there, as a supervisor.
const Monitor = "monitor"

// Names lists all verbs in the order in which they are documented.
var Names = []Name{Handover, Consult, Conference, TakeBack, Accept, OtherAccepts, Urgent, Category, Record}

// Verb is one request of a desk. Category is the category's digits, set only
// with [Category].
type Verb struct {
	Name     Name
	Category string
}

// Parse reads a verb as the HTTP interface names it: "handover", "category 07".
func Parse(s string) (Verb, error) {
	name, category, _ := strings.Cut(strings.TrimSpace(s), " ")
	v := Verb{Name: Name(name), Category: strings.TrimSpace(category)}
	if !slices.Contains(Names, v.Name) {
		return Verb{}, fmt.Errorf("verb: %q is unknown, allowed: %s", name, Allowed())
	}
	if (v.Name == Category) != (v.Category != "") {
		return Verb{}, errors.New("verb: category, and only category, takes a number")
	}
	if strings.Trim(v.Category, "0123456789") != "" {
		return Verb{}, fmt.Errorf("verb: category %q is not a number", v.Category)
	}
	return v, nil
}

func (v Verb) String() string {
	if v.Category != "" {
		return string(v.Name) + " " + v.Category
	}
	return string(v.Name)
}

// Allowed lists all verbs, for messages.
func Allowed() string {
	all := make([]string, len(Names))
	for i, n := range Names {
		all[i] = string(n)
	}
	return strings.Join(all, ", ")
}

// Keymap is a compiled set of feature codes. Immutable.
type Keymap struct {
	codes []code
}

type code struct {
	pattern string // digits, 'N' stands for any of 0-9
	name    Name
}

// NewKeymap compiles codes such as {"*1": "handover", "*8NN": "category"}.
// A code is two to eight of 0-9 * # A-D, N standing for any digit; no code may
// begin another. All errors are reported, joined, each naming its code.
func NewKeymap(keys map[string]string) (Keymap, error) {
	var k Keymap
	var errs []error
	for pattern, name := range keys {
		if err := checkCode(pattern, Name(name)); err != nil {
			errs = append(errs, err)
			continue
		}
		k.codes = append(k.codes, code{pattern, Name(name)})
	}
	sort.Slice(k.codes, func(i, j int) bool { return k.codes[i].pattern < k.codes[j].pattern })
	return k, errors.Join(append(errs, k.overlaps()...)...)
}

func checkCode(pattern string, name Name) error {
	switch {
	case len(pattern) < 2 || len(pattern) > 8 || strings.Trim(pattern, "0123456789*#ABCDN") != "":
		return fmt.Errorf("key %q: a code is 2 to 8 of 0-9 * # A-D, N for any digit", pattern)
	case !slices.Contains(Names, name):
		return fmt.Errorf("key %q: verb %q is unknown, allowed: %s", pattern, name, Allowed())
	case (name == Category) != strings.Contains(pattern, "N"):
		return fmt.Errorf("key %q: N stands in the code of category and in no other", pattern)
	}
	return nil
}

// overlaps names each pair of codes that some key sequence could mean both of.
func (k Keymap) overlaps() (errs []error) {
	for i, a := range k.codes {
		for _, b := range k.codes[i+1:] {
			if begins(a.pattern, b.pattern) || begins(b.pattern, a.pattern) {
				errs = append(errs, fmt.Errorf(
					"keys %q and %q: one begins the other, so the longer could never be pressed", a.pattern, b.pattern))
			}
		}
	}
	return errs
}

// begins reports whether some digits of pattern a are the start of pattern b.
func begins(a, b string) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if !same(a[i], b[i]) && !same(b[i], a[i]) {
			return false
		}
	}
	return true
}

func same(pattern, digit byte) bool {
	return pattern == digit || pattern == 'N' && digit >= '0' && digit <= '9'
}

// match looks digits up: the verb when they are a whole code; more when they
// begin one.
func (k Keymap) match(digits string) (v Verb, whole, more bool) {
	for _, c := range k.codes {
		if len(digits) > len(c.pattern) || !fits(c.pattern, digits) {
			continue
		}
		if len(digits) == len(c.pattern) {
			return Verb{Name: c.name, Category: wild(c.pattern, digits)}, true, false
		}
		more = true
	}
	return Verb{}, false, more
}

func fits(pattern, digits string) bool {
	for i := range digits {
		if !same(pattern[i], digits[i]) {
			return false
		}
	}
	return true
}

func wild(pattern, digits string) string {
	var b strings.Builder
	for i := range digits {
		if pattern[i] == 'N' {
			b.WriteByte(digits[i])
		}
	}
	return b.String()
}
