package jitter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.ticks(2)
		r.run(0, 6)
		r.heard(". . . 0 1 2 3 4 5")
	})
}

func TestDelay(t *testing.T) {
	for delay, want := range map[time.Duration]string{
		20 * time.Millisecond: "0 1 2 3 4 5", 40 * time.Millisecond: ". 0 1 2 3 4", 80 * time.Millisecond: ". . . 0 1 2",
	} {
		scenes(t, Config{Delay: delay, Max: 120 * time.Millisecond}, func(r *rig) {
			r.run(0, 5)
			r.heard(want)
		})
	}
}

func TestOutOfOrder(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(r *rig)
		want string
	}{
		{"neighbours swapped", func(r *rig) { r.send(0, 2, 1); r.tick(); r.send(4, 3); r.ticks(5) }, ". 0 1 2 3 4"},
		{"backwards", func(r *rig) { r.send(4, 3, 2, 1, 0); r.ticks(6) }, ". 0 1 2 3 4"},
		{"the first one late", func(r *rig) { r.send(1); r.tick(); r.send(0, 2); r.ticks(4) }, ". 0 1 2 ~"},
		{"in time by a hair", func(r *rig) {
			r.send(0)
			r.tick()
			r.send(2)
			r.tick()
			r.send(1)
			r.ticks(2)
		}, ". 0 1 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			scenes(t, Default(), func(r *rig) {
				test.play(r)
				r.heard(test.want)
				if s := r.b.Stats(); s.Late+s.Duplicate+s.Strange+s.Skipped != 0 {
					r.t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestDuplicates(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.send(0, 0, 1, 0, 1)
		r.ticks(2)
		r.send(0)
		r.send(2, 2)
		r.ticks(2)
		r.heard(". 0 1 2")
		if s := r.b.Stats(); s.Duplicate != 4 || s.Late != 1 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestLoss(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(r *rig)
		want string
	}{
		{"one", func(r *rig) { r.run(0, 3); r.tick(); r.run(5, 8) }, ". 0 1 2 3 ~ 5 6 7"},
		{"two", func(r *rig) { r.run(0, 3); r.ticks(2); r.run(6, 8) }, ". 0 1 2 3 ~ ~ 6 7"},
		{"every second", func(r *rig) {
			for n := 0; n < 8; n += 2 {
				r.send(n)
				r.ticks(2)
			}
		}, ". 0 ~ 2 ~ 4 ~ 6"},
		{"so many that the stream begins anew", func(r *rig) { r.run(0, 3); r.ticks(7); r.run(11, 14) }, ". 0 1 2 3 ~ ~ ~ . . . . 11 12 13"},
	} {
		t.Run(test.name, func(t *testing.T) {
			scenes(t, Default(), func(r *rig) {
				test.play(r)
				r.heard(test.want)
			})
		})
	}
}

// A gap longer than what can be covered, with sound behind it that has come:
// silence until its turn, no jump.
func TestLongGapThatIsBoundedBehind(t *testing.T) {
	scenes(t, Config{Delay: 120 * time.Millisecond, Max: 200 * time.Millisecond}, func(r *rig) {
		r.run(0, 5)
		r.ticks(4)
		r.run(10, 16)
		r.heard(". . . . . 0 1 2 3 4 5 ~ ~ ~ . 10 11")
	})
}

func TestLate(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 2)
		r.ticks(2) // 3 does not come in time
		r.send(3, 4)
		r.ticks(2)
		r.heard(". 0 1 2 ~ 4 ~")
		if s := r.b.Stats(); s.Late != 1 || s.Concealed != 2 || s.Played != 4 {
			r.t.Errorf("%+v", s)
		}
	})
}

// The beginning of a packet has missed its turn: the rest is still good.
func TestHalfLate(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 1)
		r.ticks(3) // 1, and 2 and 3 are missed
		r.packet(2, 2*frame, 5*frame)
		r.ticks(3)
		r.heard(". 0 1 ~ ~ 4 5 6")
		r.holes(8)
	})
}

// The network becomes slower by more than the delay: the first packets are
// late, then the buffer begins anew and all is well again.
func TestNetworkBecomesSlower(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 4)
		r.ticks(4)
		r.run(5, 14)
		r.heard(". 0 1 2 3 4 ~ ~ ~ . 5 6 7 8 9 10 11 12 13")
		if s := r.b.Stats(); s.Late != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestBurstIsBounded(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 4)
		r.ticks(12)
		r.send(5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
		if d := r.b.Depth(); d > 120*time.Millisecond {
			r.t.Errorf("%v are held", d)
		}
		r.run(17, 22)
		r.heard(". 0 1 2 3 4 ~ ~ ~ . . . . . . . . . 15 16 17 18 19")
		r.holes(24)
	})
}

