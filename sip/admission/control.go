package admission

import "time"

// Control is by how much a neighbour is asked to send fewer calls: RFC 7339, the algorithm "loss" (§6). It is pure. The
// zero value asks for nothing.
type Control struct {
	since          time.Time
	begun, refused int // since then
	loss           float64
}

const (
	controlInterval = 500 * time.Millisecond
	// ControlValidity is how long a neighbour goes by what it was told last: RFC 7339 §4.4.
	ControlValidity = 2 * time.Second
	regain          = 0.25 // of what comes, that more is let come after an interval without a refusal
	mostLoss        = 0.99
)

// Note takes in that a call of the neighbour was begun or refused.
func (c *Control) Note(now time.Time, refused bool) {
	c.turn(now)
	if refused {
		c.refused++
	} else {
		c.begun++
	}
}

// Loss is how many of a hundred calls the neighbour is to leave out.
func (c *Control) Loss(now time.Time) (percent int) {
	c.turn(now)
	return int(100*c.loss + 0.5)
}

// turn ends an interval: of what came although the neighbour has left some out, so many were refused.
func (c *Control) turn(now time.Time) {
	for ; !now.Before(c.since.Add(controlInterval)); c.since = c.since.Add(controlInterval) {
		if c.loss == 0 && c.refused == 0 {
			*c = Control{since: now}
			return
		}
		if c.refused > 0 {
			share := float64(c.refused) / float64(c.begun+c.refused)
			c.loss = min(mostLoss, 1-(1-c.loss)*(1-share))
		} else if c.loss -= regain * (1 - c.loss); c.loss < 0.01 {
			c.loss = 0
		}
		c.begun, c.refused = 0, 0
	}
}

// Obedience is what a neighbour has asked for. The zero value leaves nothing out.
type Obedience struct {
	percent int
	until   time.Time
	seq     float64
}

// Told takes in what an answer of the neighbour says. RFC 7339 §4.3: one that is older by its oc-seq says nothing.
func (o *Obedience) Told(now time.Time, percent int, validity time.Duration, seq float64) {
	if percent < 0 || percent > 100 || seq < o.seq && now.Before(o.until) {
		return
	}
	*o = Obedience{percent: percent, until: now.Add(min(validity, time.Minute)), seq: seq}
}

// LeavesOut says whether a call is not to be sent; rnd is any number.
func (o *Obedience) LeavesOut(now time.Time, rnd uint64) bool {
	return now.Before(o.until) && int(rnd%100) < o.percent
}
