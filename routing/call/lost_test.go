package call

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/routing/number"
	"liandong/routing/ticket"
)

func TestOwed(t *testing.T) {
	now := time.Date(2024, 4, 3, 9, 30, 0, 0, time.UTC)
	const stub = "01HTHGQ7X0000000000000000B"
	for _, c := range []struct {
		name string
		m    *Matter
		want string
	}{
		{"no matter", nil, ""},
		{"the partner rings", &Matter{Mode: ticket.Direct, From: "110", To: "12345"}, "failed"},
		{"answered: settled by that", &Matter{Mode: ticket.Direct, From: "110", To: "12345", Told: true, Decided: true},
			""},
		{"three-way, the partner rings", &Matter{Mode: ticket.ThreeWay, From: "110", To: "12345"}, "failed decided"},
		{"three-way stands", &Matter{Mode: ticket.ThreeWay, From: "110", To: "12345", Told: true, Answered: now},
			"failed decided"},
		{"three-way, decided", &Matter{Mode: ticket.ThreeWay, From: "110", To: "12345", Told: true, Decided: true}, ""},
		{"a colleague: no ticket tells of it", &Matter{Mode: ticket.Direct, From: "110", To: "110"}, ""},
	} {
		state := Call{
			Ref: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", At: now, Hotline: "110", Dialed: "110",
			Caller: number.Number{E164: "+8613812345678", Source: "pai"}, Matter: c.m,
		}
		if c.m != nil {
			c.m.Stub, c.m.FromAgent, c.m.KeyAt = stub, "1101", now
		}
		first, again := Owed(state, testDirectory(), now), Owed(state, testDirectory(), now.Add(time.Minute))
		var events []string
		for i, e := range first {
			events = append(events, string(e.Event))
			if err := e.Validate(); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if e.Reason != ticket.SwitchLost || e.StubID != stub || e.EventID != again[i].EventID {
				t.Errorf("%s: %q", c.name, e.Fields())
			}
			if e.Event == ticket.Decided && (e.DecidedOwner != "110" || e.DecisionBasis != ticket.FirstReceiver) {
				t.Errorf("%s: %q", c.name, e.Fields())
			}
		}
		if got := strings.Join(events, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Wherever a call stands when the switch dies, each of its stubs has one final entry in the end.
func TestOwedAnywhere(t *testing.T) {
	for seed := range uint64(300) {
		w := &walk{rng: rand.New(rand.NewPCG(seed, 9)), dir: walkDirectory(seed), now: time.Unix(1712109600, 0)}
		w.after = func(c Call) error {
			owed := map[string]bool{}
			missed := false
			for _, e := range Owed(c, w.dir, w.now) {
				owed[e.StubID] = true
				missed = missed || e.Event == ticket.Missed
			}
			if missed != (c.Phase == Ringing || c.Phase == Leaving) {
				return fmt.Errorf("while %s the citizen is owed to be called missed: %t", c.Phase, missed)
			}
			for stub, events := range w.stubs {
				stands := c.Matter != nil && c.Matter.Stub == stub && c.Matter.Mode == ticket.ThreeWay &&
					!c.Matter.Decided
				final := slices.ContainsFunc(events, func(e string) bool {
					return e == "missed" || e == "failed" || e == "abandoned" || e == "decided" || e == "urgent" ||
						e == "answered" && !stands
				})
				if final == owed[stub] {
					return fmt.Errorf("stub %s has %v, owed: %v", stub, events, owed[stub])
				}
			}
			return nil
		}
		if err := w.run(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
