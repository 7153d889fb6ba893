package engine

import (
	"math"
	"strings"
	"sync"

	"liandong/media/codec"
	"liandong/media/pcm"
)

const (
	toneDigits = "123A456B789C*0#D"
	toneFrames = 5    // 100 ms of tone; ITU-T Q.24 asks for 40 ms at least
	gapFrames  = 4    // 80 ms of silence after it
	toneEdge   = 16   // samples in which it swells and fades: 2 ms
	toneLevel  = 6000 // of each of the two: about -12 dBm0 in sum
)

// toneTable holds the frames of each of toneDigits, made at first use.
var toneTable = sync.OnceValue(makeTones)

// ITU-T Q.23.
func makeTones() *[len(toneDigits)][toneFrames]pcm.Frame {
	table := new([len(toneDigits)][toneFrames]pcm.Frame)
	rows, columns := [4]float64{697, 770, 852, 941}, [4]float64{1209, 1336, 1477, 1633}
	for digit := range table {
		low, high := rows[digit/4], columns[digit%4]
		for i := range toneFrames * int(frameSamples) {
			t := 2 * math.Pi * float64(i) * sampleTime.Seconds()
			edge := min(1, float64(min(i, toneFrames*int(frameSamples)-1-i))/toneEdge) // no click
			table[digit][i/int(frameSamples)][i%int(frameSamples)] = int16(toneLevel * edge * (math.Sin(low*t) + math.Sin(high*t)))
		}
	}
	return table
}

// tones sends keys as sound, to a party that takes no events. Owned by the leg.
type tones struct {
	waiting string
	frame   int // of the first key waiting
}

// queue leaves out what has no tone, such as flash.
func (t *tones) queue(digits string) {
	for _, d := range strings.ToUpper(digits) {
		if strings.ContainsRune(toneDigits, d) {
			t.waiting += string(d)
		}
	}
}

// next encodes this tick's frame of the first key waiting, or of the silence after it.
func (t *tones) next(id codec.ID, dst []byte) ([]byte, bool) {
	if t.waiting == "" {
		return nil, false
	}
	var frame pcm.Frame
	if t.frame < toneFrames {
		frame = toneTable()[strings.IndexByte(toneDigits, t.waiting[0])][t.frame]
	}
	t.frame++
	if t.frame == toneFrames+gapFrames {
		t.waiting, t.frame = t.waiting[1:], 0
	}
	return dst[:codec.Encode(id, dst, frame[:])], true
}
