package app

import (
	"slices"
	"testing"

	"liandong/routing/desk"
)

// Onlookers are told of seats that are new, gone, or shown otherwise, and of no others.
func TestChangedSeats(t *testing.T) {
	seat := func(name, line string, takes bool) *desk.Seat {
		return &desk.Seat{Name: name, Hotline: line, Takes: takes}
	}
	was := map[string]*desk.Seat{"same": seat("a", "110", true), "named": seat("a", "110", true),
		"moved": seat("a", "110", true), "idle": seat("a", "110", true), "gone": seat("a", "110", true)}
	now := map[string]*desk.Seat{"same": seat("a", "110", true), "named": seat("b", "110", true),
		"moved": seat("a", "12345", true), "idle": seat("a", "110", false), "new": seat("a", "110", true)}
	got := slices.Sorted(changed(was, now))
	if want := []string{"gone", "idle", "moved", "named", "new"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for user := range changed(was, now) {
		if user == "same" {
			t.Error(user)
		}
		break
	}
}
