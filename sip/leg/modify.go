package leg

import (
	"net/netip"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/sdp"
)

// modifying is our own change of the session in the middle of the call: a new
// direction or address, who is there, or the refresh that a session timer asks for.
type modifying struct {
	wanted  bool // a Modify waits for its turn
	side    side
	refresh bool           // a refresh does
	show    []header.Field // an identity does; nil: none

	client *client // the re-INVITE or UPDATE under way
	before side
	shown  []header.Field // the identity in it
	retry  time.Time      // after a glare: not before then
	tries  int            // since the last one that was not put off
	update bool           // the party takes UPDATE
}

// side is what a Modify changes of ours.
type side struct {
	direction sdp.Direction
	addr      netip.AddrPort
}

func (l *Leg) side() side { return side{l.media.local.Direction, l.media.local.Addr} }

func (l *Leg) setSide(s side) { l.media.local.Direction, l.media.local.Addr = s.direction, s.addr }

func (l *Leg) doModify(cmd Modify) {
	if l.phase == over || l.phase == idle {
		return
	}
	if !cmd.Addr.IsValid() {
		cmd.Addr = l.media.local.Addr
		if l.modify.wanted {
			cmd.Addr = l.modify.side.addr
		}
	}
	l.modify.wanted, l.modify.side = true, side{cmd.Direction, cmd.Addr}
	l.doIdentify(Identify{Identity: cmd.Identity})
}

func (l *Leg) doIdentify(cmd Identify) {
	if l.phase != over && l.phase != idle && cmd.Identity != nil {
		l.modify.show = cmd.Identity
	}
}

// takeTurn sends what waits, if its turn has come. RFC 3261 §14.1: "a UAC MUST
// NOT initiate a new INVITE transaction within a dialog while another INVITE
// transaction is in progress in either direction."
func (l *Leg) takeTurn(now time.Time) {
	m := &l.modify
	if l.phase != talking || m.client != nil || !m.retry.IsZero() || len(l.unacked) > 0 {
		return
	}
	switch {
	case m.wanted:
		m.wanted, m.refresh = false, false
		m.before = l.side()
		l.setSide(m.side)
		l.reinvite(now, (*Leg).modified)
	case m.show != nil:
		l.refreshBy(now, (*Leg).identified)
	case m.refresh:
		m.refresh = false
		l.refreshBy(now, (*Leg).refreshed)
	}
}

// refreshBy sends what leaves the session as it is. RFC 4028 §7.4 recommends an
// UPDATE without an offer where the party takes UPDATE.
func (l *Leg) refreshBy(now time.Time, final func(*Leg, time.Time, *client, outcome)) {
	if l.modify.update {
		l.update(now, final)
	} else {
		l.reinvite(now, final)
	}
}

// identify adds what the party is to know of the other side.
func (l *Leg) identify(req *gosip.Request) {
	addFields(req, l.modify.show)
	l.modify.show, l.modify.shown = nil, l.modify.show
}

// showAgain: what the party has put off it has not read. A newer identity takes
// its place.
func (l *Leg) showAgain() {
	if l.modify.show == nil {
		l.modify.show = l.modify.shown
	}
}

// reinvite offers the session anew.
func (l *Leg) reinvite(now time.Time, final func(*Leg, time.Time, *client, outcome)) {
	c := l.request(gosip.INVITE, &l.dialog)
	if c == nil {
		l.lost(now, Lost)
		return
	}
	l.introduce(c.req)
	l.repeatTimer(c.req)
	l.identify(c.req)
	addBody(c.req, mediaSDP, l.media.offer(false))
	c.final = final
	c.cancel.patience = now.Add(l.life()) // nobody has to be asked there: it is stuck
	l.modify.client = c
	l.start(now, c)
}

// modified is the outcome of a Modify.
func (l *Leg) modified(now time.Time, c *client, o outcome) {
	l.modify.client = nil
	if !l.settled(now, c, o, l.modifyLater) {
		return
	}
	code := o.code
	if o.ok() {
		body, err := bodyOf(o.res)
		if err == nil && body != nil {
			err = l.takeAnswer(body, true)
		} else {
			err = errMedia
		}
		if err == nil {
			return
		}
		code = 488
	}
	l.setSide(l.modify.before)
	l.tell(ModifyRefused{Code: code})
}

