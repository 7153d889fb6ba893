package dtmf

import "strings"

const (
	// nearest is the least time between the beginnings of two presses of one key, in ms. A
	// key and the pause behind it last 40 ms each at the least (ITU-T Q.24). What is nearer
	// is a phone that lets the timestamp run on during a press.
	nearest = 60
	// segment is from where a press may go on in a further segment: an event can say no
	// more than 0xFFFF ticks (RFC 4733 §2.5.1.3), 8 s at 8 kHz and 1.4 s at 48 kHz. The rest
	// is for packets lost before the segment's end: a second, or 170 ms. It does not grow
	// with the clock, as a key pressed again so soon after such a long one would be lost.
	segment = 0xe000
	// remembered presses are known again when the network delivers their packets late.
	remembered = 8
)

// press is a key press that was reported.
type press struct {
	digit    byte // 0: none
	ts       uint32
	seq      uint16 // of its newest packet
	duration uint16 // largest seen
	ended    bool
}

// Receiver finds the key presses in one stream of event packets. A press is
// reported with its first packet that comes, so neither a lost beginning nor a
// lost end matters, and is then known by its RTP timestamp: RFC 4733 §2.2.1.
// The zero value is ready. Owned by the leg; begin with a fresh one when the
// SSRC changes.
type Receiver struct {
	// ClockRate is the RTP clock of the stream in Hz; 0 is DefaultClock. It may
	// change with the payload type of the events.
	ClockRate int

	presses [remembered]press
	last    int // the newest of them
}

// Push takes a packet. ok is true when it makes a press known that was not yet.
// What is no key is passed over.
func (r *Receiver) Push(seq uint16, ts uint32, payload []byte) (digit byte, ok bool) {
	e, err := Parse(payload)
	if err != nil {
		return 0, false
	}
	p := r.find(e, seq, ts)
	if p == nil {
		r.last = (r.last + 1) % remembered
		r.presses[r.last] = press{digit: e.Digit, ts: ts, seq: seq, duration: e.Duration, ended: e.End}
		return e.Digit, true
	}
	p.add(e, seq, ts)
	return 0, false
}

// find gives the press that a packet belongs to; nil: to one that is new.
func (r *Receiver) find(e Event, seq uint16, ts uint32) *press {
	newest := &r.presses[r.last]
	if newest.digit == e.Digit {
		switch {
		case newest.again(e, seq, ts):
			return nil
		case newest.goesOn(ts, int32(clock(r.ClockRate))*nearest/1000):
			return newest
		}
	}
	for i := range r.presses {
		if p := &r.presses[i]; p.digit == e.Digit && p.ts == ts {
			return p
		}
	}
	return nil
}

// again says that the key is down once more under the old timestamp, as gateways
// do whose timestamp stands still: the duration begins anew after the end.
func (p *press) again(e Event, seq uint16, ts uint32) bool {
	return ts == p.ts && p.ended && !e.End && e.Duration < p.duration && int16(seq-p.seq) > 0
}

// goesOn says whether a timestamp is that of the press, or so near, in ticks,
// that it must be.
func (p *press) goesOn(ts uint32, near int32) bool {
	apart := int32(ts - p.ts)
	if apart > -near && apart < near {
		return true
	}
	return !p.ended && p.duration >= segment && apart > 0 && apart <= 0xffff
}

func (p *press) add(e Event, seq uint16, ts uint32) {
	if int16(seq-p.seq) <= 0 {
		return
	}
	if ts != p.ts {
		p.ts, p.duration = ts, 0
	}
	p.seq, p.duration, p.ended = seq, max(p.duration, e.Duration), e.End
}

// isKey says whether a character is one of Keys.
func isKey(digit byte) bool { return strings.IndexByte(Keys, digit) >= 0 }
