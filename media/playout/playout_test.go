package playout

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/pcm"
	"liandong/media/pcm/pcmtest"
)

// TestExact: what comes in order is heard sample by sample, from 40 ms after its arrival on, but for the first 2 ms
// that come up out of silence.
func TestExact(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU, codec.G722} {
		a := newParty(t, id, id.Rate())
		decoder := codec.NewDecoder(id)
		a.run(300 * ms)
		want := make([]int16, 0, a.said)
		coder := codec.NewEncoder(id)
		for at := 0; at < a.said; at += id.Rate() / 50 {
			samples, payload, frame := make([]int16, id.Rate()/50), make([]byte, 160), make([]int16, id.Rate()/50)
			for i := range samples {
				samples[i] = a.voice(at + i)
			}
			coder.Encode(payload, samples)
			decoder.Decode(frame, payload)
			want = append(want, frame...)
		}
		start := id.Rate() / 50 // the first packet came for the first tick, and waits for another
		for i, s := range a.out {
			risen := start + id.Rate()/500
			if i < start && s != 0 || i >= risen && s != want[i-start] {
				t.Fatalf("%v: sample %d is %d", id, i, s)
			}
		}
		if a.audible[0] || !a.audible[1] || !a.audible[14] {
			t.Errorf("%v: audible %v", id, a.audible)
		}
		if s := a.p.Stats(); s.Frames != 14 || s.Concealed+s.Warped+s.Lost+s.Late != 0 || s.Delay != 40*ms ||
			s.MeanDelay != 40*ms {
			t.Errorf("%v: %+v", id, s)
		}
	}
}

// TestSettles: in a steady network the delay goes down to what a tick needs, by cuts alone.
func TestSettles(t *testing.T) {
	voice := pcmtest.Speech(t)
	for _, rate := range []int{8000, 16000} {
		a := newParty(t, codec.PCMA, rate)
		a.voice = func(i int) int16 { return voice[(20000+i)%len(voice)] }
		a.run(5 * time.Second)
		s := a.p.Stats()
		if s.Delay < 20*ms || s.Delay > 32*ms || s.Warped == 0 {
			t.Errorf("%d Hz: %+v", rate, s)
		}
		if s.Lost+s.Late+s.Skipped+s.Concealed != 0 {
			t.Errorf("%d Hz: %+v", rate, s)
		}
	}
}

// TestSkew: half an hour with a sender whose clock is wrong by 100 ppm, which is 180 ms in the
// end: nine times the packets move over a tick, and while they do so some come just too late for it. The delay stays
// within a tick, nothing is lost, and what is concealed is heard later.
func TestSkew(t *testing.T) {
	voice := pcmtest.Speech(t)
	for _, ppm := range []time.Duration{100, -100} {
		for _, id := range []codec.ID{codec.PCMA} {
			a := newParty(t, id, 8000)
			dice := rand.New(rand.NewPCG(uint64(ppm), 1))
			a.voice = func(i int) int16 { return voice[i%len(voice)] }
			a.pace = tick - tick*ppm/1_000_000
			a.late = func() time.Duration { return time.Duration(dice.IntN(4000)) * time.Microsecond }
			a.run(20 * time.Second)
			settled, low, high := a.p.Stats().Delay, time.Hour, time.Duration(0)
			warped := a.p.Stats().Warped
			for range 30 * 60 * 50 {
				a.run(tick)
				d := a.p.Stats().Delay
				low, high = min(low, d), max(high, d)
				a.forget()
			}
			a.voice = babble(id.Rate())
			a.run(time.Second)
			s := a.p.Stats()
			t.Logf("%d ppm, %v: settled at %v, then %v to %v, heard %v; %d ms warped, %d frames concealed",
				ppm, id, settled, low, high, a.delay(), (s.Warped-warped)/8, s.Concealed)
			if low < settled-tick-2*ms || high > settled+tick+2*ms {
				t.Errorf("%d ppm, %v: the delay leaves %v ± a tick", ppm, id, settled)
			}
			if s.Lost+s.Late+s.Skipped+s.Strange+s.Duplicate != 0 || s.Concealed > 4*9 || s.Frames < 30*60*50 {
				t.Errorf("%d ppm, %v: %+v", ppm, id, s)
			}
			if got := (s.Warped-warped)/8 + 20*s.Concealed; got < 150 || got > 900 {
				t.Errorf("%d ppm, %v: %d ms warped or concealed, want about 180 and what moves back", ppm, id, got)
			}
		}
	}
}

// TestStall: we stand still for half a second.
func TestStall(t *testing.T) {
	a := newParty(t, codec.PCMA, 8000)
	a.run(5 * time.Second)
	before := a.delay()
	a.now = a.now.Add(500 * ms)
	a.run(time.Second)
	if after := a.delay(); after > before+10*ms || after < before-10*ms {
		t.Errorf("a delay of %v, was %v before", after, before)
	}
	if s := a.p.Stats(); s.Lost+s.Late+s.Strange != 0 || s.Concealed > 1 {
		t.Errorf("%+v", s)
	}
}

