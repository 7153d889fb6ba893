package prompt

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"liandong/media/pcm"
)

// The clips that the library makes by itself. The first three are the tones of
// Chinese telephone networks: GB/T 3380-1982 has 450 Hz ±25 Hz, -10 dBm0 ±3 dB and
// these cadences, ±10 %. A playlist loops them.
const (
	Ring       = "ring"       // 1 s on, 4 s off
	Busy       = "busy"       // 0.35 s on, 0.35 s off
	Congestion = "congestion" // 0.7 s on, 0.7 s off
	Confirm    = "confirm"    // a short double beep: the key was understood
	Refuse     = "refuse"     // a low buzz: not possible now
	Already    = "already"    // one short beep: it is so already
	Music      = "music"      // a soft loop for who waits
)

// Tones lists the generated clips; a file cannot have one of their names.
func Tones() []string { return slices.Sorted(maps.Keys(generated())) }

const (
	toneLevel = 7220                 // amplitude: -10 dBm0, where +3.14 dBm0 is full scale (G.711)
	edge      = 4 * time.Millisecond // a tone swells and fades so long: no clicks
	callTone  = 450
)

// generated is made once for all libraries.
var generated = sync.OnceValue(func() map[string]Clip {
	return map[string]Clip{
		Ring:       newLoop(beeps(callTone, time.Second, 4*time.Second)),
		Busy:       newLoop(beeps(callTone, 350*time.Millisecond, 350*time.Millisecond)),
		Congestion: newLoop(beeps(callTone, 700*time.Millisecond, 700*time.Millisecond)),
		Confirm:    newLoop(beeps(1000, 80*time.Millisecond, 60*time.Millisecond, 80*time.Millisecond)),
		Refuse:     newLoop(beeps(200, 400*time.Millisecond)),
		Already:    newLoop(beeps(1000, 80*time.Millisecond, 20*time.Millisecond)),
		Music:      newLoop(music()),
	}
})

// beeps makes a tone that is on, off, on … for so long.
func beeps(hz float64, spans ...time.Duration) []int16 {
	var out []int16
	for i, span := range spans {
		if i%2 == 1 {
			out = append(out, make([]int16, count(span))...)
			continue
		}
		out = append(out, beep(hz, count(span))...)
	}
	return out
}

func beep(hz float64, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		swell := min(1, float64(min(i, n-1-i))/float64(count(edge)))
		out[i] = int16(math.Round(toneLevel * swell * math.Sin(turns(hz, i))))
	}
	return out
}

// turns is the angle of a tone at a sample.
func turns(hz float64, i int) float64 { return 2 * math.Pi * hz * float64(i) / pcm.Rate }

func count(d time.Duration) int { return int(d * pcm.Rate / time.Second) }
