package phone

import (
	"net/netip"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// Continuity is how the RTP that came hung together. An unbroken stream has one SSRC, no gaps and no jumps.
type Continuity struct {
	Packets, Events int      // all packets; those of them that were not voice
	SSRCs           []uint32 // in order of appearance, a return counts again
	Sources         []netip.AddrPort
	Codecs          []Codec // in order of appearance, a return counts again
	Gaps            []Gap
	Jumps           []Jump
	Unopened        int           // not sealed by the peer's key
	Late            int           // out of order or twice
	LongestQuiet    time.Duration // between two packets
	QuietAt         time.Time     // the end of it
	Pauses          []Pause       // of 100 ms and more between two packets

	last    time.Time
	seq     uint16
	voice   bool // seq and ts of the last voice packet are known
	voiceTS uint32
	voiceAt uint16
	event   bool // keys have come since
	start   time.Time
	startTS uint32
}

// Pause is a time in which nothing came.
type Pause struct {
	End time.Time
	For time.Duration
}

// Gap is packets missing in the sequence.
type Gap struct {
	At   time.Time
	Lost int
}

// Jump is a timestamp that does not fit the sequence: Samples away from where it should be.
type Jump struct {
	At      time.Time
	Samples int
	Marker  bool // the sender says so itself: a new talk spurt
	// Off is how far the new timestamp is from the time that went by since the stream's first packet, in samples:
	// near 0 for a sender that stood still for a while and says so.
	Off int
}

func (c *Continuity) take(p *rtp.Packet, from netip.AddrPort, at time.Time, voice bool) {
	c.Packets++
	if !voice {
		c.Events++
	}
	if !slices.Contains(c.Sources, from) {
		c.Sources = append(c.Sources, from)
	}
	if quiet := at.Sub(c.last); !c.last.IsZero() {
		if quiet > c.LongestQuiet {
			c.LongestQuiet, c.QuietAt = quiet, at
		}
		if quiet >= 100*time.Millisecond {
			c.Pauses = append(c.Pauses, Pause{at, quiet})
		}
	}
	c.last = at
	if n := len(c.SSRCs); n == 0 || c.SSRCs[n-1] != p.SSRC {
		c.SSRCs = append(c.SSRCs, p.SSRC)
		c.seq, c.voice = p.SequenceNumber, false
	} else if d := int16(p.SequenceNumber - c.seq); d <= 0 {
		c.Late++
		return
	} else if c.seq = p.SequenceNumber; d > 1 {
		c.Gaps = append(c.Gaps, Gap{at, int(d) - 1})
	}
	if voice {
		c.takeVoice(p, at)
	} else {
		c.event = true
	}
}

func (c *Continuity) takeVoice(p *rtp.Packet, at time.Time) {
	if n := len(c.Codecs); n == 0 || c.Codecs[n-1] != Codec(p.PayloadType) {
		c.Codecs = append(c.Codecs, Codec(p.PayloadType))
	}
	if c.voice {
		steps := int(p.SequenceNumber - c.voiceAt)
		off := int(int32(p.Timestamp-c.voiceTS)) - steps*len(p.Payload)
		// Keys stand for voice but do not count with it: three end packets share an instant.
		if c.event && off > -8000 && off < 8000 {
			off = 0
		}
		if off != 0 {
			passed := int(at.Sub(c.start).Seconds() * 8000)
			c.Jumps = append(c.Jumps, Jump{at, off, p.Marker, int(int32(p.Timestamp-c.startTS)) - passed})
		}
	} else {
		c.start, c.startTS = at, p.Timestamp
	}
	c.voice, c.voiceTS, c.voiceAt, c.event = true, p.Timestamp, p.SequenceNumber, false
}

// copy is one that the reader no longer writes to.
func (c *Continuity) copy() Continuity {
	out := *c
	out.SSRCs, out.Sources, out.Codecs = slices.Clone(c.SSRCs), slices.Clone(c.Sources), slices.Clone(c.Codecs)
	out.Gaps, out.Jumps = slices.Clone(c.Gaps), slices.Clone(c.Jumps)
	out.Pauses = slices.Clone(c.Pauses)
	return out
}

// Unbroken says that it was one stream all along: one SSRC from one source, no
// packet missing. A jump that the sender marks as a new talk spurt (it was held
// up for some ticks and says so) does not break a stream; any other does.
func (c *Continuity) Unbroken() bool {
	honest := !slices.ContainsFunc(c.Jumps, func(j Jump) bool { return !j.Marker || j.Samples < 0 })
	return len(c.SSRCs) == 1 && len(c.Sources) == 1 && len(c.Gaps) == 0 && c.Late == 0 && honest
}
