package playout

import (
	"math/rand/v2"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/jitter"
	"liandong/media/pcm/pcmtest"
)

// trouble is what a network or a sender does to speech.
type trouble struct {
	name  string
	least float64 // of what the plain receiver has
	apply func(a *party)
}

var troubles = []trouble{
	{"none", 0.97, func(*party) {}},
	{"5 % lost, one by one", 1.03, func(a *party) { a.lost = losing(false) }},
	{"5 % lost, in bursts", 1.01, func(a *party) { a.lost = losing(true) }},
	{"jitter of 30 ms", 0.94, func(a *party) {
		dice := rand.New(rand.NewPCG(1, 9))
		a.late = func() time.Duration { return time.Duration(dice.ExpFloat64() * float64(8*ms)) }
	}},
	{"silence left out", 0.99, func(a *party) { a.suppresses, a.linger = true, 5 }},
	{"silence left out at once", 1.08, func(a *party) { a.suppresses, a.linger = true, 0 }},
	{"timestamps jump", 0.97, func(a *party) { a.jumps = jumping() }},
}

// losing says which packets are lost: 5 %, one by one or by a Gilbert model in bursts of three on average.
func losing(bursts bool) func() bool {
	dice := rand.New(rand.NewPCG(1, 5))
	lost, n := false, 0
	return func() bool {
		p := 0.05
		if bursts && lost {
			p = 2. / 3
		} else if bursts {
			p = 0.05 / 3 / 0.95
		}
		n++
		lost = n > 3 && dice.Float64() < p
		return lost
	}
}

// jumping moves the timestamps every second or so, forwards and backwards, a little or far.
func jumping() func() int32 {
	dice := rand.New(rand.NewPCG(1, 7))
	return func() int32 {
		if dice.IntN(50) > 0 {
			return 0
		}
		return []int32{1600, 4000, -4000, 12000, -1600, 1 << 20, -(1 << 20), 1 << 30}[dice.IntN(8)]
	}
}

// scored is the mean opinion of what a listener makes of speech in trouble.
func scored(t testing.TB, tr trouble, make func() listener) float64 {
	voice := noisySpeech(t)
	a := newParty(t, codec.PCMA, 8000)
	a.ear = make()
	a.voice = func(i int) int16 { return voice[i%len(voice)] }
	tr.apply(a)
	a.run(time.Duration(len(voice)) * time.Second / 8000)
	return opinion(voice[:len(voice)-4000], a.out)
}

const roomNoise = 50

// noisySpeech is speech in a quiet room: 20 s over noise of -56 dBFS, which is louder at low frequencies.
func noisySpeech(t testing.TB) []int16 {
	dice := rand.New(rand.NewPCG(4, 4))
	out := append([]int16(nil), pcmtest.Speech(t)[:20*8000]...)
	low := 0.
	for i := range out {
		low = 0.8*low + dice.NormFloat64()*roomNoise*0.6
		out[i] = int16(max(-32768, min(32767, float64(out[i])/2+low)))
	}
	return out
}

// TestScores: speech sounds as well as with a receiver of the plain kind that has the concealment of G.711 Appendix I
// and a delay of 60 ms, though it is heard up to 40 ms earlier. Timestamps that jump are not heard at all.
func TestScores(t *testing.T) {
	t.Parallel()
	ceiling := 0.
	for _, tr := range troubles {
		ours := scored(t, tr, func() listener { return New(jitter.Default()) })
		theirs := scored(t, tr, func() listener { return newFixed(60 * ms) })
		t.Logf("%-24s ours %.2f, with Appendix I %.2f: %.2f", tr.name, ours, theirs, ours/theirs)
		if ours < tr.least*theirs {
			t.Errorf("%s: %.2f, want %.2f times %.2f", tr.name, ours, tr.least, theirs)
		}
		if ceiling = max(ceiling, ours); tr.name == "timestamps jump" && ours < ceiling-0.02 {
			t.Errorf("%s: %.2f, want the %.2f of speech without trouble", tr.name, ours, ceiling)
		}
	}
}