// A sender whose clock is faster: what is too much is left out, the delay never grows beyond its bound.
func TestFastSender(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		for n := range 300 {
			r.send(n)
			if n%10 != 9 { // 11 % faster
				r.tick()
			}
			if d := r.b.Depth(); d > 120*time.Millisecond {
				r.t.Fatalf("packet %d: %v are held", n, d)
			}
		}
		s := r.b.Stats()
		if s.Concealed != 0 || s.Late != 0 || s.Skipped == 0 || s.Played < 265 {
			r.t.Errorf("%+v", s)
		}
	})
}

// A slower one: the buffer runs dry now and then and fills up again.
func TestSlowSender(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		for n := range 300 {
			r.send(n)
			r.tick()
			if n%10 == 9 {
				r.tick()
			}
		}
		s := r.b.Stats()
		if s.Skipped != 0 || s.Played < 150 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestPause(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.ticks(50)
		r.log.Reset()
		for n := range 4 { // the timestamp went on, the sequence number did not
			r.packet(4+n, (54+n)*frame, frame)
			r.tick()
		}
		r.heard(". 54 55 56")
	})
}

// The old stream's stragglers do not bring it back to life.
func TestStragglersAfterTheEnd(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.ticks(6)
		r.send(3)
		r.ticks(4)
		r.heard(". 0 1 2 3 ~ ~ ~ . . . . . .")
		if s := r.b.Stats(); s.Strange != 1 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestTimestampJumps(t *testing.T) {
	for _, jump := range []int{1 << 20, -(1 << 20), 1 << 30, -(1 << 30), farTicks + 5*frame, -farTicks - 5*frame} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 3)
			r.heard(". 0 1 2")
			r.send(4, 5) // held, and then given up
			r.ts += uint32(jump)
			r.run(6, 10)
			r.heard(". 6 7 8 9")
			r.holes(12)
			if s := r.b.Stats(); s.Strange != 0 {
				r.t.Errorf("%+v", s)
			}
		})
	}
}

// Sequence number and timestamp begin anew: the second packet proves it.
func TestStreamBeginsAnew(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.seq += 20000
		r.ts += uint32(200000 * frame)
		r.log.Reset()
		r.run(0, 4)
		r.heard("-199997 . 1 2 3") // 3 of the old stream, then the new one but for its first
		if s := r.b.Stats(); s.Strange != 1 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestStrayPacketsChangeNothing(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 2)
		r.packet(500, 1<<20, frame)
		r.run(3, 3)
		r.packet(900, 1<<22, frame)
		r.packet(700, 1<<21, frame)
		r.packet(702, 1<<21+frame, frame)
		r.run(4, 4)
		r.packet(703, 1<<21+2*frame, frame)
		r.run(5, 5)
		r.heard(". 0 1 2 3 4")
		if s := r.b.Stats(); s.Strange != 5 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestPacketsOfOtherLengths(t *testing.T) {
	for ms, delay := range map[int]int{5: 40, 10: 40, 20: 40, 30: 40, 40: 40, 60: 60, 120: 120} {
		scenes(t, Config{Delay: time.Duration(delay) * time.Millisecond, Max: 240 * time.Millisecond}, func(r *rig) {
			size := ms * clockRate / 1000
			for n, due := 0, 0; n*ms < 1200; n++ {
				r.packet(n, n*size, size)
				for due += ms; due >= 20; due -= 20 {
					r.tick()
				}
			}
			if s := r.b.Stats(); s.Played < 48 || s.Concealed+s.Late+s.Skipped+s.Strange+s.Duplicate != 0 {
				r.t.Errorf("%d ms: %+v: %s", ms, s, r.log.String())
			}
		})
	}
}

func TestLossOfLongPackets(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		const size = 240 // 30 ms
		r.packet(0, 0, size)
		r.packet(2, 2*size, size)
		r.ticks(7)
		r.heard(". 0 ~ ~ 3 ~ ~") // 1.5 to 3 is lost, and 4.5 is not there yet
	})
}

