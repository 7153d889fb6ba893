package engine

import "time"

// pauseGap between two packets is silence that the party has left out: RFC 3551 §4.1.
const pauseGap = 500 * time.Millisecond

// silence watches for a party's signs of life, sound and reports alike: a phone that has lost its power says nothing of
// it, and is to be asked after within seconds. Whether its sound is missed is another matter, see [MediaLost]. Owned
// by the leg.
type silence struct {
	said     bool
	reportAt time.Time        // the last report of any kind
	every    [2]time.Duration // between its last reports; 0: not known
	since    time.Time        // its Stream is as it is
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

const (
	// rareReports: whoever reports less often than so is not known by it to be there. RFC 3550 §6.3.1 has nominal 5 s
	// drawn from 2.05 to 6.16 s.
	rareReports = 7 * time.Second
	// lateReport is so much of what is known as the interval that the next may take.
	lateReport = 1.5
)

// patience is for how long there may be no sign. Of a party that leaves out its sound, and has reported all the same,
// the next report is waited for, by the interval that its reports have shown.
func (l *leg) patience() time.Duration {
	patience, s := l.shard.cfg.SilenceTimeout, &l.silence
	if s.reportAt.Before(s.since) || s.reportAt.Sub(l.latch.at) < pauseGap {
		return patience // the sound may have broken off with the report
	}
	return max(patience, time.Duration(lateReport*float64(max(s.every[0], s.every[1]))))
}

// missSigns says once that there is no sign of the party any more.
func (l *leg) missSigns(now time.Time) {
	patience := l.shard.cfg.SilenceTimeout
	if l.silence.said || !l.ready || now.Sub(l.latch.at) <= patience {
		return
	}
	if now.Sub(l.lastSign()) > l.patience() {
		l.silence.said, l.checkpoints.changed = true, true
		l.room.emit(Silent{Leg: l.id})
	}
}

// sign ends a silence.
func (l *leg) sign() {
	if l.silence.said {
		l.silence.said, l.checkpoints.changed = false, true
		l.room.emit(Alive{Leg: l.id})
	}
}

// sounds notes an RTP packet of the party.
func (l *leg) sounds(now time.Time) {
	l.latch.at = now
	l.sign()
}

// reported notes a report of the party, whatever it says.
func (l *leg) reported(now time.Time) {
	every := now.Sub(l.silence.reportAt)
	if every > rareReports || l.silence.reportAt.IsZero() {
		every = 0
	}
	l.silence.every = [2]time.Duration{every, l.silence.every[0]}
	l.silence.reportAt = now
	l.sign()
}
