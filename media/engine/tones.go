package engine

import (
	"math"
	"strings"
	"sync"
	"time"

	"liandong/media/dtmf"
	"liandong/media/pcm"
)

const (
	toneFrames = 5                    // 100 ms of tone; ITU-T Q.24 asks for 40 ms at least
	gapFrames  = 4                    // 80 ms of silence after it
	toneLevel  = 6000                 // of each of the two: about -12 dBm0 in sum
	toneEdge   = 2 * time.Millisecond // in which it swells and fades
)

// toneTable has the samples of each of dtmf.ToneKeys, made at first use; wideTable at pcm.WideRate.
var (
	toneTable = sync.OnceValue(func() *toneSamples { return makeTones(pcm.Rate) })
	wideTable = sync.OnceValue(func() *toneSamples { return makeTones(pcm.WideRate) })
)

type toneSamples [len(dtmf.ToneKeys)][]int16

// ITU-T Q.23.
func makeTones(rate int) *toneSamples {
	table := new(toneSamples)
	n, swell := toneFrames*rate/50, toneEdge.Seconds()*float64(rate)
	for digit := range table {
		low, high := dtmf.Rows[digit/4], dtmf.Columns[digit%4]
		table[digit] = make([]int16, n)
		for i := range n {
			t := 2 * math.Pi * float64(i) / float64(rate)
			edge := min(1, float64(min(i, n-1-i))/swell) // no click
			table[digit][i] = int16(toneLevel * edge * (math.Sin(low*t) + math.Sin(high*t)))
		}
	}
	return table
}

// nothing is a frame of silence.
var nothing [wideSamples]int16

// tones sends keys as sound, to a party that takes no events. Owned by the leg.
type tones struct {
	waiting string
	frame   int // of the first key waiting
}

// queue leaves out what has no tone, such as flash.
func (t *tones) queue(digits string) {
	for _, d := range strings.ToUpper(digits) {
		if strings.ContainsRune(dtmf.ToneKeys, d) {
			t.waiting += string(d)
		}
	}
}

// next gives this tick's frame of the first key waiting, or of the silence after it.
func (t *tones) next(rate int) ([]int16, bool) {
	if t.waiting == "" {
		return nil, false
	}
	size := rate / 50
	frame := nothing[:size]
	if t.frame < toneFrames {
		table := toneTable
		if rate == pcm.WideRate {
			table = wideTable
		}
		frame = table()[strings.IndexByte(dtmf.ToneKeys, t.waiting[0])][t.frame*size : (t.frame+1)*size]
	}
	t.frame++
	if t.frame == toneFrames+gapFrames {
		t.waiting, t.frame = t.waiting[1:], 0
	}
	return frame, true
}
