package record

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"liandong/media/pcm"
)

const frame = pcm.Rate / 50 // samples of 20 ms

// noise is A-law that is never silence: every byte of it can be told from a gap.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		for b[i] == 0 || b[i] == silence {
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

// desk is a timeline and what it has written.
type desk struct {
	*timeline
	out []byte
}

func newDesk(channels int) *desk { return &desk{timeline: newTimeline(channels)} }

func (d *desk) write(b []byte) error { d.out = append(d.out, b...); return nil }

func (d *desk) put(channel int, ts uint32, sound []byte, at int64) {
	_ = d.advance(at, d.write)
	d.place(channel, clocked{ts, 1}, sound, at)
}

// channel is one party's sound up to a sample.
func (d *desk) channel(c int, end int64) []byte {
	_ = d.finish(end, d.write)
	return pick(d.out, len(d.tracks), c)
}

func pick(interleaved []byte, channels, c int) (one []byte) {
	for i := c; i < len(interleaved); i += channels {
		one = append(one, interleaved[i])
	}
	return one
}

func gap(n int) []byte { return bytes.Repeat([]byte{silence}, n) }

// Packets that jump the queue, come twice or are late by less than the window stand in the file
// as they were spoken; timestamps may wrap.
func TestOrderAndJitter(t *testing.T) {
	const packets = 500
	said := noise(1, packets*frame)
	for _, first := range []uint32{0, 1<<32 - 100*frame, 1<<31 - 7} {
		r := rand.New(rand.NewPCG(uint64(first), 3))
		type sent struct {
			i  int
			at int64
		}
		var net []sent
		for i := range packets {
			delay := int64(0)
			if i > 0 {
				delay = r.Int64N(window * 3 / 4)
			}
			net = append(net, sent{i, int64(i*frame) + delay})
			if r.IntN(5) == 0 {
				net = append(net, sent{i, int64(i*frame) + r.Int64N(window*3/4)})
			}
		}
		slices.SortStableFunc(net, func(a, b sent) int { return int(a.at - b.at) })
		d := newDesk(2)
		for _, s := range net {
			d.put(1, first+uint32(s.i*frame), said[s.i*frame:][:frame], s.at)
		}
		if got := d.channel(1, packets*frame); !bytes.Equal(got, said) {
			t.Errorf("first timestamp %d: the sound is another", first)
		}
		if k := d.tracks[1]; k.misplaced != 0 || k.packets != uint64(len(net)) {
			t.Errorf("first timestamp %d: %+v of %d packets", first, k, len(net))
		}
		if got := pick(d.out, 2, 0); !bytes.Equal(got, gap(packets*frame)) {
			t.Error("a party that said nothing is heard")
		}
	}
}

func TestLossAndPausesAreSilence(t *testing.T) {
	said := noise(2, 100*frame)
	want := slices.Clone(said)
	d := newDesk(3)
	for i := range 100 {
		if i%7 == 3 || i >= 40 && i < 80 {
			copy(want[i*frame:], gap(frame))
			continue
		}
		d.put(2, uint32(i*frame), said[i*frame:][:frame], int64(i*frame))
	}
	if got := d.channel(2, 100*frame); !bytes.Equal(got, want) {
		t.Error("gaps are not where nothing came")
	}
}

// Timestamps of 48 kHz, as Opus has them, also when they wrap.
func TestOtherClock(t *testing.T) {
	said := noise(3, 100*frame)
	d := newDesk(1)
	first := uint32(1<<32 - 300*frame)
	for i := range 100 {
		at := int64(i * frame)
		_ = d.advance(at, d.write)
		d.place(0, clocked{first + uint32(i*frame*6), 6}, said[i*frame:][:frame], at)
	}
	if got := d.channel(0, 100*frame); !bytes.Equal(got, said) || d.tracks[0].resyncs != 0 {
		t.Errorf("the sound is another, %+v", d.tracks[0])
	}
}

// Packets of 10, 30 and 60 ms are as good as those of 20.
func TestPacketSizes(t *testing.T) {
	said := noise(3, 2*pcm.Rate)
	for _, size := range []int{80, 240, 480, 960, 37} {
		d := newDesk(1)
		for from := 0; from+size <= len(said); from += size {
			d.put(0, uint32(from), said[from:][:size], int64(from))
		}
		n := len(said) / size * size
		if got := d.channel(0, int64(n)); !bytes.Equal(got, said[:n]) {
			t.Errorf("packets of %d samples are not kept", size)
		}
	}
}

