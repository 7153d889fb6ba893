package number_test

import (
	"fmt"

	"liandong/routing/number"
	"liandong/sip/header"
)

// However a trunk writes a number, it becomes one form.
func ExamplePlan_Normalise() {
	plan := number.Plan{AreaCode: "0311"}
	for _, raw := range []string{"tel:+86-138-1234-5678", "013812345678", "8765 4321", "12345", "+85221234567"} {
		e164, ok := plan.Normalise(raw)
		fmt.Println(e164, ok)
	}
	// Output:
	// +8613812345678 true
	// +8613812345678 true
	// +8631187654321 true
	// 12345 true
	// +85221234567 true
}

// Who calls: a trusted neighbour's P-Asserted-Identity comes before From, and a log shows it masked.
func ExamplePlan_Read() {
	pai, _ := header.ParseNameAddrs("<tel:+8613812345678>")
	from, _ := header.ParseNameAddr("<sip:gateway@192.0.2.1>")
	id := header.Identity{PAI: pai, From: from, Privacy: []string{"id"}}
	n := number.Plan{}.Read(id, true)
	fmt.Println(n, n.Source, n.Status)
	// Output: +86138****5678 pai restricted
}
