package engine

import (
	"time"

	"liandong/media/codec"
	"liandong/media/quality"
	"liandong/media/report"
)

// Quality is how a leg sounded over some time, in both directions.
type Quality struct {
	Network string
	RTT     time.Duration // between us and the party, mean; 0: not known
	In      Direction     // what came from the party
	Out     Direction     // what the party says of what it got from us: RTCP
}

// Direction is one of a leg's two streams.
type Direction struct {
	Known   bool          // false: nothing came, or the party says nothing; of all else only Packets stands
	Packets uint32        // In: due by their numbers. Out: sent
	Loss    float64       // the part of them that did not come, 0 to 1
	Jitter  time.Duration // interarrival jitter of RFC 3550 §6.4.1, mean
	R       float64       // ITU-T G.107, with the delay of this leg
	MOSLQ   float64       // 1 to 4.5, of listening: without the delay
	MOSCQ   float64       // 1 to 4.5, of a conversation: with the delay
}

const (
	// ITU-T G.109 Table 1: below 60 is "nearly all users dissatisfied", from 70 on only "some" are.
	poorR = 60
	fairR = 70

	appraisable  = 50                    // packets, below which a time says nothing
	opinionRests = 10 * time.Second      // QualityChanged comes no faster
	farBuffer    = 40 * time.Millisecond // of a phone that does not tell: two packets
)

// opinion is what was said of a leg last. Owned by the leg.
type opinion struct {
	before  quality.Loss // at the last appraisal
	sent    uint32
	poor    bool
	changed time.Time
}

// appraise looks at the time since the last appraisal, and tells how the leg has sounded: also
// when it has become poor, or fair again.
func (l *leg) appraise(now time.Time) {
	q := l.latest()
	if q.In.Known || q.Out.Known {
		l.room.emit(Measured{Leg: l.id, Quality: q})
	}
	l.judge(q, now)
}

// latest closes the time since the last appraisal and counts it.
func (l *leg) latest() Quality {
	f, o := &l.feedback, &l.opinion
	loss := l.reception.Loss()
	if loss.Packets() != o.before.Packets() {
		f.Recent.Inbound.Add(l.reception.Jitter().Seconds(), 1)
	}
	q := l.quality(loss.Since(o.before), f.Recent, l.out.packets-o.sent)
	f.Whole.Merge(f.Recent)
	f.Recent, o.before, o.sent = report.Figures{}, loss, l.out.packets
	l.shard.count.quality[q.Network].observe(q)
	return q
}

// whole is the leg's quality since it began. What the party tells of that by itself is better
// than our guess.
func (l *leg) whole() Quality {
	f := l.feedback.Whole
	f.Merge(l.feedback.Recent)
	q := l.quality(l.reception.Loss(), f, l.out.packets)
	if xr := l.feedback.XR; xr.Known {
		q.Out.believe(xr)
	}
	return q
}

func (d *Direction) believe(xr report.Extended) {
	d.Known, d.Loss = true, xr.Loss
	if xr.MOSLQ != 0 {
		d.MOSLQ = xr.MOSLQ
	}
	if xr.MOSCQ != 0 {
		d.MOSCQ = xr.MOSCQ
	}
}

func (l *leg) quality(loss quality.Loss, f report.Figures, sent uint32) Quality {
	rtt := f.RTT
	if !rtt.Known() {
		rtt = l.feedback.Whole.RTT
	}
	way := rtt.Duration() / 2
	coding := codingOf(l.stream.Codec)
	q := Quality{
		Network: l.pair.network, RTT: f.RTT.Duration(),
		In: Direction{Packets: loss.Packets(), Loss: loss.Ratio(), Jitter: f.Inbound.Duration(),
			Known: loss.Packets() > 0},
		Out: Direction{Packets: sent, Loss: f.Loss.Value(), Jitter: f.Jitter.Duration(), Known: f.Loss.Known()},
	}
	q.In.rate(quality.Path{Coding: coding, Loss: loss.Ratio(), BurstRatio: loss.BurstRatio(),
		Delay: way + l.buffered() + l.reception.PacketTime()})
	q.Out.rate(quality.Path{Coding: coding, Loss: q.Out.Loss,
		Delay: way + l.farBuffered() + packetTime(l.stream.Ptime)})
	return q
}

// rate asks the E-model, when there is anything to ask about.
func (d *Direction) rate(p quality.Path) {
	if !d.Known {
		return
	}
	d.R = quality.R(p)
	d.MOSCQ = quality.MOS(d.R)
	p.Delay = 0
	d.MOSLQ = quality.MOS(quality.R(p))
}

// codingOf takes it that whoever plays the sound covers for lost packets: phones do, and so do we.
// G.113 has nothing on Opus, which has concealment of its own: it is rated as the other wideband codec.
func codingOf(id codec.ID) quality.Coding {
	switch id {
	case codec.PCMA, codec.PCMU:
		return quality.G711PLC
	}
	return quality.G722PLC
}

// buffered is how long the party's packets wait before they are heard: in our buffer when they
// are mixed, in that of whoever they are relayed to otherwise.
func (l *leg) buffered() time.Duration {
	if l.voice.playout == nil {
		return farBuffer
	}
	return l.voice.playout.Stats().MeanDelay
}

// farBuffered is how long our packets wait at the party's.
func (l *leg) farBuffered() time.Duration {
	if delay := l.feedback.XR.Delay; delay > 0 {
		return delay
	}
	return farBuffer
}

// judge says that a leg has become poor, or is fair again.
func (l *leg) judge(q Quality, now time.Time) {
	o := &l.opinion
	worst, ok := q.worst()
	if !ok || now.Sub(o.changed) < opinionRests {
		return
	}
	poor := worst < poorR || o.poor && worst < fairR
	if poor != o.poor {
		o.poor, o.changed = poor, now
		l.room.emit(QualityChanged{Leg: l.id, Poor: poor, Quality: q})
	}
}

// worst is the rating of the worse direction; false when neither says enough.
func (q Quality) worst() (r float64, ok bool) {
	for _, d := range []Direction{q.In, q.Out} {
		if d.Known && d.Packets >= appraisable && (!ok || d.R < r) {
			r, ok = d.R, true
		}
	}
	return r, ok
}

// closed is the last that is said of a leg.
func (l *leg) closed() LegClosed {
	l.latest()
	return LegClosed{Leg: l.id, About: l.about, Quality: l.whole()}
}
