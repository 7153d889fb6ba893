package trunk

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/txn"
)

const (
	// pingWait is how long an answer to a ping is waited for: four copies of it
	// have gone out by then. Timer F would be 32 s, longer than between two pings.
	pingWait = 4 * time.Second
	// pingAgain is how soon a ping is repeated that was not answered.
	pingAgain = 5 * time.Second
)

// ping asks one target at intervals whether it is there, by OPTIONS (RFC 3261
// §11). Pure.
type ping struct {
	self   self
	target Target
	every  time.Duration

	callID string
	seq    uint32
	txn    txn.Client
	branch string
	next   time.Time // the next OPTIONS
	limit  time.Time // of the one under way; zero: none is
	missed bool      // the last one
}

func newPing(now time.Time, me self, t Target, every time.Duration) *ping {
	// All targets of a restarted switch are known within a second, and not all asked at once.
	return &ping{self: me, target: t, every: every, callID: me.word(), next: now.Add(me.upTo(time.Second))}
}

// deadline is when tick has something to do.
func (p *ping) deadline() time.Time { return due(p.next, p.limit, &p.txn) }

// tick sends what is due; told is the outcome of a ping that nobody answered.
func (p *ping) tick(now time.Time) (send *gosip.Request, told *Outcome) {
	switch {
	case p.limit.IsZero() && !now.Before(p.next):
		p.seq++
		req := p.self.request(gosip.OPTIONS, "sip:"+p.target.Host, "sip:"+p.target.Host, p.callID, p.seq)
		p.branch, _ = req.Via().Params.Get("branch")
		p.limit = now.Add(pingWait)
		return asRequest(p.txn.Start(now, p.self.timing, req)), nil
	case !p.limit.IsZero() && !now.Before(p.limit):
		return nil, p.over(now, Outcome{})
	case !p.limit.IsZero():
		return asRequest(p.txn.Tick(now)), nil
	}
	return nil, nil
}

// receive takes a response; told is the outcome, nil when it says nothing new.
func (p *ping) receive(now time.Time, res *gosip.Response) (told *Outcome) {
	if p.limit.IsZero() || !answers(res, p.branch) || res.IsProvisional() {
		return nil
	}
	return p.over(now, Outcome{Code: res.StatusCode, RetryAfter: retryAfter(res)})
}

// unsent: the transport could not send it.
func (p *ping) unsent(now time.Time) (told *Outcome) {
	if p.limit.IsZero() {
		return nil
	}
	return p.over(now, Outcome{})
}

func (p *ping) over(now time.Time, o Outcome) *Outcome {
	p.txn.Abandon()
	p.limit = time.Time{}
	wait := p.every
	if !o.alive() && !p.missed { // is it gone, or was a packet lost?
		wait = min(wait, pingAgain)
	}
	p.missed = !o.alive()
	// RFC 3261 says nothing of the pace; a tenth more or less keeps switches apart
	p.next = now.Add(wait - wait/20 + p.self.upTo(wait/10))
	return &o
}
