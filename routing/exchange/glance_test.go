package exchange

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/news"
)

// Who looks on learns who is rung as soon as the phone says that it rings, then who talks, and that it is over.
func TestOnlookersAreTold(t *testing.T) {
	var told []string
	for seed := uint64(1); seed < 20 && len(told) < 4; seed++ {
		s := newSimulation(seed, true)
		told = nil
		s.play()
		for line := range strings.Lines(s.log.String()) {
			for _, what := range []string{"tells arrived", "tells ringing", "tells state", "tells answered"} {
				if strings.Contains(line, what) && !slices.Contains(told, what) {
					told = append(told, what)
				}
			}
		}
	}
	if i, j := slices.Index(told, "tells ringing"), slices.Index(told, "tells answered"); i < 0 || j < i ||
		told[0] != "tells arrived" {
		t.Errorf("told in this order: %q", told)
	}
}

// Each change of a seat is told: claimed, answered, passed on, released.
func TestSeatsTellTheirChanges(t *testing.T) {
	var told []string
	s, line := seatsOf(), lineOf(desk.All, "1101")
	s.changed = func(seat string) { told = append(told, seat) }
	for i, do := range []func(){
		func() { s.Claim(Claim{Call: "a", Line: line}) },
		func() { s.Answered("a", "1101") },
		func() { s.Pass("a", "b", "1101") },
		func() { s.Release("b", "1101", noon) },
		func() { s.Take("c", "1101") },
		func() {
			s.Claim(Claim{Call: "d", Line: line, Tell: func(call.SeatsFound) bool { return true }})
			s.Release("c", "1101", noon) // and is offered to d
		},
	} {
		if do(); len(told) <= i {
			t.Fatalf("the change %d is not told", i+1)
		}
	}
	if ref, _ := s.Talks("1101"); ref != "d" || len(told) != 7 {
		t.Errorf("%s has the seat, told %d times", ref, len(told))
	}
}

// A call's events name the lines whose affair it is.
func TestEventsNameTheLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		w := &fakeWire{}
		x := exchangeOf(w, func(c *Config) {
			c.Tell = func(it news.Item) {
				what, f := it.Event, it.Map()
				lines = append(lines,
					what+" "+f["lines"]+" "+f["phase"])
			}
		})
		defer x.Stop()
		x.open(pstn, invite(t, "110"))
		synctest.Wait()
		time.Sleep(time.Millisecond)
		if !slices.Contains(lines, "arrived 110 ringing") || !slices.Contains(lines, "state 110 ringing") {
			t.Errorf("%q", lines)
		}
	})
	c := call.Call{Hotline: "110", Hunt: &call.Hunt{Hotline: "12345"}, Legs: []call.Leg{{ID: 1}, {ID: 2,
		Hotline: "110"}, {ID: 3, Hotline: "119"}}}
	if got := Lines(c); got != "110,12345,119" {
		t.Error(got)
	}
}
