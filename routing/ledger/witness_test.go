package ledger

import (
	"context"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link"
	"liandong/routing/link/redistest"
	"liandong/routing/tenure"
)

// Redis gives its voice to one turn at a time: to the one that has it again and again, to a later one when it is over,
// to an earlier one never. One that has forgotten gives it to nobody for a lease.
func TestWitness(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := link.Default()
	cfg.URL = desk.NewSecret(server.URL())
	w, err := NewWitness(cfg, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ask := func(turn uint64) tenure.Word {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var answer tenure.Word
		err := context.DeadlineExceeded
		for err != nil && ctx.Err() == nil { // it may be slow
			answer, err = w.Ask(ctx, tenure.Word{Kind: tenure.Ask, Epoch: turn, Number: turn * 10})
		}
		if err != nil || answer.Number != turn*10 {
			t.Fatalf("%+v, %v", answer, err)
		}
		return answer
	}
	until := func(turn uint64) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ask(turn).Kind != tenure.Yes; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("turn %d never gets the voice", turn)
			}
		}
	}
	began := time.Now()
	if a := ask(1); a.Kind != tenure.No {
		t.Errorf("a Redis that knows nothing gives its voice: %+v", a)
	}
	until(1)
	if time.Since(began) < tenure.DefaultLease {
		t.Error("and does so before a lease is over")
	}
	began = time.Now()
	if ask(1).Kind != tenure.Yes {
		t.Error("who has the voice does not get it again")
	}
	until(2)
	if time.Since(began) < tenure.DefaultLease {
		t.Error("a later turn gets it while it is another's")
	}
	if a := ask(1); a.Kind != tenure.No || a.Epoch != 2 {
		t.Errorf("an earlier turn: %+v", a)
	}
}
