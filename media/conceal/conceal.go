// Package conceal goes on with a voice where its sound is missing, and makes
// sound a little longer or shorter, so that nobody hears it.
//
// A Concealer repeats the last pitch periods and fades them, as ITU-T G.711
// Appendix I does, at 8 and at 16 kHz. It differs in two things. It adds no
// delay: where Appendix I holds back 3.75 ms to blend the end of the last good
// frame, here the first quarter of a period is bent to meet it. And it keeps no
// history of its own: whoever plays the sound has it, and hands it over when
// something is lost, so that nothing is spent while nothing is. Cut and Insert
// take out or repeat a pitch period.
//
// Everything is pure, and nothing is allocated but by the first Reset to a rate. Samples are 16-bit linear.
package conceal

import (
	"math"
	"time"
)

const (
	Fade  = 60 * time.Millisecond // how long a gap is covered; then there is silence
	Brief = 6 * time.Millisecond  // and one that most likely is no gap but a pause

	maxRate   = 16000
	step      = 10 // ms: the repeated stretch grows and fading begins in steps of this
	minPeriod = 5  // ms: 200 Hz; higher voices are found by a multiple of their period
	maxPeriod = 15 // ms: 66 Hz
	mostTimes = 3  // pitch periods that are repeated
)

// Past is how many samples before a gap are looked at, at a rate: 48.75 ms.
func Past(rate int) int { return rate * 195 / 4000 }

// Concealer covers the gaps of one voice; Reset makes it ready. Owned by whoever plays it.
type Concealer struct {
	perMs  int // samples
	done   int // of the gap so far
	fade   int
	period int
	times  int // periods that are repeated
	at     int // next sample within them

	past   []int16 // before the gap, Past samples
	blend  []int16 // end of the repeated stretch, blended so that it goes over into its beginning
	fall   int32   // Q15: by how much a period is softer than the one before
	level  int32   // Q15: of this period, when each is as much softer
	within int     // its samples that are made
	bend   int32   // by how much the first sample would miss the last good one
}

// Reset sets the rate, 8000 or 16000 samples a second, and forgets a gap.
func (c *Concealer) Reset(rate int) {
	c.perMs, c.done = rate/1000, 0
	size, quarter := Past(rate), maxPeriod*c.perMs/4
	if cap(c.past) < size {
		c.past, c.blend = make([]int16, size), make([]int16, quarter)
	}
	c.past, c.blend = c.past[:size], c.blend[:quarter]
}

// Covering says that a gap has begun and Join has not ended it.
func (c *Concealer) Covering() bool { return c.done > 0 }

// Cover goes on with the sound in dst. past is what was heard before the gap, Past samples or
// what there is, and fade, Fade or Brief, after how long nothing is left of it; they are looked at by the first
// call of a gap.
func (c *Concealer) Cover(dst, past []int16, fade time.Duration) {
	if c.done == 0 {
		c.begin(past)
		c.fade = int(fade/time.Millisecond) * c.perMs
	}
	for len(dst) > 0 {
		n := min(len(dst), step*c.perMs-c.done%(step*c.perMs))
		c.fill(dst[:n])
		dst = dst[n:]
	}
}

// Resume ends a gap: the beginning of next is blended with what would have been heard
// in its place. When there was no gap it makes sound meet that does not belong together.
func (c *Concealer) Resume(next, past []int16) {
	lost := c.done / (step * c.perMs)
	if c.done == 0 {
		c.begin(past)
		c.fade = int(Fade/time.Millisecond) * c.perMs
	}
	// G.711 Appendix I §I.2.7: a quarter of a period, and 4 ms more for each 10 ms that were lost, up to 10 ms.
	n := min(c.quarter()+max(0, lost-1)*4*c.perMs, step*c.perMs, len(next))
	for from := 0; from < n; {
		var cover [maxRate * step / 1000]int16
		part := cover[:min(n-from, step*c.perMs-c.done%(step*c.perMs))]
		c.fill(part)
		for i, x := range part {
			next[from+i] = mix(x, next[from+i], from+i+1, n+1)
		}
		from += len(part)
	}
	c.done = 0
}