// TestBurst: the sender is silent for two seconds and then sends them all at once.
func TestBurst(t *testing.T) {
	a := newParty(t, codec.PCMA, 8000)
	a.run(5 * time.Second)
	before := a.delay()
	end := a.now.Add(2 * time.Second)
	a.late = func() time.Duration { return max(0, end.Sub(a.clock)) }
	a.run(3 * time.Second)
	if after := a.delay(); after > before+10*ms || after < before-10*ms {
		t.Errorf("a delay of %v, was %v before", after, before)
	}
	if s := a.p.Stats(); s.Lost+s.Strange != 0 || s.Concealed > 4 {
		t.Errorf("%+v", s)
	}
}

// TestLoss: with a twentieth of the packets lost as many frames are concealed, and none is silent.
func TestLoss(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, id := range []codec.ID{codec.PCMU, codec.G722} {
			a := newParty(t, id, rate)
			dice := rand.New(rand.NewPCG(7, 7))
			a.lost = func() bool { return dice.IntN(20) == 0 }
			a.run(20 * time.Second)
			s := a.p.Stats()
			if s.Lost < 30 || s.Lost > 70 || s.Concealed < s.Lost || s.Concealed > 2*s.Lost+2 || s.Late+s.Skipped != 0 {
				t.Errorf("%v at %d Hz: %+v", id, rate, s)
			}
			for i, audible := range a.audible[2:] {
				if frame := a.out[(i+2)*rate/50 : (i+3)*rate/50]; !audible || pcm.Level(frame) < -45 {
					t.Errorf("%v at %d Hz: frame %d has %.0f dBFS, audible %v", id, rate, i+2, pcm.Level(frame),
						audible)
				}
			}
		}
	}
}

// TestOutage: what is gone for good fades away and is silent, and comes back.
func TestOutage(t *testing.T) {
	a := newParty(t, codec.PCMA, 8000)
	a.run(time.Second)
	a.forget()
	a.lost = func() bool { return true }
	a.run(time.Second)
	if !a.audible[3] || a.audible[8] || pcm.Level(a.out[8*160:]) > -90 {
		t.Errorf("audible %v", a.audible)
	}
	a.lost = func() bool { return false }
	a.run(200 * ms)
	if d := a.delay(); d > 70*ms {
		t.Errorf("a delay of %v", d)
	}
}

// TestCodecChanges: a party changes its codec, even with each packet, and its tone does not break.
func TestCodecChanges(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, order := range [][]codec.ID{
			{codec.PCMA, codec.PCMU}, {codec.PCMA, codec.G722}, {codec.G722, codec.PCMU, codec.PCMA},
		} {
			for _, each := range []int{1, 10} {
				a := newParty(t, order[0], rate)
				seconds := 0.
				for n := range 60 {
					id := order[n/each%len(order)]
					if id != a.id {
						a.id, a.coder = id, codec.NewEncoder(id)
					}
					a.said = int(math.Round(seconds * float64(id.Rate())))
					a.voice = sine(400, id.Rate())
					a.run(tick)
					seconds += 0.02
				}
				smooth := roughness(a.out[len(a.out)/2:])
				// A sine of 400 Hz has (2π·400/rate)² times its amplitude; a click has all of it. G.722 is coarser
				// beside G.711 than its own bits, by one bit of level.
				if limit := 8000*math.Pow(2*math.Pi*400/float64(rate), 2) + 3000; smooth > limit {
					t.Errorf("%v at %d Hz, each %d packets: a step of %.0f, want less than %.0f", order, rate, each,
						smooth, limit)
				}
				if s := a.p.Stats(); s.Lost+s.Late+s.Concealed+s.Strange != 0 {
					t.Errorf("%v at %d Hz: %+v", order, rate, s)
				}
			}
		}
	}
}

// TestPause: a pause that the sender leaves out is silent and is no loss, and the next word
// comes with the delay of the one before.
func TestPause(t *testing.T) {
	a := newParty(t, codec.PCMA, 8000)
	a.run(2 * time.Second)
	for range 20 {
		a.idle(700 * ms)
		if a.audible[len(a.audible)-1] {
			t.Fatal("a pause is heard")
		}
		a.run(500 * ms)
		if d := a.delay(); d > 60*ms {
			t.Errorf("a delay of %v", d)
		}
	}
	if s := a.p.Stats(); s.Lost+s.Late+s.Strange+s.Skipped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestComfortNoise: from a packet of comfort noise on there is noise of its level, until the party speaks.
func TestComfortNoise(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		a := newParty(t, codec.PCMA, rate)
		a.run(time.Second)
		for _, level := range []byte{50, 66, 0x80 | 50, 3} {
			a.way = append(a.way, flight{a.now, 0, a.seq, a.ts, []byte{level, 10, 20}})
			a.seq++
			a.forget()
			a.idle(2 * time.Second)
			want := -max(30, float64(level&0x7f))
			if got := pcm.Level(a.out[rate/5:]); math.Abs(got-want) > 1 {
				t.Errorf("%d Hz: level %d is heard as %.1f dBFS", rate, level, got)
			}
			for i, audible := range a.audible {
				if !audible {
					t.Fatalf("frame %d of comfort noise is not heard", i)
				}
			}
			a.run(500 * ms)
			if d := a.delay(); d > 60*ms {
				t.Errorf("a delay of %v after the pause", d)
			}
		}
		if s := a.p.Stats(); s.Lost+s.Late+s.Strange+s.Skipped != 0 || s.Concealed > 4 {
			t.Errorf("%+v", s)
		}
	}
}

