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

// Press is a key press that was reported.
type Press struct {
	Digit    byte // 0: none
	TS       uint32
	Seq      uint16 // of its newest packet
	Duration uint16 // largest seen
	Ended    bool
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

	presses [remembered]Press
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
		r.presses[r.last] = Press{Digit: e.Digit, TS: ts, Seq: seq, Duration: e.Duration, Ended: e.End}
		return e.Digit, true
	}
	p.add(e, seq, ts)
	return 0, false
}

// find gives the press that a packet belongs to; nil: to one that is new.
func (r *Receiver) find(e Event, seq uint16, ts uint32) *Press {
	newest := &r.presses[r.last]
	if newest.Digit == e.Digit {
		switch {
		case newest.again(e, seq, ts):
			return nil
		case newest.ends(e, seq):
			return newest
		case newest.goesOn(ts, int32(clock(r.ClockRate))*nearest/1000):
			return newest
		}
	}
	for i := range r.presses {
		if p := &r.presses[i]; p.Digit == e.Digit && p.TS == ts {
			return p
		}
	}
	return nil
}

// again says that the key is down once more under the old timestamp, as gateways
// do whose timestamp stands still: the duration begins anew after the end.
func (p *Press) again(e Event, seq uint16, ts uint32) bool {
	return ts == p.TS && p.Ended && !e.End && e.Duration < p.Duration && int16(seq-p.Seq) > 0
}

// ends says that a packet is the end of the press whatever its timestamp: some phones stamp each of their end packets
// anew. Nothing but other packets of it, at the most one of them lost, lies between: behind a press there is a pause,
// of which two packets of sound are sent. RFC 4733 §2.5.1.4: the end is sent three times, its duration is the same.
func (p *Press) ends(e Event, seq uint16) bool {
	step := int16(seq - p.Seq)
	if !e.End || step < 1 || step > 2 {
		return false
	}
	return p.Ended && e.Duration == p.Duration || !p.Ended && e.Duration >= p.Duration
}

// goesOn says whether a timestamp is that of the press, or so near, in ticks,
// that it must be.
func (p *Press) goesOn(ts uint32, near int32) bool {
	apart := int32(ts - p.TS)
	if apart > -near && apart < near {
		return true
	}
	return !p.Ended && p.Duration >= segment && apart > 0 && apart <= 0xffff
}

// Held says that the newest press has not come to its end.
func (r *Receiver) Held() bool { return r.presses[r.last].Digit != 0 && !r.presses[r.last].Ended }

// Newest is the press that was reported last.
func (r *Receiver) Newest() Press { return r.presses[r.last] }

// Know takes a press for reported: another Receiver has.
func (r *Receiver) Know(p Press) { r.presses[r.last] = p }

func (p *Press) add(e Event, seq uint16, ts uint32) {
	if int16(seq-p.Seq) <= 0 {
		return
	}
	if ts != p.TS {
		p.TS, p.Duration = ts, 0
	}
	p.Seq, p.Duration, p.Ended = seq, max(p.Duration, e.Duration), e.End
}

// isKey says whether a character is one of Keys.
func isKey(digit byte) bool { return strings.IndexByte(Keys, digit) >= 0 }