// begin takes the sound before the gap and finds its period.
func (c *Concealer) begin(past []int16) {
	own, size := c.past, len(c.past)
	past = past[max(0, len(past)-size):]
	clear(own[:size-len(past)])
	copy(own[size-len(past):], past)
	c.period, c.at, c.done = pitch(own, c.perMs), 0, 0
	c.repeat(1)
	c.level, c.within = 1<<15, 0
	c.fall = falling(own, c.period)
	c.bend = int32(own[size-1]) - int32(own[size-1-c.period])
}

func (c *Concealer) quarter() int { return c.period / 4 }

// falling is by how much the last period is softer than the one before, Q15: a voice that dies away goes on doing so.
func falling(past []int16, period int) int32 {
	_, last, before := products(past[len(past)-period:], past[len(past)-2*period:len(past)-period], 1)
	if last >= before {
		return 1 << 15
	}
	return int32(math.Sqrt(float64(last)/float64(before)) * (1 << 15))
}

// dying is the gain of the next sample, Q15: a period later it is softer by fall, and goes there evenly.
func (c *Concealer) dying() int32 {
	now := c.level - (c.level-c.level*c.fall>>15)*int32(c.within)/int32(c.period)
	if c.within++; c.within == c.period {
		c.within, c.level = 0, c.level*c.fall>>15
	}
	return now
}

// repeat takes so many periods from now on.
func (c *Concealer) repeat(times int) {
	c.times = times
	q := c.quarter()
	end := c.past[len(c.past)-q:]
	before := c.past[len(c.past)-times*c.period-q:]
	for i := range q {
		c.blend[i] = mix(end[i], before[i], i+1, q+1)
	}
}

// next is the next sample of the repeated periods.
func (c *Concealer) next() int16 {
	long := c.times * c.period
	at := c.at
	if c.at++; c.at == long {
		c.at = 0
	}
	if in := at - (long - c.quarter()); in >= 0 {
		return c.blend[in]
	}
	return c.past[len(c.past)-long+at]
}

// fill makes the sound of one step, or of a part of it.
func (c *Concealer) fill(dst []int16) {
	q := c.quarter()
	if at := c.done / (step * c.perMs); at > 0 && at < mostTimes && c.done%(step*c.perMs) == 0 {
		c.lengthen(dst, at+1)
	} else {
		for i := range dst {
			dst[i] = c.next()
		}
	}
	for i := range dst {
		at := c.done + i
		x := int32(dst[i])
		if at < q {
			x = max(-1<<15, min(1<<15-1, x+c.bend*int32(q-at)/int32(q+1)))
		}
		dst[i] = int16(x * c.gain(at) >> 15 * c.dying() >> 15)
	}
	c.done += len(dst)
}

// lengthen goes over to more periods, blended for a quarter of one: a short stretch
// that is repeated for long would sound like a buzzer.
func (c *Concealer) lengthen(dst []int16, times int) {
	n := min(c.quarter(), len(dst))
	for i := range n {
		dst[i] = c.next()
	}
	c.at = (c.at - n%c.period + c.period) % c.period // in step with what went on
	c.repeat(times)
	for i := range dst {
		x := c.next()
		if i < n {
			x = mix(dst[i], x, i+1, n+1)
		}
		dst[i] = x
	}
}

// gain is that of a sample of the gap, Q15: G.711 Appendix I §I.2.6: 20 % less for each
// 10 ms after the first, when it is covered for 60 ms.
func (c *Concealer) gain(at int) int32 {
	first := c.fade / 6
	switch {
	case at < first:
		return 1 << 15
	case at >= c.fade:
		return 0
	}
	return int32(c.fade-at) << 15 / int32(c.fade-first)
}

// mix goes over from a to b: at i of n.
func mix(a, b int16, i, n int) int16 {
	return int16((int32(a)*int32(n-i) + int32(b)*int32(i)) / int32(n))
}
