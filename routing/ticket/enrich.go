package ticket

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// Enrichment is what is known of a matter in addition: by the desk's application, while the call is on or after it.
type Enrichment struct {
	CategoryCode, Category            string
	Urgency                           Urgency
	Confidential                      Confidentiality
	Place, RegionCode, Title, Content string
}

// Enrich makes the entry that tells of x, from the last one of its stub that is known. How the hand-over came out is
// not said again, and urgency only rises: what was urgent once stays so.
func (e Entry) Enrich(x Enrichment, id string, at time.Time) Entry {
	e.EventID, e.Event, e.At = id, Enriched, at
	e.Result, e.Reason, e.DecidedOwner, e.DecisionBasis, e.Address = "", "", "", "", ""
	if x.CategoryCode != "" {
		e.CategoryCode, e.Category = x.CategoryCode, x.Category
	}
	e.Urgency = Graver(e.Urgency, x.Urgency)
	e.Confidential = cmp.Or(x.Confidential, e.Confidential)
	e.Place, e.RegionCode, e.Title, e.Content = x.Place, x.RegionCode, x.Title, x.Content
	return e
}

// Escalate makes the entry by which the emergency line is told of a matter that has turned out to be danger: it is
// theirs, whoever's it was. Its id follows from the stub, so that it is written once.
func (e Entry) Escalate(emergency string) Entry {
	e.EventID, e.Event, e.Address = DerivedID(e.StubID, "urgent"), Urgent, emergency
	e.DecidedOwner, e.DecisionBasis = emergency, Emergency
	return e
}

// Graver is the graver of two urgencies.
func Graver(a, b Urgency) Urgency {
	if slices.Index(urgencies, b) > slices.Index(urgencies, a) {
		return b
	}
	return a
}

// DerivedID makes an event id of a stub from a name that is unique for it: the same each time, and no other's.
func DerivedID(stub, name string) string {
	sum := sha256.Sum256([]byte(stub + " " + name))
	return NewID(StubTime(stub), strings.NewReader(string(sum[:])))
}

// StubTime is when a stub was opened; zero if it is no stub id.
func StubTime(stub string) time.Time {
	id, err := ulid.ParseStrict(stub)
	if err != nil {
		return time.Time{}
	}
	return id.Timestamp()
}

// Limit is how many bytes a field may have in UTF-8; what is longer is cut.
func Limit(field string) int {
	for i := range columns {
		if columns[i].name == field {
			return columns[i].max
		}
	}
	return 0
}
