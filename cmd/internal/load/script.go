package load

import (
	"math"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// In a conference the parties speak in turns of a second: a chirp, a pause, speech, and silence until the next turn.
// Silence around a chirp makes its coming easy to find in what the others hear, and speech loads the server as people
// do.
const (
	turnTicks    = 50 // 1 s
	chirpTicks   = 3  // 60 ms
	speechFrom   = 8  // ticks after the beginning of the turn
	speechUntil  = 35
	chirpSamples = chirpTicks * pcm.FrameSamples
	searchTicks  = 25 // a chirp is looked for so long after it was sent: 500 ms
)

// script is whose turn it is in one conference. Shared by its streams; immutable.
type script struct {
	from   int64 // ns since 1970: the first turn begins
	chirps *[sides]chirps
}

// chirps is one side's chirp in samples, and as codes of each law, a row per tick.
type chirps struct {
	samples [chirpSamples]int16
	a, mu   [chirpTicks][pcm.FrameSamples]byte
}

// say is a party's next 20 ms. The beginning of a chirp within the window is noted.
func (c *script) say(s *stream, now int64) []byte {
	tick := (now - c.from) / int64(pcm.FrameTime)
	turn, at := tick/turnTicks, int(tick%turnTicks)
	switch {
	case now < c.from || side(turn%int64(sides)) != s.side:
		s.record.spoken = false
	case at < chirpTicks || s.record.chirping > 0:
		return c.chirp(s, now)
	case at >= speechFrom && at < speechUntil:
		return s.voice.Encoded(s.law, s.spoken%s.voice.Len())
	}
	return silence(s.law)
}

// chirp goes on to its end once it has begun, however the ticks fall, and comes once in a turn.
func (c *script) chirp(s *stream, now int64) []byte {
	r := s.record
	if r.chirping == 0 {
		if r.spoken {
			return silence(s.law)
		}
		r.spoken = true
		if s.window.holds(now) {
			r.chirps = append(r.chirps, now)
		}
	}
	row := r.chirping
	r.chirping = (r.chirping + 1) % chirpTicks
	if s.law == codec.PCMU {
		return c.chirps[s.side].mu[row][:]
	}
	return c.chirps[s.side].a[row][:]
}

// record is what a leg of a conference said and heard within the window, for later.
type record struct {
	spoken   bool // the chirp of this turn has begun
	chirping int  // ticks of a chirp that are out
	chirps   []int64
	frames   []frame
	sound    []byte
}

// frame is one packet's codes in record.sound.
type frame struct {
	at       int64 // ns, when it came
	from, to int
}

func (r *record) keep(payload []byte, at int64) {
	r.frames = append(r.frames, frame{at, len(r.sound), len(r.sound) + len(payload)})
	r.sound = append(r.sound, payload...)
}

// makeChirps gives each side a sweep of its own: up, down, and up and down again, 500 to 3000 Hz, rounded at both ends.
func makeChirps() *[sides]chirps {
	var all [sides]chirps
	for s := range all {
		c := &all[s]
		phase := 0.0
		for i := range c.samples {
			x := float64(i) / float64(chirpSamples)
			hz := [...]float64{500 + 2500*x, 3000 - 2500*x, 500 + 2500*(1-math.Abs(2*x-1))}[s]
			phase += 2 * math.Pi * hz / pcm.Rate
			c.samples[i] = int16(12000 * math.Sin(phase) * math.Sin(math.Pi*x))
		}
		for row := range chirpTicks {
			part := c.samples[row*pcm.FrameSamples:][:pcm.FrameSamples]
			codec.Encode(codec.PCMA, c.a[row][:], part)
			codec.Encode(codec.PCMU, c.mu[row][:], part)
		}
	}
	return &all
}

var quietA, quietMu = quiet(codec.PCMA), quiet(codec.PCMU)

func quiet(law codec.ID) (b [pcm.FrameSamples]byte) {
	codec.Encode(law, b[:], make([]int16, pcm.FrameSamples))
	return b
}

func silence(law codec.ID) []byte {
	if law == codec.PCMU {
		return quietMu[:]
	}
	return quietA[:]
}
