package load

import (
	"testing"
	"time"
)

const msec = int64(time.Millisecond)

func at(n int64) int64 { return 1e18 + n*msec }

func TestArrivedCountsLossGapsAndSeconds(t *testing.T) {
	for _, first := range []uint16{0, 65530, 32760} { // at each wrap of the number
		var c counted
		now := int64(5)
		for i := range 150 { // 3 s
			switch {
			case i == 20: // one is lost: a gap of 40 ms
			case i >= 60 && i < 63: // three are: 80 ms
			default:
				c.arrived(rtpPacket{seq: first + uint16(i), ssrc: 1}, at(now), at(0))
			}
			now += 20
		}
		c.rollTo(3)
		if c.in != 146 || c.missing != 4 || c.short != 2 || c.long != 1 || c.longest != 80*time.Millisecond ||
			c.worst() != 47 {
			t.Errorf("from %d: %+v, worst second %d", first, c, c.worst())
		}
	}
}

func TestArrivedLate(t *testing.T) {
	var c counted
	for i, seq := range []uint16{1, 2, 4, 3, 5, 5} { // 3 is overtaken, 5 comes twice
		c.arrived(rtpPacket{seq: seq, ssrc: 1}, at(int64(20*i)), at(0))
	}
	if c.missing != 0 || c.in != 6 {
		t.Errorf("%d missing of %d", c.missing, c.in)
	}
	c.arrived(rtpPacket{seq: 900, ssrc: 2}, at(120), at(0)) // another stream begins where it likes
	if c.missing != 0 {
		t.Errorf("%d missing with a new SSRC", c.missing)
	}
}

func TestWorstSecondOfSilence(t *testing.T) {
	var c counted
	if c.worst() != -1 {
		t.Error("there was no second yet")
	}
	c.arrived(rtpPacket{}, at(100), at(0))
	c.arrived(rtpPacket{seq: 1}, at(2500), at(0))
	c.rollTo(3)
	if c.worst() != 0 {
		t.Errorf("worst second %d, want 0", c.worst())
	}
	var none counted
	none.rollTo(2)
	if none.worst() != 0 {
		t.Errorf("a leg that heard nothing has %d", none.worst())
	}
}

func TestHeardFrom(t *testing.T) {
	var all [sides]delays
	c := counted{delays: &all}
	one, other := uint32(desk)<<sideShift|7, uint32(desk)<<sideShift|8
	hear := func(speaker uint32, count uint16, took time.Duration, inside bool) {
		c.heardFrom(stamp{speaker: speaker, count: count}, took, at(int64(count)), inside)
	}
	hear(one, 65534, time.Millisecond, false) // before the window
	hear(one, 65535, time.Millisecond, true)
	hear(one, 1, 3*time.Millisecond, true) // 0 is late
	hear(one, 0, 30*time.Millisecond, true)
	hear(one, 0, 31*time.Millisecond, true) // twice
	hear(one, 1, 31*time.Millisecond, true) // twice
	hear(other, 9, time.Millisecond, true)
	h := c.mostOf(desk)
	if h == nil || h.speaker != one || h.in != 3 || h.twice != 2 || h.max != 30*time.Millisecond {
		t.Fatalf("%+v", h)
	}
	if n := c.strange(desk, h); n != 1 {
		t.Errorf("%d of a stranger", n)
	}
	if s := all[desk].summary(); s.Count != 4 || s.Max != 30 {
		t.Errorf("delays %+v", s)
	}
	if c.mostOf(partner) != nil || c.firstOf(partner) != 0 || c.firstOf(desk) != at(9) {
		t.Errorf("first of a desk %d", c.firstOf(desk)-at(0))
	}
}

// More speakers than a leg can tell apart do no harm.
func TestHeardFromMany(t *testing.T) {
	var c counted
	for n := range uint32(20) {
		c.heardFrom(stamp{speaker: n}, 0, at(0), true)
	}
	if c.most() == nil {
		t.Error("nobody was heard")
	}
}