// A party that begins another stream, or that has not counted while it paused, is heard from
// its second packet on, at the time of the wall.
func TestTimestampsJump(t *testing.T) {
	said := noise(4, 100*frame)
	for name, jump := range map[string]uint32{"far ahead": 1 << 30, "back": 1<<32 - 3*pcm.Rate, "a second": pcm.Rate} {
		d := newDesk(1)
		want := slices.Clone(said)
		copy(want[50*frame:], gap(frame)) // the first of them might have been a stray
		for i := range 100 {
			ts := uint32(i * frame)
			if i >= 50 {
				ts += jump
			}
			d.put(0, ts, said[i*frame:][:frame], int64(i*frame))
		}
		if got := d.channel(0, 100*frame); !bytes.Equal(got, want) {
			t.Errorf("%s: the sound is another", name)
		}
		if k := d.tracks[0]; k.resyncs != 1 || k.misplaced != 1 {
			t.Errorf("%s: %+v", name, k)
		}
	}
}

// One packet from another age moves nothing.
func TestStray(t *testing.T) {
	said := noise(5, 100*frame)
	d := newDesk(1)
	for i := range 100 {
		d.put(0, uint32(i*frame), said[i*frame:][:frame], int64(i*frame))
		if i%10 == 5 {
			d.put(0, uint32(i*frame)-5*pcm.Rate, noise(9, frame), int64(i*frame))
		}
	}
	if got := d.channel(0, 100*frame); !bytes.Equal(got, said) {
		t.Error("a stray packet is heard")
	}
}

// Clocks of phones are wrong by up to a thousandth in the field. However long the call, each
// party stays beside the clock on the wall.
func TestClocksDrift(t *testing.T) {
	for name, perMille := range map[string]int64{"fast": 1, "slow": -1} {
		d := newDesk(1)
		sound := noise(6, frame)
		const packets = 20 * 60 * 50 // 20 minutes
		furthest := int64(0)
		for i := range int64(packets) {
			at := i * frame * (1000 - perMille) / 1000
			d.put(0, uint32(i*frame), sound, at)
			k := d.tracks[0]
			pos := k.pos + int64(int32(uint32(i*frame)-k.ts))
			furthest = max(furthest, at-pos, pos-at)
			d.out = d.out[:0]
		}
		if furthest > tolerance+tolerance/4 {
			t.Errorf("%s: a party is heard %d ms beside its time", name, furthest*1000/pcm.Rate)
		}
		if n := d.tracks[0].resyncs; n < 10 || n > 60 {
			t.Errorf("%s: %d resyncs in 20 minutes", name, n)
		}
	}
}

// The first packet may have been the slow one.
func TestFirstPacketWasLate(t *testing.T) {
	d := newDesk(1)
	sound := noise(7, frame)
	d.put(0, 0, sound, 2000)
	for i := int64(1); i < 200; i++ {
		d.put(0, uint32(i*frame), sound, i*frame)
	}
	k := d.tracks[0]
	if off := k.pos - int64(k.ts); off > tolerance || off < -tolerance {
		t.Errorf("after four seconds the party is still %d samples beside its time", off)
	}
}

// Whatever comes, the file has the length of the call and the writer does not fall over.
func FuzzTimeline(f *testing.F) {
	f.Add([]byte("some packets that come at any time and with any timestamp, in no order whatsoever"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := newDesk(3)
		at := int64(0)
		for len(in) >= 8 {
			at += int64(in[0]) * int64(in[1])
			ts := uint32(in[2])<<24 | uint32(in[3])<<16 | uint32(in[4])<<8 | uint32(in[5])
			if in[7]&1 == 0 {
				ts = uint32(at) + uint32(in[5])*20
			}
			d.put(int(in[6])%3, ts, noise(1, 1+int(in[7])*5), at)
			in = in[8:]
		}
		if got := len(d.channel(0, at)); int64(got) != max(at, d.from) {
			t.Fatalf("%d samples, the call had %d", got, at)
		}
	})
}
