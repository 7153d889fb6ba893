package pcm

import "math"

// Noise makes white noise. The zero value is silent. Owned by whoever plays it.
type Noise struct {
	dice  uint32
	reach int32 // samples are spread evenly up to it
}

// SetLevel sets the mean power, in dBFS as Level measures it; as loud as noise can
// be, -4.8, at most.
func (n *Noise) SetLevel(dBFS float64) {
	// Evenly spread up to a, the mean square is a²/3.
	n.reach = int32(min(math.MaxInt16, math.Round(32768*math.Sqrt(3)*math.Pow(10, dBFS/20))))
}

// Fill writes noise that goes on with that of the call before.
func (n *Noise) Fill(dst []int16) {
	dice, width := n.dice, 2*n.reach+1
	for i := range dst {
		dice = dice*1664525 + 1013904223
		dst[i] = int16(int64(dice)*int64(width)>>32) - int16(n.reach)
	}
	n.dice = dice
}
