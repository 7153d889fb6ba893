package jitter

import (
	"math/rand/v2"
	"testing"
	"time"

	"liandong/media/codec"
)

// network brings a packet each 20 ms, late by what it is told, to a buffer whose
// excess is cut out and put in as asked for.
type network struct {
	b         *Buffer
	now       time.Time // of the tick
	n         int
	queue     []arrival
	concealed time.Duration
	rest      int32 // samples of the last packet that are in the next frame; less than 0: that it lacks
}

type arrival struct {
	at     time.Time
	number int
}

func newNetwork() *network { return &network{b: New(Default()), now: time.Unix(1000, 0)} }

// run lets time pass; late says by how much the next packet is late.
func (w *network) run(d time.Duration, late func() time.Duration) {
	for range d / tick {
		w.queue = append(w.queue, arrival{w.now.Add(late()), w.n})
		w.n++
		w.now = w.now.Add(tick)
		w.bring()
		w.tick()
	}
}

func (w *network) bring() {
	var later []arrival
	for _, a := range w.queue {
		if a.at.After(w.now) {
			later = append(later, a)
			continue
		}
		w.b.Push(a.at, Packet{Codec: codec.PCMA, Seq: uint16(a.number), TS: uint32(a.number * frame), Span: frame,
			Payload: []byte{1}})
	}
	w.queue = later
}

func (w *network) tick() {
	w.rest -= w.b.Excess(w.now, w.now.Add(time.Duration(w.rest)*time.Second/clockRate))
	for w.rest < frame {
		s := w.b.Pop(w.now.Add(time.Duration(w.rest)*time.Second/clockRate), uint32(frame-max(0, w.rest)))
		if s.Kind == Conceal {
			w.concealed += w.b.time(int64(s.Span))
		}
		w.rest += int32(s.Span)
	}
	w.rest -= frame
}

func (w *network) delay() time.Duration { return w.b.Stats().Delay }

func even() time.Duration { return 0 }

// jitter makes packets late by up to most.
func jitter(most time.Duration) func() time.Duration {
	voice := rand.New(rand.NewPCG(uint64(most), 1))
	return func() time.Duration { return time.Duration(voice.Int64N(int64(most))) }
}

// TestFollowsJitter: the delay grows with the jitter at once and goes back some seconds
// after it; in between next to nothing has to be concealed.
func TestFollowsJitter(t *testing.T) {
	for _, most := range []time.Duration{10 * ms, 30 * ms, 60 * ms, 90 * ms} {
		w := newNetwork()
		w.run(3*time.Second, even)
		if d := w.delay(); d < 20*ms || d > 30*ms {
			t.Errorf("a delay of %v in a steady network", d)
		}
		noisy := jitter(most)
		w.run(500*ms, noisy)
		if got := w.b.Target(); got < most*2/3 || got > most+20*ms {
			t.Errorf("jitter of %v: a target of %v after half a second", most, got)
		}
		w.run(time.Second, noisy)
		w.concealed = 0
		w.run(20*time.Second, noisy)
		if got := w.b.Target(); got < most*8/10 || got > most+20*ms {
			t.Errorf("jitter of %v: a target of %v", most, got)
		}
		if w.concealed > 60*ms || w.b.Stats().Skipped != 0 {
			t.Errorf("jitter of %v: %v concealed, %+v", most, w.concealed, w.b.Stats())
		}
		w.run(6*time.Second, even)
		if d := w.delay(); d < 20*ms || d > 32*ms {
			t.Errorf("jitter of %v: a delay of %v long after it", most, d)
		}
	}
}

func TestTargetIsBounded(t *testing.T) {
	w := newNetwork()
	w.run(5*time.Second, jitter(300*ms))
	if got := w.b.Target(); got != 120*ms {
		t.Errorf("a target of %v, want no more than max", got)
	}
	if d := w.b.Stats().MeanDelay; d > 140*ms {
		t.Errorf("a mean delay of %v", d)
	}
	w = newNetwork()
	w.b.cfg.Min = 80 * ms
	w.b.Reset(clockRate)
	w.run(5*time.Second, even)
	if got := w.b.Target(); got != 80*ms {
		t.Errorf("a target of %v, want no less than min", got)
	}
}

// TestOneStall: what happens once tells nothing, what happens twice does.
func TestOneStall(t *testing.T) {
	w := newNetwork()
	w.run(5*time.Second, even)
	stall := func() {
		left := 80 * ms
		w.run(100*ms, func() time.Duration { left -= tick; return max(0, left+tick) })
	}
	stall()
	w.run(500*ms, even)
	if got := w.b.Target(); got > 30*ms {
		t.Errorf("a target of %v after a stall", got)
	}
	stall()
	w.run(500*ms, even)
	if got := w.b.Target(); got < 80*ms || got > 100*ms {
		t.Errorf("a target of %v after two stalls of 80 ms", got)
	}
	w.run(4*time.Second, even)
	if got := w.b.Target(); got > 30*ms {
		t.Errorf("a target of %v when the stalls are forgotten", got)
	}
}

// TestWayChanges: the network becomes slower or faster for good, and is measured anew.
func TestWayChanges(t *testing.T) {
	for _, by := range []time.Duration{50 * ms, 110 * ms, 300 * ms, -50 * ms, -300 * ms} {
		w := newNetwork()
		before, after := max(0, -by), max(0, by)
		w.run(3*time.Second, func() time.Duration { return before })
		w.run(time.Second, func() time.Duration { return after })
		w.concealed = 0
		w.run(6*time.Second, func() time.Duration { return after })
		if d := w.delay(); d < 20*ms || d > 30*ms || w.concealed != 0 {
			t.Errorf("by %v: a delay of %v, %v concealed", by, d, w.concealed)
		}
	}
}
