package dtmf

import (
	"slices"
	"testing"
)

// packet is one event packet of a scene. seq and ts count from wherever the scene is set.
type packet struct {
	seq   uint16
	ts    uint32
	event Event
}

// scenes is where each scene is played: with the sequence number, and the
// timestamp, passing every kind of wrap in the middle of it.
func scenes(t *testing.T, play func(t *testing.T, seq uint16, ts uint32)) {
	t.Helper()
	for _, seq := range []uint16{0, 1, 100, 0x7ff0, 0x7fff, 0x8000, 0xfff0, 0xfff8, 0xfffc, 0xfffe, 0xffff} {
		for _, ts := range []uint32{0, 1, 0x7ffffe00, 0x7fffffff, 0x80000000, 0xfffff800, 0xfffffe00, 0xffffffff} {
			play(t, seq, ts)
			if t.Failed() {
				t.Fatalf("played from sequence number %#x, timestamp %#x", seq, ts)
			}
		}
	}
}

// key is a whole press as phones send it: a packet each 20 ms, the last three times.
func key(digit byte, seq uint16, ts uint32, packets int) []packet {
	var out []packet
	for i := range packets {
		out = append(out, packet{seq + uint16(i), ts, Event{Digit: digit, Duration: uint16(160 * (i + 1))}})
	}
	for i := range 3 {
		out = append(out, packet{seq + uint16(packets+i), ts,
			Event{Digit: digit, End: true, Duration: uint16(160 * (packets + 1))}})
	}
	return out
}

func join(presses ...[]packet) []packet { return slices.Concat(presses...) }

// without leaves out the packets at these places.
func without(in []packet, places ...int) []packet {
	var out []packet
	for i, p := range in {
		if !slices.Contains(places, i) {
			out = append(out, p)
		}
	}
	return out
}

func order(in []packet, places ...int) []packet {
	var out []packet
	for _, i := range places {
		out = append(out, in[i])
	}
	return out
}

func TestReceiver(t *testing.T) {
	five := key('5', 10, 1000, 4)                                    // 7 packets
	star1 := join(key('*', 10, 1000, 4), key('1', 27, 1000+3200, 4)) // *1
	twice := join(key('5', 10, 1000, 2), key('5', 15, 1000+640, 2))  // 80 ms from press to press
	long := key('7', 10, 1000, 400)                                  // 8 s
	longer := long[:400]                                             // goes on in a second segment
	tail := key('7', 410, 1000+64000, 20)                            //
	runsOn := []packet{{10, 1000, Event{Digit: '3', Duration: 160}}} // the timestamp is not that of the beginning
	for i := range uint32(7) {
		runsOn = append(runsOn, packet{11 + uint16(i), 1000 + 160*(i+1),
			Event{Digit: '3', End: i > 3, Duration: uint16(320 + 160*i)}})
	}
	stamped := func(digit byte, seq uint16, ts uint32) []packet { // each end packet has a timestamp of its own
		in := key(digit, seq, ts, 4)
		for i := range uint32(3) {
			in[4+i].ts = ts + 960 + 480*i
		}
		return in
	}
	standsStill := join(key('4', 10, 1000, 4), key('4', 30, 1000, 4), key('4', 50, 1000, 4))

	for _, test := range []struct {
		name string
		in   []packet
		want string
	}{
		{"one press", five, "5"},
		{"a code", star1, "*1"},
		{"lost beginning", without(five, 0, 1, 2), "5"},
		{"only the end packets", five[4:], "5"},
		{"only one of three end packets", order(five, 5), "5"},
		{"lost end", five[:4], "5"},
		{"lost end, then another key", join(five[:4], key('6', 30, 5000, 4)), "56"},
		{"lost end, then the same key", join(five[:4], key('5', 30, 5000, 4)), "55"},
		{"lost end, then the same key as fast as can be", without(twice, 2, 3, 4), "55"},
		{"one packet of each", order(star1, 3, 9), "*1"},
		{"the same key twice fast", twice, "55"},
		{"the same key twice fast, beginnings lost", without(twice, 0, 1, 5, 6), "55"},
		{"three times fast", join(twice, key('5', 20, 1000+1280, 2)), "555"},
		{"backwards", order(five, 6, 5, 4, 3, 2, 1, 0), "5"},
		{"end before beginning", order(five, 4, 0, 1, 2, 5, 3, 6), "5"},
		{"every packet twice", join(order(five, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6)), "5"},
		{"end packets overtaken by the next key", order(star1, 0, 1, 2, 3, 7, 8, 4, 5, 9, 6, 10, 11, 12), "*1"},
		{"end packets overtaken by the same key", order(twice, 0, 1, 5, 2, 6, 3, 4, 7, 8, 9), "55"},
		{"all of it again, later", join(star1, star1), "*1"},
		{"a long press", long, "7"},
		{"a press longer than an event can say", join(longer, tail), "7"},
		{"a long press again, end lost", join(longer, key('7', 900, 1000+64000+70000, 3)), "77"},
		{"timestamp runs on", runsOn, "3"},
		{"timestamp runs on, then the key again", join(runsOn, key('3', 60, 1000+4000, 3)), "33"},
		{"timestamp stands still", standsStill, "444"},
		{"timestamp stands still, keys differ", join(key('*', 10, 1000, 4), key('1', 30, 1000, 4)), "*1"},
		{"end packets stamped anew", stamped('8', 10, 1000), "8"},
		{"end packets stamped anew, one lost", without(stamped('8', 10, 1000), 5), "8"},
		{"end packets stamped anew, a code", join(stamped('*', 10, 1000), stamped('8', 22, 5000),
			stamped('0', 34, 9000), stamped('2', 46, 13000)), "*802"},
		{"end packets stamped anew, twice", join(stamped('8', 10, 1000), stamped('8', 22, 5000)), "88"},
		{"timestamp jumps back", join(key('1', 10, 1<<20, 4), key('2', 30, 5000, 4)), "12"},
		{"duration stays zero", []packet{{10, 9, Event{Digit: '8'}}, {11, 9, Event{Digit: '8'}},
			{12, 9, Event{Digit: '8', End: true}}}, "8"},
		{"flash", key('!', 10, 1000, 4), "!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			scenes(t, func(t *testing.T, seq uint16, ts uint32) {
				if got := pressed(&Receiver{}, seq, ts, test.in); got != test.want {
					t.Errorf("%q, want %q", got, test.want)
				}
				fast, ok := faster(test.in)
				if got := pressed(&Receiver{ClockRate: 48000}, seq, ts, fast); ok && got != test.want {
					t.Errorf("at 48 kHz %q, want %q", got, test.want)
				}
			})
		})
	}
}

