package jitter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
)

const ms = time.Millisecond

func TestInOrder(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.ticks(2)
		r.run(0, 6)
		r.heard(". . . 0 1 2 3 4 5")
	})
}

// The first packet waits for the tick after that for which it came, or as many ticks as the bounds say.
func TestBeginning(t *testing.T) {
	for c, want := range map[Config]string{
		{20 * ms, 120 * ms}:  ". 0 1 2 3 4",
		{20 * ms, 40 * ms}:   ". 0 1 2 3 4",
		{60 * ms, 120 * ms}:  ". . 0 1 2 3",
		{50 * ms, 120 * ms}:  ". . 0 1 2 3",
		{120 * ms, 120 * ms}: ". . . . . 0",
	} {
		scenes(t, c, func(r *rig) {
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
		{"neighbours swapped", func(r *rig) { r.send(0, 2, 1); r.tick(); r.send(4, 3); r.ticks(5) }, "0 1 2 3 4 ~"},
		{"backwards", func(r *rig) { r.send(4, 3, 2, 1, 0); r.ticks(6) }, "0 1 2 3 4 ~"},
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
				if s := r.b.Stats(); s.Late+s.Duplicate+s.Strange+s.Skipped+s.Lost != 0 {
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
		r.heard("0 1 2 ~")
		if s := r.b.Stats(); s.Duplicate != 5 || s.Late+s.Strange != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestLoss(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(r *rig)
		want string
		lost uint64
	}{
		{"one", func(r *rig) { r.run(0, 3); r.tick(); r.run(5, 8) }, ". 0 1 2 3 ~ 5 6 7", 1},
		{"two", func(r *rig) { r.run(0, 3); r.ticks(2); r.run(6, 8) }, ". 0 1 2 3 ~ ~ 6 7", 2},
		{"every second", func(r *rig) {
			for n := 0; n < 8; n += 2 {
				r.send(n)
				r.ticks(2)
			}
		}, ". 0 ~ 2 ~ 4 ~ 6", 3},
		{"more than is covered", func(r *rig) { r.run(0, 3); r.ticks(7); r.run(11, 14) },
			". 0 1 2 3 ~ ~ ~ . . . . 11 12 13", 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			scenes(t, Default(), func(r *rig) {
				test.play(r)
				r.heard(test.want)
				if s := r.b.Stats(); s.Lost != test.lost || s.Late+s.Skipped != 0 {
					r.t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A gap longer than what can be covered, with sound behind it that has come:
// silence until its turn, no jump.
func TestLongGapThatIsBoundedBehind(t *testing.T) {
	scenes(t, Config{120 * ms, 200 * ms}, func(r *rig) {
		r.run(0, 5)
		r.ticks(4)
		r.run(10, 16)
		r.heard(". . . . . 0 1 2 3 4 5 ~ ~ ~ . 10 11")
	})
}

// What is waited for and comes is heard, and the delay has grown by the waiting.
func TestWaitedFor(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 2)
		r.ticks(2) // 3 does not come in time
		r.send(3, 4)
		r.ticks(2)
		r.heard(". 0 1 2 ~ 3 4")
		if s := r.b.Stats(); s.Late+s.Lost != 0 || s.Played != 5 {
			r.t.Errorf("%+v", s)
		}
	})
}

// What comes when the sound behind it has begun is late.
func TestLate(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 2)
		r.tick()
		r.send(4)
		r.ticks(2)
		r.send(3, 5)
		r.tick()
		r.heard(". 0 1 2 ~ 4 5")
		if s := r.b.Stats(); s.Late != 1 || s.Lost != 1 || s.Played != 5 {
			r.t.Errorf("%+v", s)
		}
	})
}

// The beginning of a packet has missed its turn: the rest is still good.
func TestHalfLate(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 1)
		r.packet(3, 5*frame, frame)
		r.ticks(3)                    // 1, and the first two frames of the gap are covered
		r.packet(2, 2*frame, 3*frame) // which comes now
		r.ticks(2)
		r.heard(". 0 1 ~ ~ 4 5")
		if s := r.b.Stats(); s.Late+s.Lost != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

// The network becomes slower: nothing that comes is left out.
func TestNetworkBecomesSlower(t *testing.T) {
	for ticks, want := range map[int]string{
		1:  ". 0 1 2 3 4 5 6 7 8 9 10",
		4:  ". 0 1 2 3 4 ~ ~ ~ 5 6 7 8 9 10 11",
		50: ". 0 1 2 3 4 ~ ~ ~ " + strings.Repeat(". ", 46) + ". 5 6 7 8 9 10",
	} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 4)
			r.ticks(ticks)
			r.run(5, 11+min(0, ticks-2))
			got := strings.TrimSpace(r.log.String())
			if got != want {
				r.t.Errorf("after %d ticks: heard %q, want %q", ticks, got, want)
			}
			if s := r.b.Stats(); s.Late+s.Lost+s.Skipped != 0 {
				r.t.Errorf("%+v", s)
			}
		})
	}
}

