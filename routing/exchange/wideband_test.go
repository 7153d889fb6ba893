package exchange

import (
	"fmt"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/engine"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// hearing is a call between a citizen and the desk 1101, and 2101 as partner, on a clean network, by the switch's own
// order of codecs.
type hearing struct {
	*simulation
	t *testing.T
}

var wideFirst, wideLast = []codec.ID{codec.G722, codec.PCMA, codec.PCMU}, []codec.ID{codec.PCMA, codec.PCMU, codec.G722}

func newHearing(t *testing.T, citizen []codec.ID) *hearing {
	t.Helper()
	h := &hearing{newSimulation(4, true), t}
	h.dir.Codecs = wideLast // as is the default
	h.seats = NewSeats(func(user string) bool { return user == "1101" || user == "2101" })
	for i, user := range []string{"1101", "2101"} {
		p := h.addPhone(user, fmt.Sprintf("127.0.1.%d:5060", i+1))
		p.codecs, p.does = wideLast, func(l *line) { l.answer(time.Second) }
	}
	caller := h.addPhone("13812345670", "127.0.0.10:5060")
	caller.codecs = citizen
	caller.dial("110")
	return h
}

// is checks by which codecs parties are sent sound: those of the phones, in the order in which they came.
func (h *hearing) is(at time.Duration, want map[string]codec.ID) {
	h.after(at, func() {
		c := h.cores[0]
		for _, p := range c.core.parties {
			user, got := who(h.simulation, p), c.stream[engine.LegID(p.ID)].Codec
			if want[user] != 0 && got != want[user] {
				h.t.Errorf("after %v %s is talked to by %v, want %v", at, user, got, want[user])
			}
			delete(want, user)
		}
		if len(want) > 0 {
			h.t.Errorf("after %v there is none of %v", at, want)
		}
	})
}

func (h *hearing) ends() {
	h.t.Helper()
	h.after(90*time.Second, func() { h.phoneOf(citizen).legs[0].hangUp() })
	h.run(20 * time.Minute)
	if h.err != nil {
		h.t.Fatal(h.err)
	}
}

const citizen = "13812345670"

// TestWidebandGoesOn: a citizen who can talk wideband, whatever he offers first, does so with a desk that can, through
// a hold, and after a hand-over.
func TestWidebandGoesOn(t *testing.T) {
	for _, codecs := range [][]codec.ID{wideFirst, wideLast} {
		widebandGoesOn(t, codecs)
	}
}

func widebandGoesOn(t *testing.T, codecs []codec.ID) {
	h := newHearing(t, codecs)
	desk := func() *line { return h.phoneOf("1101").legs[0] }
	h.is(4*time.Second, map[string]codec.ID{citizen: codec.G722, "1101": codec.G722})
	h.after(5*time.Second, func() { desk().do(leg.Modify{Direction: sdp.SendOnly}) })
	h.after(7*time.Second, func() { desk().do(leg.Modify{Direction: sdp.SendRecv}) })
	h.is(9*time.Second, map[string]codec.ID{citizen: codec.G722, "1101": codec.G722})
	h.after(10*time.Second, func() { desk().press("*1") })
	h.is(18*time.Second, map[string]codec.ID{citizen: codec.G722, "2101": codec.G722})
	h.ends()
}

// TestDesksTalkWideband: two desks that can hear each other in wideband round a citizen who cannot, in a call of three
// and in a consultation; with the citizen alone a desk has his codec, so that nothing is recoded.
func TestDesksTalkWideband(t *testing.T) {
	for _, key := range []string{"*3", "*2"} {
		h := newHearing(t, nil)
		h.is(4*time.Second, map[string]codec.ID{citizen: codec.PCMA, "1101": codec.PCMA})
		h.after(5*time.Second, func() { h.phoneOf("1101").legs[0].press(key) })
		h.is(15*time.Second, map[string]codec.ID{citizen: codec.PCMA, "1101": codec.G722, "2101": codec.G722})
		h.ends()
	}
	h := newHearing(t, nil)
	h.after(5*time.Second, func() { h.phoneOf("1101").legs[0].press("*1") })
	h.is(15*time.Second, map[string]codec.ID{citizen: codec.PCMA, "2101": codec.PCMA})
	h.ends()
}

// TestNarrowDeskStays: a desk that takes no re-INVITE, or has no G.722, goes on as it was.
func TestNarrowDeskStays(t *testing.T) {
	for _, stubborn := range []bool{true, false} {
		h := newHearing(t, nil)
		h.phoneOf("1101").stubborn = stubborn
		if !stubborn {
			h.phoneOf("1101").codecs = nil
		}
		h.after(5*time.Second, func() { h.phoneOf("1101").legs[0].press("*3") })
		h.is(60*time.Second, map[string]codec.ID{citizen: codec.PCMA, "1101": codec.PCMA})
		h.ends()
	}
}