// pressed is what a receiver makes of a scene.
func pressed(r *Receiver, seq uint16, ts uint32, in []packet) string {
	var got []byte
	for _, p := range in {
		if digit, ok := r.Push(seq+p.seq, ts+p.ts, Append(nil, p.event)); ok {
			got = append(got, digit)
		}
	}
	return string(got)
}

// faster is a scene of 8 kHz by the clock of Opus; not ok when an event is too long to be said there.
func faster(in []packet) (out []packet, ok bool) {
	for _, p := range in {
		if p.event.Duration > 0xffff/6 {
			return nil, false
		}
		p.ts, p.event.Duration = 6*p.ts, 6*p.event.Duration
		out = append(out, p)
	}
	return out, true
}

// At 48 kHz an event has room for 1.4 s: a key that is held longer goes on in
// further segments, RFC 4733 §2.5.1.3, each from where the one before was full.
func TestReceiverOfALongKeyAt48kHz(t *testing.T) {
	var held []packet
	for i := range 250 { // 5 s
		at := 960 * (i + 1)
		held = append(held, packet{uint16(10 + i), uint32(at / 0xffff * 0xffff),
			Event{Digit: '7', Duration: uint16(at % 0xffff)}})
	}
	last := held[len(held)-1]
	last.event.End = true
	for range 3 {
		last.seq++
		held = append(held, last)
	}
	var thinned []packet // seven of eight lost
	for i := 0; i < len(held); i += 8 {
		thinned = append(thinned, held[i])
	}
	again, _ := faster(key('7', 300, (250*960+48000)/6, 4))
	for name, c := range map[string]struct {
		in   []packet
		want string
	}{
		"held": {held, "7"}, "held, with losses": {thinned, "7"}, "held, then again": {join(held, again), "77"},
		"held, its end lost, then again": {join(held[:250], again), "77"},
	} {
		scenes(t, func(t *testing.T, seq uint16, ts uint32) {
			if got := pressed(&Receiver{ClockRate: 48000}, seq, ts, c.in); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		})
	}
}

// A phone's pad for a minute: nothing is lost and nothing comes twice when each
// packet is swapped with its neighbour and every third is gone.
func TestReceiverOfManyKeys(t *testing.T) {
	scenes(t, func(t *testing.T, seq uint16, ts uint32) {
		var r Receiver
		var want, got []byte
		var stream []packet
		for i := range uint32(200) {
			digit := Keys[(i*i)%16]
			want = append(want, digit)
			stream = append(stream, key(digit, uint16(i*10), i*1600, 4)...)
		}
		for i := range stream {
			p := stream[min(i^1, len(stream)-1)]
			if i%3 == 2 {
				continue
			}
			if digit, ok := r.Push(seq+p.seq, ts+p.ts, Append(nil, p.event)); ok {
				got = append(got, digit)
			}
		}
		if string(got) != string(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestReceiverPassesOverWhatIsNoKey(t *testing.T) {
	var r Receiver
	for _, payload := range [][]byte{nil, {5}, {5, 0, 0}, {17, 0, 0, 160}, {255, 255, 255, 255}} {
		if digit, ok := r.Push(1, 1, payload); ok {
			t.Errorf("% x gave %q", payload, digit)
		}
	}
	if digit, ok := r.Push(2, 1, []byte{5, 0, 0, 160}); !ok || digit != '5' {
		t.Errorf("the key behind it: %q, %v", digit, ok)
	}
}

func TestReceiverAllocatesNothing(t *testing.T) {
	var r Receiver
	payload, seq := Append(nil, Event{Digit: '5'}), uint16(0)
	if n := testing.AllocsPerRun(100, func() { r.Push(seq, uint32(seq)*100, payload); seq++ }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever comes: a digit is a key, and the same packet again is never news.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{5, 0, 0, 160, 0, 1, 0, 0, 5, 0x80, 1, 0, 0, 2, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		var r Receiver
		for ; len(in) >= 8; in = in[8:] {
			seq, ts := uint16(in[4])<<8|uint16(in[5]), uint32(in[6])<<16|uint32(in[7])
			digit, ok := r.Push(seq, ts, in[:4])
			if ok && !isKey(digit) {
				t.Fatalf("%q is no key", digit)
			}
			if digit, ok := r.Push(seq, ts, in[:4]); ok {
				t.Fatalf("%q twice", digit)
			}
		}
	})
}
