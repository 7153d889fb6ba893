package journal

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever is done to the wall clock, the switch's time goes on as it went, and what is written for people is right.
func TestWallClockSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var step time.Duration
		c := NewClock(func() time.Time { return time.Now().Add(step) })
		began := c.Now()
		for _, d := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
			365 * 24 * time.Hour, -365 * 24 * time.Hour} {
			before := c.Now()
			step += d
			time.Sleep(time.Second)
			if went := c.Now().Sub(before); went != time.Second {
				t.Errorf("the wall clock has stepped by %v, and ours by %v", d, went)
			}
			if got, want := c.Wall(began), time.Now().Add(step-c.Now().Sub(began)); !got.Equal(want) {
				t.Errorf("the beginning was at %v, not at %v", got, want)
			}
		}
		if !c.Wall(time.Time{}).IsZero() {
			t.Error("no time is no time")
		}
		if c.Now() != c.Now().Round(0) {
			t.Error("a switch time is no plain value")
		}
	})
}

// The time goes on in the next process, by the machine's clock that nobody sets; after a start of the machine by the
// wall clock, never backwards.
func TestClockGoesOn(t *testing.T) {
	f := memory(t, 0)
	first := opened(t, f)
	first.clock = clockAt(first.clock.Now().Add(-time.Hour), time.Now) // the wall clock was set by an hour at some time
	h := head(first.mem)
	binary.LittleEndian.PutUint64(h[atBoot+16:], binary.LittleEndian.Uint64(h[atBoot+16:])-uint64(time.Hour))
	binary.LittleEndian.PutUint64(h[atBoot+24:], uint64(checksum(h[atBoot:atBoot+24])))
	first.Put(Call, "a", nil)
	before := first.Clock().Now()
	second := opened(t, f)
	if d := second.Clock().Now().Sub(before); d < 0 || d > 10*time.Second {
		t.Errorf("in the next process it is %v later", d)
	}
	for name, off := range map[string]time.Duration{"a minute off": time.Minute,
		"its clock is at its beginning": -40 * 365 * 24 * time.Hour} {
		h := head(second.mem)
		second.Put(Call, "a", nil)
		before := second.Clock().Now()
		copy(h[atBoot:], "another boot id.")
		binary.LittleEndian.PutUint64(h[atBoot+24:], uint64(checksum(h[atBoot:atBoot+24])))
		binary.LittleEndian.PutUint64(h[atStamp+8:], uint64(time.Now().Add(-off).UnixNano()))
		second = opened(t, f)
		if d := second.Clock().Now().Sub(before) - max(off, 0); d < 0 || d > 10*time.Second {
			t.Errorf("%s: it is off by %v", name, d)
		}
	}
}

// Who opens a journal learns for how long nobody had it: from the last sign of life on, not from the last write.
func TestGap(t *testing.T) {
	f := memory(t, 0)
	first := opened(t, f)
	if gap := first.Gap(); gap != 0 {
		t.Errorf("before the first there was nobody, for %v", gap)
	}
	first.clock = clockAt(time.Now().Add(-time.Hour), time.Now)
	first.Put(Call, "a", []byte("1"))
	second := opened(t, f)
	if gap := second.Gap(); gap < 59*time.Minute || gap > 70*time.Minute {
		t.Errorf("nobody for %v, not an hour", gap)
	}
	first.Beat() // which has it no more
	second.Beat()
	if gap := opened(t, f).Gap(); gap < 0 || gap > 10*time.Minute {
		t.Errorf("nobody for %v after a sign of life", gap)
	}
}
