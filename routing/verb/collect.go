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

// longestPress is after what time a key is up though nobody has said so.
const longestPress = 30 * time.Second

// Collector gathers the digits of one desk leg. The zero value with Keys and
// Gap set is ready. Owned by the call.
type Collector struct {
	Keys Keymap        `cbor:"-"` // of the config
	Gap  time.Duration // how long a begun code waits for its next digit

	Down bool // the last digit's key is down: the time to the next one begins when it is up again

	Pending string
	Last    time.Time // the last digit came, or its key was released
	Presses []press   // those of which copies may still come
}

type press struct {
	Digit   byte
	Methods Method // by which it came, added up
	At      time.Time
}

// Press takes one digit. It returns the verbs that are now complete and the
// digits that belong to no code and are to be passed on to the other party.
func (c *Collector) Press(now time.Time, digit byte, m Method) (verbs []Verb, passed string) {
	if c.echo(now, digit, m) {
		return nil, ""
	}
	passed = c.Expire(now)
	c.Pending += string(rune(digit))
	c.Last, c.Down = now, false
	for c.Pending != "" {
		v, whole, more := c.Keys.match(c.Pending)
		if whole {
			verbs, c.Pending = append(verbs, v), ""
		} else if more {
			break
		} else {
			passed, c.Pending = passed+c.Pending[:1], c.Pending[1:]
		}
	}
	return verbs, passed
}

// Hold says that the key of the digit that came last is still down: somebody who holds it does not dawdle.
func (c *Collector) Hold() { c.Down = true }

// Release says that the key is up again: from now on the next digit is waited for, and copies of this one.
func (c *Collector) Release(now time.Time) {
	if !c.Down {
		return
	}
	c.Down, c.Last = false, now
	if n := len(c.Presses); n > 0 {
		c.Presses[n-1].At = now
	}
}

// Wait has the time to the next digit begin anew: nobody has listened since the last one.
func (c *Collector) Wait(now time.Time) {
	if c.Pending != "" {
		c.Last = now
	}
}

// Expire gives up a begun code whose next digit did not come in time and
// returns its digits, to be passed on.
func (c *Collector) Expire(now time.Time) (passed string) {
	if at, ok := c.Deadline(); !ok || now.Before(at) {
		return ""
	}
	passed, c.Pending = c.Pending, ""
	return passed
}

// Deadline is when Expire has something to do.
func (c *Collector) Deadline() (at time.Time, ok bool) {
	wait := c.Gap
	if c.Down {
		wait = longestPress
	}
	return c.Last.Add(wait), c.Pending != ""
}

// echo reports whether the digit is another copy of a key press that already
// came by another method, as phones that send RFC 4733 and INFO do. Copies go
// to the first press that lacks them, so a fast "55" sent both ways stays "55".
func (c *Collector) echo(now time.Time, digit byte, m Method) bool {
	c.Presses = slices.DeleteFunc(c.Presses, func(p press) bool { return now.Sub(p.At) >= echoWindow })
	for i := range c.Presses {
		if p := &c.Presses[i]; p.Digit == digit && p.Methods&m == 0 {
			p.Methods |= m
			return true
		}
	}
	c.Presses = append(c.Presses, press{digit, m, now})
	return false
}
