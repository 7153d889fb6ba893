package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// probePatience is how long an answer is waited for: RFC 3261's 64*T1 is as long as a
// citizen would hear nothing. A request over UDP has been sent three times by then.
const probePatience = 3 * time.Second

// probing is how a party is asked whether it is still there.
type probing struct {
	Client clientID  `cbor:",omitzero"` // the request under way
	Until  time.Time `cbor:",omitzero"` // an answer is waited for; zero: nothing has been asked
	Missed bool      `cbor:",omitzero"` // none has come, and Unanswered has been told
}

// doProbe asks by what changes nothing: an UPDATE without an offer where the party takes
// UPDATE, else OPTIONS. Where a re-INVITE or UPDATE is under way its answer does.
func (l *Leg) doProbe(now time.Time, cmd Probe) {
	if l.Phase != talking {
		return
	}
	if cmd.Patience <= 0 {
		cmd.Patience = probePatience
	}
	l.abandonProbe()
	l.Probe.Until = now.Add(cmd.Patience)
	switch {
	case l.Modify.Client != 0:
	case l.Modify.Update:
		l.sendProbe(now, gosip.UPDATE)
	default:
		l.sendProbe(now, gosip.OPTIONS)
	}
}

func (l *Leg) sendProbe(now time.Time, method gosip.RequestMethod) {
	c, req := l.request(method, &l.Dialog)
	if c == nil {
		l.lost(now, Lost)
		return
	}
	l.addCapabilities(req)
	if method == gosip.UPDATE {
		l.repeatTimer(req)
	}
	header.SetBody(req, nil)
	c.For = toProbe
	l.Probe.Client = l.Begun + 1
	l.start(now, c, req)
}

// abandonProbe gives up a question that has no answer yet: the next one takes its place.
func (l *Leg) abandonProbe() {
	if c := l.client(l.Probe.Client); c != nil {
		c.Other.Abandon()
	}
	l.Probe.Client = 0
}

// probed is what has become of a question.
func (l *Leg) probed(now time.Time, c *client, o outcome) {
	l.Probe.Client = 0
	switch {
	case l.Phase != talking:
	case o.code == 481 && c.Method == gosip.OPTIONS:
		// Some phones look for no dialog when they are asked by OPTIONS. RFC 5057 §5.1: on
		// a re-INVITE they have to.
		l.Modify.Refresh = true
	case o.code == 481:
		l.lost(now, Lost)
	case o.res == nil, o.code == 408, o.code == 503, o.code == 504:
		l.unanswered() // it could not be sent, or somebody on the way says so
	case o.ok() && c.Method == gosip.UPDATE:
		l.Dialog.Refresh(o.res)
		l.timerAgreed(now, o.res)
	case c.Method == gosip.UPDATE && (o.code == 405 || o.code == 501):
		l.Modify.Update = false
	}
}

// provesAlive notes a sign of life. A 100 is the next hop's, and what says that the party was
// not reached is none.
func (l *Leg) provesAlive(code int) {
	switch code {
	case 100, 408, 481, 503, 504:
		return
	}
	if l.Probe.Missed || !l.Probe.Until.IsZero() {
		l.Probe.Missed, l.Probe.Until = false, time.Time{}
		l.tell(Alive{})
	}
}

func (l *Leg) unanswered() {
	if !l.Probe.Until.IsZero() {
		l.Probe.Missed, l.Probe.Until = true, time.Time{}
		l.tell(Unanswered{})
	}
}

func (l *Leg) tickProbe(now time.Time) {
	if due(l.Probe.Until, now) {
		l.unanswered()
	}
}
