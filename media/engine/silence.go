package engine

import "time"

// Pause is what is known of why a party is silent.
type Pause uint8

const (
	Unexplained Pause = iota // its sound broke off
	Suppressed               // it leaves out silence: comfort noise came last (RFC 3389), or it has paused before
	OnHold                   // it is not to send
	Unheard                  // no sound has come from it yet
)

// pauseGap between two packets that follow each other in number is silence that the party has left out: RFC 3551 §4.1.
const pauseGap = 500 * time.Millisecond

// silence watches for a party's signs of life, sound and reports alike: a phone that has lost its power says nothing of
// it, and is to be asked after within seconds. Whether its sound is missed is another matter, see [MediaLost]. Owned
// by the leg.
type silence struct {
	said       bool
	suppresses bool      // it has left out silence
	noise      bool      // comfort noise came last
	reportAt   time.Time // the last report of any kind
	since      time.Time // its Stream is as it is
}

// lastSign is when the party was last known to be there.
func (l *leg) lastSign() time.Time {
	last := l.silence.since
	for _, sign := range []time.Time{l.latch.at, l.silence.reportAt} {
		if sign.After(last) {
			last = sign
		}
	}
	return last
}

// missSigns says once that there is no sign of the party any more.
func (l *leg) missSigns(now time.Time) {
	patience := l.shard.cfg.SilenceTimeout
	if l.silence.said || !l.ready || now.Sub(l.latch.at) <= patience {
		return
	}
	if last := l.lastSign(); now.Sub(last) > patience {
		l.silence.said, l.checkpoints.changed = true, true
		l.room.emit(Silent{Leg: l.id, Since: last, Pause: l.pauses()})
	}
}

func (l *leg) pauses() Pause {
	switch {
	case !l.stream.Receive:
		return OnHold
	case l.latch.at.IsZero():
		return Unheard
	case l.silence.noise || l.silence.suppresses:
		return Suppressed
	}
	return Unexplained
}

// sign ends a silence.
func (l *leg) sign(report bool) {
	if l.silence.said {
		l.silence.said, l.checkpoints.changed = false, true
		l.room.emit(Alive{Leg: l.id, Report: report})
	}
}

// sounds notes an RTP packet of the party; follows: by its number it comes right after the one before.
func (l *leg) sounds(follows bool, now time.Time) {
	if follows && !l.latch.at.IsZero() && now.Sub(l.latch.at) >= pauseGap {
		l.silence.suppresses = true
	}
	l.latch.at = now
	l.sign(false)
}

// reported notes a report of the party, whatever it says.
func (l *leg) reported(now time.Time) {
	l.silence.reportAt = now
	l.sign(true)
}