// A packet longer than the delay, and than all that may be held, is no reason to leave anything out.
func TestPacketsLongerThanTheBuffer(t *testing.T) {
	for _, frames := range []int{3, 4, 6} {
		scenes(t, Config{Delay: 20 * time.Millisecond, Max: 40 * time.Millisecond}, func(r *rig) {
			for n := range 10 {
				r.packet(n, n*frames*frame, frames*frame)
				r.ticks(frames - min(1, n%2)) // the next one comes with a frame still there, or not
				if n%2 == 0 && n > 0 {
					r.tick()
				}
			}
			if s := r.b.Stats(); s.Skipped+s.Late+s.Strange+s.Duplicate+s.Concealed != 0 || s.Played < uint64(9*frames) {
				r.t.Errorf("%d frames: %+v: %s", frames, s, r.log.String())
			}
			r.packet(10, 10*frames*frame, frames*frame)
			r.packet(11, 11*frames*frame, frames*frame)
			r.log.Reset()
			if r.tick(); r.log.String() != fmt.Sprintf(" %d", 11*frames) {
				r.t.Errorf("%d frames: after a burst of two %s", frames, r.log.String())
			}
		})
	}
}

// What is far behind the packet that began does not lengthen the delay.
func TestFarBehindTheFirst(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.send(20, 10)
		if d := r.b.Depth(); d != 20*time.Millisecond {
			r.t.Errorf("%v are held", d)
		}
		r.ticks(2)
		r.heard(". 20")
	})
}

func TestReset(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.packet(900, 1<<22, frame)
		r.b.Reset()
		if r.b.Depth() != 0 || r.b.Stats() != (Stats{}) {
			r.t.Errorf("%v, %+v", r.b.Depth(), r.b.Stats())
		}
		r.log.Reset()
		r.seq, r.ts = r.seq-30000, r.ts-1<<28
		r.run(0, 3)
		r.heard(". 0 1 2")
	})
}

func TestDepth(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		for n, want := range []int{20, 40, 60} {
			if r.send(n); r.b.Depth() != time.Duration(want)*time.Millisecond {
				r.t.Errorf("after %d packets %v", n+1, r.b.Depth())
			}
		}
	})
}

func TestUnusablePayloads(t *testing.T) {
	b := New(Default())
	b.Push(time.Unix(1, 0), 1, 1, nil)
	b.Push(time.Unix(1, 0), 1, 1, make([]byte, largest+1))
	if s := b.Stats(); s.Strange != 2 || b.Depth() != 0 {
		t.Errorf("%+v, %v", s, b.Depth())
	}
	b.Push(time.Unix(1, 0), 1, 1, make([]byte, largest))
	if d := b.Depth(); d != 120*time.Millisecond {
		t.Errorf("%v are held of the largest", d)
	}
}

func TestValidate(t *testing.T) {
	ms := time.Millisecond
	for _, test := range []struct {
		c    Config
		want []string
	}{
		{Default(), nil},
		{Config{20 * ms, 40 * ms}, nil},
		{Config{500 * ms, 500 * ms}, nil},
		{Config{}, []string{"delay: 0s", "max: 0s"}},
		{Config{30 * ms, 120 * ms}, []string{"delay: 30ms"}},
		{Config{140 * ms, 120 * ms}, []string{"delay: 140ms"}},
		{Config{40 * ms, 520 * ms}, []string{"max: 520ms"}},
		{Config{40 * ms, 50 * ms}, []string{"max: 50ms"}},
	} {
		err := test.c.Validate()
		if (err == nil) != (test.want == nil) {
			t.Errorf("%+v: %v", test.c, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v lacks %q", test.c, err, want)
			}
		}
	}
	var joined interface{ Unwrap() []error }
	if err := (Config{}).Validate(); !errors.As(err, &joined) || len(joined.Unwrap()) != 2 {
		t.Errorf("not every error: %v", err)
	}
}

func TestKindNames(t *testing.T) {
	if Empty.String() != "empty" || Play.String() != "play" || Conceal.String() != "conceal" {
		t.Error("kinds have wrong names")
	}
}

func TestNothingAllocates(t *testing.T) {
	b, payload, now, n := New(Default()), make([]byte, frame), time.Unix(1, 0), 0
	allocations := testing.AllocsPerRun(1000, func() {
		b.Push(now, uint16(n), uint32(n*frame), payload)
		b.Pop(now)
		n, now = n+1, now.Add(tick)
		if n%100 == 0 {
			n += 1000 // begins anew
		}
		if n%300 == 0 {
			b.Reset()
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkPushPop(b *testing.B) {
	buffer, payload, now, n := New(Default()), make([]byte, frame), time.Unix(1, 0), 0
	for b.Loop() {
		buffer.Push(now, uint16(n), uint32(n*frame), payload)
		buffer.Pop(now)
		n, now = n+1, now.Add(tick)
	}
}
