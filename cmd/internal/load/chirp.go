package load

import (
	"math"
	"sort"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

const (
	likeness = 0.6  // normalised correlation from which on it is the chirp: alone it gives over 0.9, speech under 0.3
	certain  = 0.85 // what follows need not be looked at
	faint    = 0.01 // of the chirp's own power: anything quieter is not compared
)

// chirpFound says how long a chirp, sent at a time, took to one who kept what it heard: from the sending of its first
// packet to the coming of the packet that holds its first sample, and the samples before that one in the packet. false:
// it did not come within half a second, or not recognisably.
func (r *record) chirpFound(law codec.ID, c *chirps, sent int64) (time.Duration, bool) {
	first := sort.Search(len(r.frames), func(i int) bool { return r.frames[i].at >= sent })
	last := first
	until := sent + int64(searchTicks+chirpTicks)*int64(pcm.FrameTime)
	for last < len(r.frames) && r.frames[last].at < until {
		last++
	}
	if first == last {
		return 0, false
	}
	base := r.frames[first].from
	codes := r.sound[base:r.frames[last-1].to]
	heard := make([]int16, len(codes))
	codec.Decode(law, heard, codes)
	at, r0 := bestFit(c.samples[:], heard)
	if r0 < likeness {
		return 0, false
	}
	i := first + sort.Search(last-first, func(i int) bool { return r.frames[first+i].to-base > at })
	within := time.Duration(at-(r.frames[i].from-base)) * time.Second / pcm.Rate
	return time.Duration(r.frames[i].at-sent) + within, true
}

// bestFit is where a sound lies in another, and its normalised correlation there, 1 for the same at any loudness.
func bestFit(sound, in []int16) (at int, best float64) {
	own, power := energy(sound), 0.0
	for i := range min(len(sound), len(in)) {
		power += float64(in[i]) * float64(in[i])
	}
	for lag := 0; lag+len(sound) <= len(in); lag++ {
		if best > certain && lag > at+len(sound) {
			break
		}
		if power > faint*own {
			if r := product(sound, in[lag:]) / math.Sqrt(own*power); r > best {
				at, best = lag, r
			}
		}
		if next := lag + len(sound); next < len(in) {
			power += float64(in[next])*float64(in[next]) - float64(in[lag])*float64(in[lag])
		}
	}
	return at, best
}

func energy(x []int16) (sum float64) {
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

func product(a, b []int16) float64 {
	var sum int64
	b = b[:len(a)]
	for i, v := range a {
		sum += int64(v) * int64(b[i])
	}
	return float64(sum)
}