// A sender is silent and then sends all at once: it is heard as it is now.
func TestBurst(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 4)
		r.ticks(100)
		for n := 5; n < 105; n++ {
			r.send(n)
		}
		r.log.Reset()
		r.run(105, 110)
		r.heard("104 105 106 107 108 109")
		if d := r.b.Stats().Delay; d != 40*ms {
			r.t.Errorf("delay of %v", d)
		}
	})
}

// We stand still for half a second while packets pile up.
func TestStall(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 99)
		r.now = r.now.Add(500 * ms)
		for n := 100; n < 125; n++ {
			r.send(n)
		}
		r.log.Reset()
		r.run(125, 125)
		for n := 126; n < 176; n++ {
			r.run(n, n)
			if d := r.b.Stats().Delay; d < 20*ms || d > 40*ms {
				r.t.Fatalf("a delay of %v", d)
			}
		}
		if s := r.b.Stats(); s.Late+s.Lost+s.Strange+s.Duplicate != 0 || s.Skipped < 23 || s.Skipped > 26 {
			r.t.Errorf("%+v", s)
		}
	})
}

// A pause without packets: the timestamps have gone on, the sequence numbers have not. That is
// no loss, and the sound after it waits as long as that before it.
func TestPause(t *testing.T) {
	for _, pause := range []int{5, 50, 500, 50000} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 3)
			r.now = r.now.Add(time.Duration(pause-10) * tick)
			r.ticks(10)
			r.log.Reset()
			for n := range 4 {
				r.packet(4+n, (4+pause+n)*frame, frame)
				r.tick()
			}
			if got := strings.TrimSpace(r.log.String()); !strings.HasSuffix(got,
				strings.Join(numbers(4+pause, 3), " ")) {
				r.t.Errorf("after %d frames %s", pause, got)
			}
			if s := r.b.Stats(); s.Lost+s.Strange+s.Late+s.Skipped != 0 {
				r.t.Errorf("%+v", s)
			}
		})
		if t.Failed() {
			t.Fatalf("%d frames", pause)
		}
	}
}

// A pause that is known before its time, because the packet behind it has come: silence, nothing is concealed.
func TestShortPause(t *testing.T) {
	scenes(t, Config{120 * ms, 120 * ms}, func(r *rig) {
		r.run(0, 5)
		r.ticks(3)
		for n := 6; n < 12; n++ {
			r.packet(n, (n+3)*frame, frame)
			r.tick()
		}
		r.heard(". . . . . 0 1 2 3 4 5 . . . 9")
	})
}

// The sender's clock stands while it pauses, as that of phones on hold does.
func TestPauseWithoutTime(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.ticks(200)
		r.log.Reset()
		r.run(4, 8)
		r.heard(". 4 5 6 7")
		if s := r.b.Stats(); s.Lost+s.Strange+s.Late+s.Skipped != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

// The old stream's stragglers do not bring it back to life.
func TestStragglersAfterTheEnd(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 1)
		r.run(3, 5)
		r.ticks(6)
		r.send(2, 4)
		r.ticks(4)
		r.heard(". 0 1 ~ 3 4 5 ~ ~ ~ . . . . .")
		if s := r.b.Stats(); s.Late != 1 || s.Duplicate != 1 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestComfortNoise(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.noise(4, 4*frame)
		r.ticks(20)
		r.noise(5, 24*frame) // another one, later
		r.ticks(10)
		r.heard(". 0 1 2 3" + strings.Repeat(" n", 29))
		for n := 6; n < 10; n++ {
			r.packet(n, (28+n)*frame, frame)
			r.tick()
		}
		r.heard("n 34 35 36")
		if s := r.b.Stats(); s.Lost+s.Strange+s.Late+s.Skipped != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

// The sender's clock is set while it speaks: its packets follow each other by number, and so does the sound.
func TestTimestampJumps(t *testing.T) {
	for _, jump := range []int{
		1 << 20, -(1 << 20), 1 << 30, -(1 << 30), clockRate + 5*frame, -clockRate - 5*frame,
		clockRate / 2, -clockRate / 2, clockRate / 5, -clockRate / 5, -frame,
	} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 3)
			r.heard(". 0 1 2")
			r.send(4, 5)
			r.ts += uint32(jump)
			r.run(6, 10)
			r.heard("3 4 5 6 7")
			if s := r.b.Stats(); s.Strange != 0 {
				r.t.Errorf("%+v", s)
			}
		})
	}
}