// modifyLater takes a Modify back until it can be tried again. A newer one
// takes its place.
func (l *Leg) modifyLater() {
	m := &l.modify
	if !m.wanted {
		m.wanted, m.side = true, l.side()
	}
	l.showAgain()
	l.setSide(m.before)
}

// identified is the outcome of an Identify. The talk goes on whatever the party
// makes of it, also when it says nothing: it may know of no such request.
func (l *Leg) identified(now time.Time, c *client, o outcome) {
	l.modify.client = nil
	if o.code == 408 && o.res == nil || !l.settled(now, c, o, l.showAgain) {
		return
	}
	switch {
	case o.ok() && c.method == gosip.INVITE:
		l.answerRead(o.res)
	case !o.ok() && c.method == gosip.UPDATE && (o.code == 405 || o.code == 501):
		l.modify.update = false
		l.showAgain()
	}
}

// answerRead takes the answer to an offer that was to change nothing: one that we
// cannot read leaves the session as it was.
func (l *Leg) answerRead(res *gosip.Response) {
	if body, err := bodyOf(res); err == nil && body != nil {
		_ = l.takeAnswer(body, false)
	}
}

// refreshed is the outcome of a session refresh (RFC 4028 §10).
func (l *Leg) refreshed(now time.Time, c *client, o outcome) {
	l.modify.client = nil
	if !l.settled(now, c, o, func() { l.modify.refresh = true }) {
		return
	}
	if !o.ok() {
		l.notRefreshed(now, c, o)
		return
	}
	if c.method == gosip.INVITE {
		l.answerRead(o.res)
	}
}

// settled deals with what is common to every request of ours that offers or
// refreshes, and says whether the act has anything left to do.
func (l *Leg) settled(now time.Time, c *client, o outcome, later func()) bool {
	if o.ok() {
		l.dialog.Refresh(o.res)
		if c.method == gosip.INVITE {
			l.ack(c, &l.dialog, l.dialog.RemoteTag, nil)
		}
		if l.phase != talking {
			return false
		}
		l.modify.tries = 0
		l.timerAgreed(now, o.res)
		return true
	}
	if l.phase != talking {
		return false
	}
	switch {
	case o.code == 481 || o.code == 408:
		// RFC 3261 §12.2.1.2: on 481, 408 or no response at all "the UAC SHOULD
		// terminate the dialog"
		l.lost(now, Lost)
	case o.res == nil && l.timing(c.flow).Reliable:
		l.lost(now, TransportFailed)
	case o.code == 491 && l.modify.again():
		l.modify.retry = now.Add(l.glare())
		later()
	case o.code == 500 && o.res != nil && value(o.res, "retry-after") != "" && l.modify.again():
		s, _ := number(o.res, "retry-after")
		l.modify.retry = now.Add(time.Duration(min(s, 10))*time.Second + l.cfg.T1)
		later()
	default:
		l.modify.tries = 0
		return true
	}
	return false
}

// again says whether to try once more what the party has put off: a party that
// is never ready has refused.
func (m *modifying) again() bool {
	m.tries++
	return m.tries <= 10
}

// glare: RFC 3261 §14.1: the owner of the Call-ID waits "between 2.1 and 4
// seconds in units of 10 ms", the other one "between 0 and 2 seconds in units
// of 10 ms".
func (l *Leg) glare() time.Duration {
	if l.caller {
		return time.Duration(210+l.cfg.Rand()%191) * 10 * time.Millisecond
	}
	return time.Duration(l.cfg.Rand()%201) * 10 * time.Millisecond
}

// lost ends a leg whose party is no longer there. A BYE is said all the same:
// it may only be our view of the party that is lost.
func (l *Leg) lost(now time.Time, cause Cause) {
	l.tell(Ended{Cause: cause})
	l.referrals = nil // nobody is there to be told
	l.closeWithBye(now, reasonField(408, "Dialog Lost"))
}

func (l *Leg) tickModify(now time.Time) {
	if due(l.modify.retry, now) {
		l.modify.retry = time.Time{} // flush gives it its turn
	}
}

// noteAllowed learns whether the party takes UPDATE.
func (l *Leg) noteAllowed(m gosip.Message) {
	if len(m.GetHeaders("allow")) > 0 {
		l.modify.update = tokens(m, "UPDATE", "allow")
	}
}
