package exchange

import (
	"slices"
	"testing"
	"time"

	"liandong/routing/call"
)

// Of several calls that claim a seat the last in order has it: the newest in which a desk has had the caller.
func TestByClaim(t *testing.T) {
	calls := map[string]revival{}
	for _, c := range []call.Call{
		{Ref: "rings, and is new", At: noon.Add(time.Hour)}, {Ref: "b, at the same time", At: noon, Met: true},
		{Ref: "newest", At: noon.Add(time.Minute), Met: true}, {Ref: "a, at the same time", At: noon, Met: true},
		{Ref: "rings", At: noon},
	} {
		calls[c.Ref] = revival{record: Record{Call: c}}
	}
	var got []string
	for _, c := range byClaim(calls) {
		got = append(got, c.record.Call.Ref)
	}
	want := []string{"rings", "rings, and is new", "a, at the same time", "b, at the same time", "newest"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