// The sender's clock is set while it pauses: the pause was as long as it was.
func TestTimestampJumpsInAPause(t *testing.T) {
	for _, jump := range []int{1 << 20, -(1 << 20), -100 * frame} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 3)
			r.ticks(50)
			r.ts += uint32(jump)
			r.log.Reset()
			r.run(4, 8)
			r.heard(". 4 5 6 7")
			if s := r.b.Stats(); s.Lost+s.Strange+s.Late+s.Skipped != 0 {
				r.t.Errorf("%+v", s)
			}
		})
	}
}

// The sequence number jumps and the sound goes on.
func TestSequenceJumps(t *testing.T) {
	for _, jump := range []uint16{100, 3000, 30000, 40000, 60000} {
		scenes(t, Default(), func(r *rig) {
			r.run(0, 3)
			r.seq += jump
			r.run(4, 8)
			r.heard(". 0 1 2 3 4 5 6 7")
			if s := r.b.Stats(); s.Strange+s.Late+s.Lost != 0 {
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
		r.heard("3 . 1 2 3") // 3 of the old stream, then the new one but for its first
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
		r.run(5, 6)
		r.heard(". 0 1 2 3 4 5")
		if s := r.b.Stats(); s.Strange != 5 || s.Late+s.Duplicate+s.Skipped != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

// Packets of any length play the same.
func TestPacketTimes(t *testing.T) {
	for _, long := range []int{10, 20, 30, 40, 60, 120} {
		for _, max := range []time.Duration{40 * ms, 120 * ms} {
			scenes(t, Config{20 * ms, max}, func(r *rig) {
				size := long * clockRate / 1000
				for n, due := 0, 0; n*long < 2400; n++ {
					r.packet(n, n*size, size)
					for due += long; due >= 20; due -= 20 {
						r.tick()
					}
				}
				s := r.b.Stats()
				if s.Played*uint64(long) < 2250 || s.Lost+s.Late+s.Skipped+s.Strange+s.Duplicate != 0 ||
					strings.Contains(r.log.String(), "~") {
					r.t.Errorf("%d ms: %+v: %s", long, s, r.log.String())
				}
			})
		}
	}
}

func TestLossOfLongPackets(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		const size = 240 // 30 ms
		r.packet(0, 0, size)
		r.ticks(2)
		r.packet(2, 2*size, size)
		r.ticks(5)
		r.heard(". 0 1+~ ~ 3 4+~ ~")
	})
}

// Phones that take timestamps from a clock of their own are off by some ticks.
func TestUnevenTimestamps(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		for n := range 40 {
			r.packet(n, n*frame+[]int{0, 7, -9, 15, -20}[n%5], frame)
			r.tick()
		}
		if s := r.b.Stats(); strings.Contains(r.log.String(), "~") || strings.Contains(r.log.String(), "+.") ||
			s.Played < 39 || s.Lost+s.Late+s.Strange != 0 {
			r.t.Errorf("%+v: %s", s, r.log.String())
		}
	})
}

// What is far behind the packet that began does not lengthen the delay.
func TestFarBehindTheFirst(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.send(20, 10)
		r.ticks(2)
		r.heard(". 20")
		if s := r.b.Stats(); s.Skipped != 1 {
			r.t.Errorf("%+v", s)
		}
	})
}

func TestReset(t *testing.T) {
	scenes(t, Default(), func(r *rig) {
		r.run(0, 3)
		r.packet(900, 1<<22, frame)
		r.b.Reset(clockRate)
		if r.b.Stats() != (Stats{}) {
			r.t.Errorf("%+v", r.b.Stats())
		}
		r.log.Reset()
		r.seq, r.ts = r.seq-30000, r.ts-1<<28
		r.run(0, 3)
		r.heard(". 0 1 2")
	})
}

// At another clock rate all is the same.
func TestClockRates(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000, 90000} {
		b, now := New(Default()), time.Unix(1, 0)
		b.Reset(rate)
		size := uint32(rate / 50)
		for n := range 100 {
			ts := uint32(n)*size - 50*size
			b.Push(now, Packet{Codec: codec.ID(4), Seq: uint16(n - 50), TS: ts, Span: size, Payload: []byte{1}})
			now = now.Add(tick)
			b.Excess(now, now)
			s := b.Pop(now, size)
			if want := n > 0; (s.Kind == Play) != want || s.Span != size {
				t.Fatalf("%d Hz: packet %d: %+v", rate, n, s)
			}
			if d := b.Stats().Delay; n > 1 && d != 40*ms {
				t.Fatalf("%d Hz: delay of %v", rate, d)
			}
		}
	}
}

