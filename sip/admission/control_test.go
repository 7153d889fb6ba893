package admission

import (
	"math/rand/v2"
	"testing"
	"time"
)

// RFC 7339 §6: who is asked by loss soon leaves out what would be refused, and sends all again when there is room.
func TestControl(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const capacity = 100 // calls a second
	for _, load := range []float64{1.2, 2, 5, 10} {
		var c Control
		var o Obedience
		now := time.Unix(0, 0)
		room, begun, refused, came := 0.0, 0, 0, 0
		play := func(load float64, d time.Duration) {
			begun, refused, came = 0, 0, 0
			for end := now.Add(d); now.Before(end); {
				step := time.Duration(rng.ExpFloat64() / (load * capacity) * float64(time.Second))
				now = now.Add(step)
				room = min(20, room+capacity*step.Seconds())
				if came++; o.LeavesOut(now, rng.Uint64()) {
					continue
				}
				if is := room < 1; is {
					refused++
					c.Note(now, true)
				} else {
					room--
					begun++
					c.Note(now, false)
				}
				o.Told(now, c.Loss(now), ControlValidity, float64(now.UnixMilli()))
			}
		}
		play(load, 5*time.Second)
		play(load, 60*time.Second)
		if got := float64(begun) / (60 * capacity); got < 0.85 {
			t.Errorf("at %.1f × %.0f %% of what there is room for is used", load, 100*got)
		}
		if got, without := float64(refused), (load-1)*capacity*60; got > without/2 {
			t.Errorf("at %.1f × %d are sent in vain; without %.0f would be", load, refused, without)
		}
		play(0.5, 10*time.Second)
		play(0.5, 10*time.Second)
		if begun != came {
			t.Errorf("afterwards %d of %d are sent", begun, came)
		}
	}
}

func TestObedience(t *testing.T) {
	var o Obedience
	now := time.Unix(100, 0)
	if o.LeavesOut(now, 0) {
		t.Error("nobody has asked for it")
	}
	o.Told(now, 30, 2*time.Second, 5)
	o.Told(now, 0, 2*time.Second, 4)    // older
	o.Told(now, 101, 2*time.Second, 6)  // none
	o.Told(now, -1, 2*time.Second, 6.5) // none
	out := 0
	for rnd := range uint64(100) {
		if o.LeavesOut(now.Add(time.Second), rnd) {
			out++
		}
	}
	if out != 30 || o.LeavesOut(now.Add(2*time.Second), 0) {
		t.Errorf("%d of a hundred are left out", out)
	}
	o.Told(now.Add(3*time.Second), 10, time.Second, 1) // it has been started anew
	if !o.LeavesOut(now.Add(3*time.Second), 0) {
		t.Error("what it says after a restart is older")
	}
}
