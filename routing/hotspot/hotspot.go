// Package hotspot says which matters are about one place or from one person, and from how many on that is a hidden risk
// to be raised (一地多报, 一人多报). It is pure; package ledger keeps the reports in Redis.
package hotspot

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode"

	"liandong/routing/category"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// The kinds of hotspot, as the ticket field says them.
const (
	Place  = "place"  // many reports on one place, of one category
	Person = "person" // many reports by one person
)

// Limits are from how many reports on a hotspot is raised; 0: never.
type Limits struct{ Day, Week, Month int }

// Policy is the limits of both kinds. Immutable.
type Policy struct{ Place, Person Limits }

// Window is a time back from a report.
type Window struct {
	Name string // "1d", as the ticket field says it
	Span time.Duration
	From int // reports within it
}

// Kept is how long reports are kept: the longest window.
const Kept = 30 * day

const day = 24 * time.Hour

// Windows of a kind that are looked at.
func (p Policy) Windows(kind string) (list []Window) {
	l := p.Place
	if kind == Person {
		l = p.Person
	}
	for _, w := range []Window{{"1d", day, l.Day}, {"7d", 7 * day, l.Week}, {"30d", Kept, l.Month}} {
		if w.From > 0 {
			list = append(list, w)
		}
	}
	return list
}

// PlaceKey names the place of a matter with its category; "" where no place is known. Like the person's it is a sum: a
// Redis key tells neither addresses nor numbers.
func PlaceKey(m matter.Matter) string {
	place := normalise(m.Place)
	if place == "" {
		return ""
	}
	return key(Place, m.CategoryCode+" "+place)
}

// PersonKey names who called; "" where that is not known for certain.
func PersonKey(e ticket.Entry) string {
	if e.CallerStatus != "ok" || e.CallerE164 == "" {
		return ""
	}
	return key(Person, e.CallerE164)
}

// key is a Redis key; the braces keep what belongs to it in its slot of a cluster.
func key(kind, what string) string {
	sum := sha256.Sum256([]byte(kind + " " + what))
	return "liandong:hotspot:{" + kind + ":" + hex.EncodeToString(sum[:12]) + "}"
}

// normalise makes ways of writing an address the same: width, case, spaces, punctuation, # for 号.
func normalise(place string) string {
	place = category.Fold(strings.NewReplacer("#", "号", "＃", "号", "號", "号").Replace(place))
	return strings.Join(strings.FieldsFunc(place, unicode.IsSpace), "")
}