func TestUnusablePackets(t *testing.T) {
	b, now := New(Default()), time.Unix(1, 0)
	for _, p := range []Packet{
		{Codec: codec.PCMA, Span: 160},
		{Codec: codec.PCMA, Payload: make([]byte, 160)},
		{Codec: codec.PCMA, Span: 961, Payload: make([]byte, 961)},
		{Codec: codec.ID(4), Span: 160, Payload: make([]byte, 2000)},
		{Span: 160, Payload: make([]byte, 160)},
		{},
	} {
		b.Push(now, p)
	}
	if s := b.Stats(); s.Strange != 6 || b.Pop(now.Add(time.Second), 160).Kind != Empty {
		t.Errorf("%+v", s)
	}
	b.Push(now, Packet{Codec: codec.PCMA, Span: 960, Payload: make([]byte, 960)})
	if s := b.Pop(now.Add(40*ms), 160); s.Kind != Play || s.Span != 960 || len(s.Payload) != 960 {
		t.Errorf("the longest packet is %+v", s)
	}
}

// More than there is room for, in number or in bytes, in any order: the oldest is left out.
func TestFull(t *testing.T) {
	for _, size := range []int{1, 160, 1000} {
		scenes(t, Default(), func(r *rig) {
			for _, n := range []int{0, 1, 3, 2, 7, 5, 4, 6} {
				for i := range 20 {
					payload := make([]byte, size)
					payload[0] = byte(20*n + i)
					at := 20*n + i
					r.b.Push(r.now, Packet{Codec: codec.ID(4), Seq: r.seq + uint16(at), TS: r.ts + uint32(at*80),
						Span: 80, Payload: payload})
				}
			}
			r.now = r.now.Add(tick)
			last := 159
			for n := last - 1; n <= last; n++ { // 40 ms before the end is 155
				for s := r.b.Pop(r.now, 160); s.Kind == Play && int(s.Payload[0]) < last; s = r.b.Pop(r.now, 160) {
					if len(s.Payload) != size {
						r.t.Fatalf("%d bytes", len(s.Payload))
					}
				}
			}
			if s := r.b.Stats(); s.Skipped+s.Played+s.Late != 160 || s.Skipped+s.Late < 90 {
				r.t.Errorf("%d bytes: %+v", size, s)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want []string
	}{
		{Default(), nil},
		{Config{20 * ms, 40 * ms}, nil},
		{Config{500 * ms, 500 * ms}, nil},
		{Config{25 * ms, 45 * ms}, nil},
		{Config{}, []string{"min: 0s", "max: 0s"}},
		{Config{19 * ms, 120 * ms}, []string{"min: 19ms"}},
		{Config{140 * ms, 120 * ms}, []string{"min: 140ms"}},
		{Config{40 * ms, 501 * ms}, []string{"max: 501ms"}},
		{Config{20 * ms, 39 * ms}, []string{"max: 39ms"}},
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
	if Empty.String() != "empty" || Play.String() != "play" || Conceal.String() != "conceal" ||
		Noise.String() != "noise" {
		t.Error("kinds have wrong names")
	}
}

func TestNothingAllocates(t *testing.T) {
	b, payload, now, n := New(Default()), make([]byte, frame), time.Unix(1, 0), 0
	allocations := testing.AllocsPerRun(1000, func() {
		b.Push(now, Packet{Codec: codec.PCMA, Seq: uint16(n), TS: uint32(n * frame), Span: frame, Payload: payload})
		b.Excess(now, now)
		b.Pop(now, frame)
		n, now = n+1, now.Add(tick)
		if n%100 == 0 {
			n += 1000 // begins anew
		}
		if n%300 == 0 {
			b.Reset(clockRate)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkPushPop(b *testing.B) {
	buffer, payload, now, n := New(Default()), make([]byte, frame), time.Unix(1, 0), 0
	for b.Loop() {
		buffer.Push(now, Packet{Codec: codec.PCMA, Seq: uint16(n), TS: uint32(n * frame), Span: frame,
			Payload: payload})
		now = now.Add(tick)
		buffer.Excess(now, now)
		buffer.Pop(now, frame)
		n++
	}
}
