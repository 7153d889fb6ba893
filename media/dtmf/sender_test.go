package dtmf

import (
	"slices"
	"strings"
	"testing"
)

// sent is what a sender made of a tick.
type sent struct {
	tick   int
	ts     uint32
	marker bool
	event  Event
}

const tickSamples = 160 // of a tick at 8 kHz

// drain runs a sender for so many ticks, a frame of its clock each.
func drain(t *testing.T, s *Sender, ts uint32, ticks int) (out []sent) {
	t.Helper()
	for tick := range ticks {
		payload, eventTS, marker, ok := s.Next(ts + uint32(tick*clock(s.ClockRate)/ticksPerSecond))
		if !ok {
			continue
		}
		e, err := Parse(payload)
		if err != nil {
			t.Fatalf("tick %d: % x: %v", tick, payload, err)
		}
		out = append(out, sent{tick, eventTS, marker, e})
	}
	return out
}

func TestSenderOfOneKey(t *testing.T) {
	var s Sender
	s.Queue("5")
	up := Event{Digit: '5', End: true, Volume: volume, Duration: 800}
	want := []sent{
		{0, 777, true, Event{Digit: '5', Volume: volume, Duration: 160}},
		{1, 777, false, Event{Digit: '5', Volume: volume, Duration: 320}},
		{2, 777, false, Event{Digit: '5', Volume: volume, Duration: 480}},
		{3, 777, false, Event{Digit: '5', Volume: volume, Duration: 640}},
		{4, 777, false, up}, {5, 777, false, up}, {6, 777, false, up},
	}
	if got := drain(t, &s, 777, 50); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if s.Busy() {
		t.Error("still busy")
	}
}

// RFC 4733 §2.3.5: durations are in timestamp units, so 100 ms are 4800 beside Opus.
func TestSenderAt48kHz(t *testing.T) {
	s := Sender{ClockRate: 48000}
	s.Queue("55")
	got := drain(t, &s, 777, 50)
	if len(got) != 14 {
		t.Fatalf("%d packets", len(got))
	}
	for i, duration := range []uint16{960, 1920, 2880, 3840, 4800, 4800, 4800} {
		if e := got[i].event; e.Duration != duration || e.End != (i >= 4) || got[i].ts != 777 {
			t.Errorf("packet %d: %+v, want a duration of %d", i, got[i], duration)
		}
	}
	if apart := got[7].ts - got[0].ts; apart != keyTicks*960 {
		t.Errorf("the second key begins %d ticks later", apart)
	}
}

// A leg that changes its codec in the middle of a key ends the key as it began it.
func TestSenderChangesItsClockBetweenKeys(t *testing.T) {
	var s Sender
	s.Queue("12")
	s.Next(0)
	s.ClockRate = 48000
	got := drain(t, &s, 0, 40)
	for _, p := range got {
		want := uint16(800)
		if p.event.Digit == '2' {
			want = 4800
		}
		if p.event.End && p.event.Duration != want {
			t.Errorf("%q lasts %d, want %d", p.event.Digit, p.event.Duration, want)
		}
	}
	if len(got) != 13 {
		t.Errorf("%d packets", len(got))
	}
}

// From a leg of one clock to a leg of another, and back: the keys are the same
// keys, and each lasts 100 ms there.
func TestKeysCrossClocks(t *testing.T) {
	const keys = "*10099#"
	for _, c := range []struct{ from, to int }{{8000, 48000}, {48000, 8000}, {0, 48000}, {16000, 8000}} {
		scenes(t, func(t *testing.T, seq uint16, ts uint32) {
			in, r, out := Sender{ClockRate: c.from}, Receiver{ClockRate: c.from}, Sender{ClockRate: c.to}
			in.Queue(keys)
			for _, p := range drain(t, &in, ts, len(keys)*keyTicks) {
				if digit, ok := r.Push(seq+uint16(p.tick), p.ts, Append(nil, p.event)); ok {
					out.Queue(string(digit))
				}
			}
			var got []byte
			far := Receiver{ClockRate: c.to}
			for _, p := range drain(t, &out, ts, len(keys)*keyTicks) {
				if digit, ok := far.Push(seq+uint16(p.tick), p.ts, Append(nil, p.event)); ok {
					got = append(got, digit)
				}
				if p.event.End && int(p.event.Duration) != c.to/10 {
					t.Errorf("%q lasts %d of %d Hz", p.event.Digit, p.event.Duration, c.to)
				}
			}
			if string(got) != keys {
				t.Errorf("from %d to %d Hz: %q", c.from, c.to, got)
			}
		})
	}
}

func TestSenderLeavesAGap(t *testing.T) {
	var s Sender
	s.Queue("55")
	packets := drain(t, &s, 0xffffff00, 50)
	if len(packets) != 14 {
		t.Fatalf("%d packets", len(packets))
	}
	second := packets[7]
	if !second.marker || second.tick != keyTicks || second.ts-packets[0].ts != keyTicks*tickSamples {
		t.Errorf("the second key begins with %+v", second)
	}
	if quiet := second.ts - packets[0].ts - uint32(packets[6].event.Duration); quiet != 800 {
		t.Errorf("%d samples between the tones", quiet)
	}
}

func TestSenderTakesKeysOnly(t *testing.T) {
	var s Sender
	s.Queue("1 x,é")
	s.Queue("ad#!")
	var got strings.Builder
	for _, p := range drain(t, &s, 0, 100) {
		if p.marker {
			got.WriteByte(p.event.Digit)
		}
	}
	if got.String() != "1AD#!" {
		t.Errorf("sent %q", got.String())
	}
}

func TestSenderHasABound(t *testing.T) {
	var s Sender
	s.Queue(strings.Repeat("1", waiting+10))
	markers := 0
	for _, p := range drain(t, &s, 0, (waiting+20)*keyTicks) {
		if p.marker {
			markers++
		}
	}
	if markers != waiting || s.Busy() {
		t.Errorf("%d keys, busy %v", markers, s.Busy())
	}
	s.Queue("2")
	if got := drain(t, &s, 0, 20); len(got) != 7 || got[0].event.Digit != '2' {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestSenderWithNothingToSend(t *testing.T) {
	var s Sender
	if s.Busy() || drain(t, &s, 0, 3) != nil {
		t.Error("something was sent")
	}
}

// Our own receiver hears our own sender, though only one packet of each key arrives.
func TestSenderToReceiver(t *testing.T) {
	const keys = "*1#0099DCBA!"
	for lucky := range 7 {
		scenes(t, func(t *testing.T, seq uint16, ts uint32) {
			var s Sender
			var r Receiver
			var got []byte
			s.Queue(keys)
			for i, p := range drain(t, &s, ts, 200) {
				if i%7 != lucky {
					continue
				}
				if digit, ok := r.Push(seq+uint16(p.tick), p.ts, Append(nil, p.event)); ok {
					got = append(got, digit)
				}
			}
			if string(got) != keys {
				t.Errorf("packet %d of each: %q", lucky, got)
			}
		})
	}
}

func TestSenderAllocatesNothing(t *testing.T) {
	var s Sender
	if n := testing.AllocsPerRun(100, func() { s.Queue("1"); s.Next(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
