package playout

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/pcm"
)

const (
	ms   = time.Millisecond
	tick = 20 * ms
)

// babble is noise that is like none of its own parts.
func babble(rate int) func(i int) int16 {
	dice := rand.New(rand.NewPCG(uint64(rate), 3))
	var made []int16
	level := 0
	return func(i int) int16 {
		for len(made) <= i {
			level = level/2 + dice.IntN(8001) - 4000
			made = append(made, int16(level))
		}
		return made[i]
	}
}

// party speaks in packets; the network brings them late by what it is told; a listener pulls.
type party struct {
	t     testing.TB
	p     *Playout
	id    codec.ID
	coder codec.Encoder
	rate  int // of the listener
	seq   uint16
	ts    uint32
	clock time.Time // of the sender: when the next packet is sent
	now   time.Time // of the listener's next tick
	pace  time.Duration
	voice func(i int) int16 // by sample at the codec's rate
	said  int               // samples
	late  func() time.Duration
	lost  func() bool

	ear        listener     // p
	suppresses bool         // leaves out packets in which nothing is said
	hangover   int          // packets still to be sent
	linger     int          // packets that are sent behind the last word
	jumps      func() int32 // of the timestamp, before a packet

	way     []flight
	out     []int16
	audible []bool
}

type flight struct {
	at      time.Time
	id      codec.ID
	seq     uint16
	ts      uint32
	payload []byte
}

func newParty(t testing.TB, id codec.ID, rate int) *party {
	start := time.Unix(1000, 0)
	p := New(jitter.Default())
	return &party{
		t: t, p: p, ear: p, jumps: func() int32 { return 0 },
		id: id, coder: codec.NewEncoder(id), rate: rate, seq: 65500, ts: 1<<32 - 2000,
		clock: start, now: start.Add(7 * ms), pace: tick, voice: babble(id.Rate()),
		late: func() time.Duration { return 0 }, lost: func() bool { return false },
	}
}

// talk puts 20 ms on the way.
func (a *party) talk() {
	samples := make([]int16, a.id.Rate()/50)
	for i := range samples {
		samples[i] = a.voice(a.said + i)
	}
	a.said += len(samples)
	payload := make([]byte, 400)
	payload = payload[:a.coder.Encode(payload, samples)]
	a.ts += uint32(a.jumps())
	if a.suppresses && !a.speaks(samples) {
		a.ts += uint32(a.id.ClockRate() / 50)
		return
	}
	if !a.lost() {
		a.way = append(a.way, flight{a.clock.Add(a.late()), a.id, a.seq, a.ts, payload})
	}
	a.seq++
	a.ts += uint32(a.id.ClockRate() / 50)
}

// speaks says whether a frame is sent by a sender that leaves out silence: and some packets behind the last word.
func (a *party) speaks(samples []int16) bool {
	if pcm.Level(samples) > -45 {
		a.hangover = a.linger + 1
	}
	a.hangover--
	return a.hangover >= 0
}

// tick brings what has arrived and pulls a frame.
func (a *party) tick() {
	a.t.Helper()
	a.way = slices.DeleteFunc(a.way, func(f flight) bool {
		if f.at.After(a.now) {
			return false
		}
		if f.id == 0 {
			a.p.Noise(f.at, f.seq, f.ts, f.payload)
		} else {
			a.ear.Push(f.at, f.id, f.seq, f.ts, f.payload)
		}
		return true
	})
	frame, audible := a.ear.Pull(a.now, a.rate)
	if len(frame) != a.rate/50 {
		a.t.Fatalf("%d samples", len(frame))
	}
	a.out, a.audible = append(a.out, frame...), append(a.audible, audible)
	a.now = a.now.Add(tick)
}

// run lets time pass at the listener, in which the party talks by its own clock.
func (a *party) run(d time.Duration) {
	a.t.Helper()
	for range d / tick {
		for !a.clock.After(a.now) {
			a.talk()
			a.clock = a.clock.Add(a.pace)
		}
		a.tick()
	}
}

// idle lets time pass in which the party says nothing and its clock goes on.
func (a *party) idle(d time.Duration) {
	for range d / tick {
		a.tick()
	}
	for !a.clock.After(a.now.Add(-tick)) {
		a.clock = a.clock.Add(a.pace)
		a.ts += uint32(a.id.ClockRate() / 50)
	}
}

func (a *party) forget() { a.out, a.audible = nil, nil }

// delay is by how much the last 200 ms that were heard are behind what was said, of which the
// newest sample was said at the newest tick.
func (a *party) delay() time.Duration {
	own := a.id.Rate()
	n := own / 5
	heard := a.out[len(a.out)-a.rate/5:]
	said := make([]int16, 0, 3*n)
	for i := a.said - 3*n; i < a.said; i++ {
		said = append(said, a.voice(i))
	}
	if own > a.rate {
		said, n = said[:a.downTo(said)], a.rate/5
	} else if own < a.rate {
		heard = slices.Clone(heard)
		heard = heard[:a.downTo(heard)]
	}
	lag, r := pcm.Correlate(heard, said, 3*n)
	if r < 0.4 {
		a.t.Errorf("what is heard is not what was said: %.2f", r)
	}
	return time.Duration(2*n-lag) * time.Second / time.Duration(min(own, a.rate))
}

func (a *party) downTo(x []int16) int {
	var down pcm.Downsampler
	return down.Down(x, x)
}

// roughness is the largest step of the slope, which a click has and a voice has not.
func roughness(x []int16) (most float64) {
	for i := 2; i < len(x); i++ {
		most = math.Max(most, math.Abs(float64(x[i])-2*float64(x[i-1])+float64(x[i-2])))
	}
	return most
}

func sine(hz float64, rate int) func(i int) int16 {
	return func(i int) int16 { return int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))) }
}
