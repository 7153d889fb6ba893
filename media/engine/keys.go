package engine

import (
	"time"

	"github.com/pion/rtp"
)

// press queues keys for the party: as events where it takes them, otherwise as tones.
// Before the party's Stream it is not known which, so they wait.
func (l *leg) press(digits string) {
	switch {
	case !l.ready:
		l.unsent += digits
	case l.stream.DTMFSend == 0:
		l.tones.queue(digits)
	default:
		l.dial.Queue(digits)
	}
}

// sendKey sends this tick's packet of a key, in the place of sound: RFC 4733 §2.5.1.1.
func (l *leg) sendKey(now time.Time) bool {
	if tone, ok := l.tones.next(l.rate()); ok {
		l.dialTill = now.Add(dialHold)
		l.deafen(now)
		l.emit(l.of(tone), now)
		return true
	}
	if l.stream.DTMFSend == 0 {
		return false // an offer took the events away in the middle: the rest is lost
	}
	due, _ := l.out.due(now)
	payload, ts, marker, ok := l.dial.Next(due)
	if !ok {
		return false
	}
	l.dialTill = now.Add(dialHold)
	l.sendEvent(payload, ts, marker, now)
	return true
}

// sendEvent numbers an event packet in the one stream of the leg. Its timestamp is that of
// the key's beginning, so the clock of the sound is left alone.
func (l *leg) sendEvent(payload []byte, ts uint32, marker bool, now time.Time) {
	l.rewriter.live = false
	l.unpack()
	l.transmit(rtp.Header{Marker: marker, PayloadType: l.stream.DTMFSend, SequenceNumber: l.out.seq, Timestamp: ts},
		payload)
	l.out.event(ts, len(payload), now)
}

// keyWaits says that keys are to be sent, or the pause behind one is to end.
func (l *leg) keyWaits() bool { return l.dial.Busy() || l.tones.waiting != "" }

// makeRoom holds relayed packets up for a key: a source that is always a little ahead
// would leave it no tick of its own.
func (l *leg) makeRoom(now time.Time) {
	if l.keyWaits() {
		l.dialTill = now.Add(dialHold)
	}
}
