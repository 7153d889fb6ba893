package playout

import (
	"liandong/media/conceal"
)

// tape is sound on its way to the listener: what was heard, as much as concealment
// looks back at, and what is waiting. It is moved to the front when its end is reached, and
// becomes longer when that is not enough.
type tape struct {
	rate    int
	samples []int16
	from    int // of what is waiting
	end     int
	sound   int // behind it there is only silence
}

// capacity is for what is looked back at, and some frames more, so that it is moved seldom.
func capacity(rate int) int { return conceal.Past(rate) + 5*rate/50 }

// tune changes the rate. What was on the tape goes on, simply doubled or halved: it is
// the rest of a packet, at the moment when the first wideband party comes or the last one goes.
func (t *tape) tune(rate int) {
	old := *t
	if *t = (tape{rate: rate}); old.rate == 0 {
		t.samples = make([]int16, capacity(rate))
		return
	}
	kept := old.samples[max(0, old.from-conceal.Past(old.rate)):old.end]
	scaled := func(n int) int { return n * rate / old.rate }
	t.end = scaled(len(kept))
	t.samples = make([]int16, max(t.end, capacity(rate)))
	t.from = t.end - scaled(old.end-old.from)
	t.sound = max(0, t.end-scaled(old.end-old.sound))
	for i := range t.samples[:t.end] {
		if rate < old.rate {
			t.samples[i] = int16((int32(kept[2*i]) + int32(kept[2*i+1])) / 2)
			continue
		}
		next := kept[min(len(kept)-1, i/2+i%2)]
		t.samples[i] = int16((int32(kept[i/2]) + int32(next)) / 2)
	}
}

func (t *tape) clear() { t.from, t.end, t.sound = 0, 0, 0 }

// waiting is how many samples there are that were not played.
func (t *tape) waiting() int { return t.end - t.from }

// room gives the place for the next n samples and what stands before it.
func (t *tape) room(n int) (dst, past []int16) {
	back := conceal.Past(t.rate)
	if t.end+n > len(t.samples) {
		keep := max(0, min(t.from, t.end-back))
		copy(t.samples, t.samples[keep:t.end])
		t.from, t.end, t.sound = t.from-keep, t.end-keep, max(0, t.sound-keep)
	}
	if t.end+n > len(t.samples) { // a long packet, maybe at twice the rate
		t.samples = append(t.samples[:t.end], make([]int16, n)...)
	}
	return t.samples[t.end : t.end+n], t.samples[max(0, t.end-back):t.end]
}

// add says that n samples were put there.
func (t *tape) add(n int, sound bool) {
	t.end += n
	if sound {
		t.sound = t.end
	}
}

// play gives the next n samples, and whether they are more than silence.
func (t *tape) play(n int) ([]int16, bool) {
	at := t.from
	t.from += n
	return t.samples[at:t.from], t.sound > at
}

// cut makes what is waiting shorter, down to least samples.
func (t *tape) cut(most, least int, fit float64) int {
	n := conceal.Cut(t.samples[t.from:t.end], t.rate, min(most, t.waiting()-least), fit)
	t.end -= n
	t.sound = min(t.sound, t.end)
	return n
}

// insert makes it longer.
func (t *tape) insert(most int, fit float64) int {
	t.room(conceal.Longest(t.rate))
	n := conceal.Insert(t.samples[t.from:t.end+conceal.Longest(t.rate)], t.waiting(), t.rate, most, fit)
	if t.sound > t.from {
		t.sound += n
	}
	t.end += n
	return n
}
