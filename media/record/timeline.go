package record

import (
	"time"

	"liandong/media/pcm"
)

const (
	silence = 0xd5 // A-law for nothing: the code of +0, G.711 table 1, even bits inverted

	window    = pcm.Rate / 2 // samples that a packet may come too early or too late and still find its place
	block     = pcm.Rate / 2 // samples of each channel that are written at once
	openSize  = 2*window + block + maxPayload
	trendTime = pcm.Rate      // over which the quickest packet of a party is looked for
	tolerance = pcm.Rate / 25 // 40 ms: so far a party may be beside the clock on the wall
)

// timeline puts the packets of all parties at their place in time. It is pure: times are
// samples since the recording began. Samples are closed, and leave as a block, when no packet
// finds a place in them any more. Owned by the writer.
type timeline struct {
	tracks []track
	open   []byte // interleaved, from sample `from` on; silence where nothing came
	from   int64
}

// track is one party's clock: its RTP timestamps against the samples of the recording.
type track struct {
	live  bool
	clock int64  // ticks of its timestamps in a sample
	ts    uint32 // a timestamp, and
	pos   int64  // the sample it stands for

	suspect bool // the last packet fitted nowhere; another like it begins a stream
	strange uint32

	trendEnd int64 // when the trend is looked at
	least    int64 // smallest lag since the trend began, in samples

	packets, misplaced, resyncs uint64
}

func newTimeline(channels int) *timeline {
	t := &timeline{tracks: make([]track, channels), open: make([]byte, openSize*channels)}
	hush(t.open)
	return t
}

// hush writes silence.
func hush(b []byte) {
	for i := range b {
		b[i] = silence
	}
}

// samples is a time as samples.
func samples(d time.Duration) int64 { return int64(d) * pcm.Rate / int64(time.Second) }

// clocked is an RTP timestamp and how many of its ticks are a sample: 1, or 6 of Opus.
type clocked struct {
	ts    uint32
	clock int64
}

// place writes a packet's sound, A-law, into the open samples. It came at sample `at`; the
// samples before at-window-block must have been closed by advance.
func (t *timeline) place(channel int, c clocked, sound []byte, at int64) {
	k := &t.tracks[channel]
	k.packets++
	pos, ok := k.locate(c, at)
	if pos < t.from && ok {
		passed := min(t.from-pos, int64(len(sound)))
		pos, sound, ok = t.from, sound[passed:], passed < int64(len(sound))
	}
	if !ok {
		k.misplaced++
		return
	}
	to := t.open[min(int(pos-t.from)*len(t.tracks)+channel, len(t.open)):]
	for i, b := range sound {
		if i*len(t.tracks) >= len(to) {
			return
		}
		to[i*len(t.tracks)] = b
	}
}

// locate finds the sample for a timestamp. A party's clock is set by its first packet and
// then followed; it is set anew when timestamps jump, as they do when a phone begins another
// stream or has paused without counting. One packet that fits nowhere is a stray.
func (k *track) locate(c clocked, at int64) (pos int64, ok bool) {
	if !k.live || c.clock != k.clock {
		return k.sync(c, at), true
	}
	pos = k.pos + int64(int32(c.ts-k.ts))/k.clock
	if lag := at - pos; lag > window || lag < -window {
		if k.suspect && int64(c.ts-k.strange) <= window*k.clock {
			k.resyncs++
			return k.sync(c, at), true
		}
		k.suspect, k.strange = true, c.ts
		return 0, false
	}
	k.suspect = false
	if int32(c.ts-k.ts) > 0 {
		k.ts, k.pos = c.ts, pos
	}
	return pos + k.drift(at-pos, at), true
}

// sync sets the clock: this timestamp stands for now.
func (k *track) sync(c clocked, at int64) int64 {
	k.live, k.clock, k.ts, k.pos, k.suspect = true, c.clock, c.ts, at, false
	k.restart(at)
	return at
}

func (k *track) restart(at int64) { k.trendEnd, k.least = at+trendTime, window+1 }

// drift takes out what a party has wandered off: the network delays packets at will, but the
// quickest of a second shows where the party's clock is. The result is the correction.
func (k *track) drift(lag, at int64) int64 {
	k.least = min(k.least, lag)
	if at < k.trendEnd {
		return 0
	}
	off := k.least
	k.restart(at)
	if off <= tolerance && off >= -tolerance {
		return 0
	}
	k.pos += off
	k.resyncs++
	return off
}

// advance closes what lies more than a window before sample `at`, block by block.
func (t *timeline) advance(at int64, write func([]byte) error) error {
	for t.from+block <= at-window {
		if err := t.shift(block, write); err != nil {
			return err
		}
	}
	return nil
}

// finish closes everything before sample `end`.
func (t *timeline) finish(end int64, write func([]byte) error) error {
	if err := t.advance(end+window, write); err != nil {
		return err
	}
	if rest := end - t.from; rest > 0 {
		return t.shift(int(rest), write)
	}
	return nil
}

// shift writes the first n samples of each channel and opens as many at the end.
func (t *timeline) shift(n int, write func([]byte) error) error {
	size := n * len(t.tracks)
	err := write(t.open[:size])
	copy(t.open, t.open[size:])
	hush(t.open[len(t.open)-size:])
	t.from += int64(n)
	return err
}
