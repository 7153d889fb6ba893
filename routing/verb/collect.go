package verb

import (
	"slices"
	"time"
)

// Method is the way by which a digit reached us.
type Method uint8

// The ways of a digit. A phone may use several of them for the same key press.
const (
	ByRTP  Method = 1 << iota // RFC 4733 telephone-event
	ByINFO                    // SIP INFO
	ByTone                    // in-band, ITU-T Q.23
)

// echoWindow is how long after a digit the same digit by another method counts
// as the same key press: one INFO retransmission (RFC 3261 T1, 500 ms) and the
// second attempt after it.
const echoWindow = 1600 * time.Millisecond

// Collector gathers the digits of one desk leg. The zero value with Keys and
// Gap set is ready. Owned by the call.
type Collector struct {
	Keys Keymap
	Gap  time.Duration // how long a begun code waits for its next digit

	pending string
	last    time.Time
	presses []press // those of which copies may still come
}

type press struct {
	digit   byte
	methods Method // by which it came, added up
	at      time.Time
}

// Press takes one digit. It returns the verbs that are now complete and the
// digits that belong to no code and are to be passed on to the other party.
func (c *Collector) Press(now time.Time, digit byte, m Method) (verbs []Verb, passed string) {
	if c.echo(now, digit, m) {
		return nil, ""
	}
	passed = c.Expire(now)
	c.pending += string(rune(digit))
	c.last = now
	for c.pending != "" {
		v, whole, more := c.Keys.match(c.pending)
		if whole {
			verbs, c.pending = append(verbs, v), ""
		} else if more {
			break
		} else {
			passed, c.pending = passed+c.pending[:1], c.pending[1:]
		}
	}
	return verbs, passed
}

// Expire gives up a begun code whose next digit did not come in time and
// returns its digits, to be passed on.
func (c *Collector) Expire(now time.Time) (passed string) {
	if c.pending == "" || now.Before(c.last.Add(c.Gap)) {
		return ""
	}
	passed, c.pending = c.pending, ""
	return passed
}

// Deadline is when Expire has something to do.
func (c *Collector) Deadline() (at time.Time, ok bool) {
	return c.last.Add(c.Gap), c.pending != ""
}

// echo reports whether the digit is another copy of a key press that already
// came by another method, as phones that send RFC 4733 and INFO do. Copies go
// to the first press that lacks them, so a fast "55" sent both ways stays "55".
func (c *Collector) echo(now time.Time, digit byte, m Method) bool {
	c.presses = slices.DeleteFunc(c.presses, func(p press) bool { return now.Sub(p.at) >= echoWindow })
	for i := range c.presses {
		if p := &c.presses[i]; p.digit == digit && p.methods&m == 0 {
			p.methods |= m
			return true
		}
	}
	c.presses = append(c.presses, press{digit, m, now})
	return false
}
