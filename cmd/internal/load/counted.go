package load

import "time"

const (
	shortGap  = 30 * time.Millisecond
	longGap   = 60 * time.Millisecond
	maxHeard  = 8  // speakers that one leg can tell apart
	sideShift = 22 // of a speaker's side in its id
)

// counted is what one leg sent and heard within the window. The zero value is ready.
type counted struct {
	out      int // packets of sound sent
	in       int // RTP packets that came
	unmarked int // of those, sound without a readable stamp
	missing  int // missing in the RTP sequence of what came
	short    int // pauses over shortGap between two packets; those over longGap as well
	long     int
	longest  time.Duration
	last     int64  // when the newest packet came, 0: none yet
	seq      uint16 // of the newest
	ssrc     uint32
	second   int64 // which second is being counted
	inSecond int
	lowest   int  // packets in the worst second so far
	started  bool // lowest is valid
	closed   bool // the stream has ended: no further second counts

	heard [maxHeard]heard
	// delays of what was heard of each side, together with the other legs of this side; nil: they are not kept.
	delays *[sides]delays
}

// heard is what a leg heard of one speaker. Packets are counted by when they were sent.
type heard struct {
	speaker     uint32
	any         bool
	in, twice   int // within the window
	newest      uint16
	seen        uint64 // bit i: newest-i has come
	first, last int64  // when the first and the newest came, in or out of the window
	max         time.Duration
}

// arrived counts a packet by the time of its coming.
func (c *counted) arrived(p rtpPacket, at, from int64) {
	c.in++
	if second := (at - from) / int64(time.Second); second >= c.second {
		c.rollTo(second)
		c.inSecond++
	}
	if c.last != 0 {
		gap := time.Duration(at - c.last)
		if c.longest = max(c.longest, gap); gap > shortGap {
			c.short++
		}
		if gap > longGap {
			c.long++
		}
	}
	// A new SSRC is a new stream; a number from before has been missed already.
	if step := int16(p.seq - c.seq); c.last != 0 && p.ssrc == c.ssrc && step > 1 {
		c.missing += int(step) - 1
	} else if c.last != 0 && p.ssrc == c.ssrc && step < 0 {
		c.missing = max(0, c.missing-1)
		c.last = at
		return
	}
	c.last, c.seq, c.ssrc = at, p.seq, p.ssrc
}

// rollTo closes the seconds before this one.
func (c *counted) rollTo(second int64) {
	for ; c.second < second && !c.closed; c.second++ {
		if !c.started || c.inSecond < c.lowest {
			c.lowest, c.started = c.inSecond, true
		}
		c.inSecond = 0
	}
}

// heardFrom counts a stamp. inside: it was sent within the window.
func (c *counted) heardFrom(m stamp, took time.Duration, at int64, inside bool) {
	h := c.from(m.speaker)
	if h == nil {
		return
	}
	h.last = at
	if !h.any {
		h.any, h.first, h.newest = true, at, m.count
	}
	switch again := h.again(m.count); {
	case !inside:
	case again:
		h.twice++
	default:
		h.in++
		h.max = max(h.max, took)
		if by := m.speaker >> sideShift; c.delays != nil && by < uint32(sides) {
			c.delays[by].add(took)
		}
	}
}

// again notes a count and says whether it had come before. 64 packets back is as far as it can tell.
func (h *heard) again(count uint16) bool {
	step := int16(count - h.newest)
	if step > 0 {
		h.newest = count
		h.seen <<= min(uint(step), 64)
		step = 0
	}
	bit := uint64(1) << min(uint(-step), 63)
	was := h.seen&bit != 0
	h.seen |= bit
	return was
}

// from finds the place of a speaker; nil: there are too many.
func (c *counted) from(speaker uint32) *heard {
	for i := range c.heard {
		h := &c.heard[i]
		if !h.any {
			h.speaker = speaker
			return h
		}
		if h.speaker == speaker {
			return h
		}
	}
	return nil
}

// most is the speaker who was heard most; nil: nobody.
func (c *counted) most() (most *heard) {
	for i := range c.heard {
		if h := &c.heard[i]; h.any && (most == nil || h.in > most.in) {
			most = h
		}
	}
	return most
}

// mostOf is the speaker of one side who was heard most; nil: nobody.
func (c *counted) mostOf(s side) (most *heard) {
	for i := range c.heard {
		if h := &c.heard[i]; h.any && h.by() == s && (most == nil || h.in > most.in) {
			most = h
		}
	}
	return most
}

// strange is packets of others of a side than the one who was heard most.
func (c *counted) strange(s side, most *heard) (n int) {
	for i := range c.heard {
		if h := &c.heard[i]; h.any && h.by() == s && h != most {
			n += h.in
		}
	}
	return n
}

// by is the side of the speaker.
func (h *heard) by() side { return side(h.speaker >> sideShift) }