// TestRateChanges: the listener's rate changes in the middle of a tone.
func TestRateChanges(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		a := newParty(t, id, 8000)
		a.voice = sine(300, id.Rate())
		a.run(510 * ms)
		for _, rate := range []int{16000, 8000, 16000} {
			a.rate = rate
			before := a.out[len(a.out)-1]
			a.forget()
			a.run(400 * ms)
			if step := math.Abs(float64(a.out[0]) - float64(before)); step > 4000 {
				t.Errorf("%v to %d Hz: a step of %.0f", id, rate, step)
			}
			if got := roughness(a.out); got > 3500 {
				t.Errorf("%v to %d Hz: a click of %.0f", id, rate, got)
			}
			if got := pcm.Level(a.out); math.Abs(got+15.2) > 1 {
				t.Errorf("%v to %d Hz: %.1f dBFS", id, rate, got)
			}
		}
	}
}

func TestReset(t *testing.T) {
	a := newParty(t, codec.G722, 16000)
	a.run(time.Second)
	a.p.Reset()
	if s := a.p.Stats(); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
	if frame, audible := a.p.Pull(a.now, 16000); audible || pcm.Level(frame) > -90 {
		t.Error("something is left")
	}
}

func TestUnknownCodec(t *testing.T) {
	p := New(jitter.Default())
	now := time.Unix(1, 0)
	for _, id := range []codec.ID{0, 7, 8, 200} {
		p.Push(now, id, 1, 160, make([]byte, 160))
	}
	p.Push(now, codec.PCMA, 1, 160, nil)
	p.Noise(now, 1, 160, nil)
	if _, audible := p.Pull(now.Add(time.Second), 8000); audible {
		t.Error("something is heard")
	}
}

// steady is a playout that has run in, and how to go on with it.
func steady(id codec.ID, rate int) (step func()) {
	p, payload, now, n := New(jitter.Default()), make([]byte, 160), time.Unix(1, 0), 0
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	step = func() {
		p.Push(now, id, uint16(n), uint32(n*160), payload)
		now = now.Add(tick)
		p.Pull(now, rate)
		n++
	}
	for range 500 {
		step()
	}
	return step
}

func TestNothingAllocates(t *testing.T) {
	for _, id := range []codec.ID{codec.PCMA, codec.G722} {
		for _, rate := range []int{8000, 16000} {
			if n := testing.AllocsPerRun(1000, steady(id, rate)); n != 0 {
				t.Errorf("%v at %d Hz: %v allocations", id, rate, n)
			}
		}
	}
	a := newParty(t, codec.PCMA, 8000)
	payload, dice, n := make([]byte, 160), rand.New(rand.NewPCG(1, 1)), 0
	a.run(time.Second)
	a.p.Push(a.now, codec.G722, a.seq, a.ts, payload)
	a.p.Pull(a.now, 8000)
	got := testing.AllocsPerRun(2000, func() { // all kinds of trouble
		id := []codec.ID{codec.PCMA, codec.PCMU}[n/3%2]
		switch dice.IntN(8) {
		case 0:
		case 1:
			a.p.Noise(a.now, uint16(n), uint32(n*160), payload[:1])
		case 2:
			a.p.Push(a.now, id, uint16(n-2), uint32((n-2)*160), payload)
		default:
			a.p.Push(a.now, id, uint16(n), uint32(n*160), payload)
		}
		if n++; n%500 == 0 {
			a.p.Reset()
		}
		a.now = a.now.Add(tick)
		a.p.Pull(a.now, 8000)
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func benchmark(b *testing.B, id codec.ID, rate int) {
	step := steady(id, rate)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

func BenchmarkG711(b *testing.B)     { benchmark(b, codec.PCMA, 8000) }
func BenchmarkG711Wide(b *testing.B) { benchmark(b, codec.PCMA, 16000) }
func BenchmarkG722(b *testing.B)     { benchmark(b, codec.G722, 8000) }
func BenchmarkG722Wide(b *testing.B) { benchmark(b, codec.G722, 16000) }

// BenchmarkSilent is a party that says nothing.
func BenchmarkSilent(b *testing.B) {
	p, now := New(jitter.Default()), time.Unix(1, 0)
	for b.Loop() {
		now = now.Add(tick)
		p.Pull(now, 8000)
	}
}
