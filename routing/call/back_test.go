package call

import "testing"

// A citizen whom a version before has handed over, which noted no way, can be taken back to the line that he called.
func TestWayOfBefore(t *testing.T) {
	c := Call{Hotline: "110", Phase: Talking, Desk: 2, Legs: []Leg{{ID: 2, Hotline: "12345", Seat: "2101", Up: true}}}
	m := &machine{Call: c}
	m.noteWay()
	if from, ok := m.giver(); !ok || from != (Stop{Line: "110"}) {
		t.Errorf("%+v, %v", from, ok)
	}
	m.Way, m.Hotline = nil, "12345"
	m.noteWay()
	if from, ok := m.giver(); ok {
		t.Errorf("nobody has handed him over, and he goes back to %+v", from)
	}
}
