package verb

import "time"

// Method is the way by which a digit reached us.
type Method uint8

// The ways of a digit. A phone may use two of them for the same key press.
const (
	ByRTP  Method = iota + 1 // RFC 4733 telephone-event
	ByINFO                   // SIP INFO
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

	pending  string
	last     time.Time
	unpaired []press
}

type press struct {
	digit  byte
	method Method
	at     time.Time
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

// echo reports whether the digit is the second copy of a key press that
// already came by another method, as phones that send RFC 4733 and INFO do.
// Copies pair first to first, so a fast "55" sent both ways stays "55".
func (c *Collector) echo(now time.Time, digit byte, m Method) bool {
	keep := c.unpaired[:0]
	for _, p := range c.unpaired {
		if now.Sub(p.at) < echoWindow {
			keep = append(keep, p)
		}
	}
	c.unpaired = keep
	for i, p := range c.unpaired {
		if p.digit == digit && p.method != m {
			c.unpaired = append(c.unpaired[:i], c.unpaired[i+1:]...)
			return true
		}
	}
	c.unpaired = append(c.unpaired, press{digit, m, now})
	return false
}
