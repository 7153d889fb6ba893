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
	Wanted   bool           `cbor:",omitzero"` // a Modify waits for its turn
	Side     side           `cbor:",omitzero"`
	Refresh  bool           `cbor:",omitzero"`     // a refresh does
	Identity []header.Field `cbor:"Show,omitzero"` // an identity does; nil: none

	Client       clientID       `cbor:",omitzero"` // the re-INVITE or UPDATE under way
	Before       side           `cbor:",omitzero"`
	SentIdentity []header.Field `cbor:"Shown,omitzero"` // the identity in it
	Retry        time.Time      `cbor:",omitzero"`      // after a glare: not before then
	Renewal      time.Time      `cbor:",omitzero"`      // when the session is offered again, if none is before
	Tries        int            `cbor:",omitzero"`      // since the last one that was not put off
	Update       bool           `cbor:",omitzero"`      // the party takes UPDATE
}

// side is what a Modify changes of ours.
type side struct {
	Direction sdp.Direction  `cbor:",omitzero"`
	Addr      netip.AddrPort `cbor:",omitzero"`
}

func (l *Leg) side() side { return side{l.Media.Local.Direction, l.Media.Local.Addr} }

func (l *Leg) setSide(s side) { l.Media.Local.Direction, l.Media.Local.Addr = s.Direction, s.Addr }

func (l *Leg) doModify(cmd Modify) {
	if l.Phase == over || l.Phase == idle {
		return
	}
	if !cmd.Addr.IsValid() {
		cmd.Addr = l.Media.Local.Addr
		if l.Modify.Wanted {
			cmd.Addr = l.Modify.Side.Addr
		}
	}
	if cmd.Codecs != nil {
		l.Media.Local.Codecs, l.Media.Local.Insists = cmd.Codecs, true
	}
	l.Modify.Wanted, l.Modify.Side = true, side{cmd.Direction, cmd.Addr}
	l.doConnectedIdentity(ConnectedIdentity{Identity: cmd.Identity})
}

// doRenew offers the session as it is again, unless an offer is under way. A party that is reached by a connection is
// left alone: that one is gone, and until the party has opened another it would be taken for lost.
func (l *Leg) doRenew() {
	if l.Phase == talking && !l.Modify.Wanted && l.Modify.Client == 0 && !l.timing(l.Flow).Reliable {
		l.Modify.Wanted, l.Modify.Side = true, l.side()
	}
}

func (l *Leg) doConnectedIdentity(cmd ConnectedIdentity) {
	if l.Phase != over && l.Phase != idle && cmd.Identity != nil {
		l.Modify.Identity = cmd.Identity
	}
}

// takeTurn sends what waits, if its turn has come. RFC 3261 §14.1: "a UAC MUST
// NOT initiate a new INVITE transaction within a dialog while another INVITE
// transaction is in progress in either direction."
func (l *Leg) takeTurn(now time.Time) {
	m := &l.Modify
	if l.Phase != talking || m.Client != 0 || !m.Retry.IsZero() || len(l.Unacked) > 0 {
		return
	}
	switch {
	case m.Wanted:
		m.Wanted, m.Refresh, m.Renewal = false, false, time.Time{}
		m.Before = l.side()
		l.setSide(m.Side)
		l.reinvite(now, toModify)
	case m.Identity != nil:
		l.refreshBy(now, toShowIdentity)
	case m.Refresh:
		m.Refresh = false
		l.refreshBy(now, toRefresh)
	}
}

// refreshBy sends what leaves the session as it is. RFC 4028 §7.4 recommends an
// UPDATE without an offer where the party takes UPDATE.
func (l *Leg) refreshBy(now time.Time, what purpose) {
	if l.Modify.Update {
		l.update(now, what)
	} else {
		l.reinvite(now, what)
	}
}

// addIdentity adds what the party is to know of the other side.
func (l *Leg) addIdentity(req *gosip.Request) {
	addFields(req, l.Modify.Identity)
	l.Modify.Identity, l.Modify.SentIdentity = nil, l.Modify.Identity
}

// showIdentityAgain: what the party has put off it has not read. A newer identity takes
// its place.
func (l *Leg) showIdentityAgain() {
	if l.Modify.Identity == nil {
		l.Modify.Identity = l.Modify.SentIdentity
	}
}

// reinvite offers the session anew.
func (l *Leg) reinvite(now time.Time, what purpose) {
	l.modify(now, what, gosip.INVITE, func(c *client, req *gosip.Request) {
		addBody(req, mediaSDP, l.Media.offer(false))
		c.Cancel.Patience = now.Add(l.life()) // nobody has to be asked there: it is stuck
	})
}

// modify sends a request that changes or refreshes the session, with the body that it is given.
func (l *Leg) modify(now time.Time, what purpose, method gosip.RequestMethod, fill func(*client, *gosip.Request)) {
	c, req := l.request(method, &l.Dialog)
	if c == nil {
		l.lost(now, Lost)
		return
	}
	l.addCapabilities(req)
	l.repeatTimer(req)
	l.addIdentity(req)
	fill(c, req)
	c.For = what
	l.Modify.Client = l.Begun + 1
	l.start(now, c, req)
}

// modified is the outcome of a Modify.
func (l *Leg) modified(now time.Time, c *client, o outcome) {
	l.Modify.Client = 0
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
	l.setSide(l.Modify.Before)
	l.tell(ModifyRefused{Code: code})
}

// modifyLater takes a Modify back until it can be tried again. A newer one
// takes its place.
func (l *Leg) modifyLater() {
	m := &l.Modify
	if !m.Wanted {
		m.Wanted, m.Side = true, l.side()
	}
	l.showIdentityAgain()
	l.setSide(m.Before)
}

// identityShown is the outcome of a ConnectedIdentity. The talk goes on whatever the party
// makes of it, also when it says nothing: it may know of no such request.
func (l *Leg) identityShown(now time.Time, c *client, o outcome) {
	l.Modify.Client = 0
	if o.code == 408 && o.res == nil || !l.settled(now, c, o, l.showIdentityAgain) {
		return
	}
	switch {
	case o.ok() && c.Method == gosip.INVITE:
		l.answerRead(o.res)
	case !o.ok() && c.Method == gosip.UPDATE && (o.code == 405 || o.code == 501):
		l.Modify.Update = false
		l.showIdentityAgain()
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
	l.Modify.Client = 0
	if !l.settled(now, c, o, func() { l.Modify.Refresh = true }) {
		return
	}
	if !o.ok() {
		l.notRefreshed(now, c, o)
		return
	}
	if c.Method == gosip.INVITE {
		l.answerRead(o.res)
	}
}

// settled deals with what is common to every request of ours that offers or
// refreshes, and says whether the act has anything left to do.
func (l *Leg) settled(now time.Time, c *client, o outcome, later func()) bool {
	if o.ok() {
		l.Dialog.Refresh(o.res)
		if c.Method == gosip.INVITE {
			l.ack(c, &l.Dialog, l.Dialog.RemoteTag, nil)
		}
		if l.Phase != talking {
			return false
		}
		l.Modify.Tries = 0
		l.timerAgreed(now, o.res)
		return true
	}
	if l.Phase != talking {
		return false
	}
	switch {
	case o.code == 481 || o.code == 408:
		// RFC 3261 §12.2.1.2: on 481, 408 or no response at all "the UAC SHOULD
		// terminate the dialog"
		l.lost(now, Lost)
	case o.res == nil && l.timing(c.Flow).Reliable:
		l.lost(now, TransportFailed)
	case o.code == 491 && l.Modify.again():
		l.Modify.Retry = now.Add(l.glare())
		later()
	case o.code == 500 && o.res != nil && value(o.res, "retry-after") != "" && l.Modify.again():
		s, _ := number(o.res, "retry-after")
		l.Modify.Retry = now.Add(time.Duration(min(s, 10))*time.Second + l.cfg.T1)
		later()
	default:
		l.Modify.Tries = 0
		return true
	}
	return false
}

// again says whether to try once more what the party has put off: a party that
// is never ready has refused.
func (m *modifying) again() bool {
	m.Tries++
	return m.Tries <= 10
}

// glare: RFC 3261 §14.1: the owner of the Call-ID waits "between 2.1 and 4
// seconds in units of 10 ms", the other one "between 0 and 2 seconds in units
// of 10 ms".
func (l *Leg) glare() time.Duration {
	if l.Caller {
		return time.Duration(210+l.cfg.Rand()%191) * 10 * time.Millisecond
	}
	return time.Duration(l.cfg.Rand()%201) * 10 * time.Millisecond
}

// lost ends a leg whose party is no longer there. A BYE is said all the same:
// it may only be our view of the party that is lost.
func (l *Leg) lost(now time.Time, cause Cause) {
	l.tell(Ended{Cause: cause})
	l.Refer.Referrals = nil // nobody is there to be told
	l.closeWithBye(now, reasonField(408, "Dialog Lost"))
}

func (l *Leg) tickModify(now time.Time) {
	if due(l.Modify.Retry, now) {
		l.Modify.Retry = time.Time{} // flush gives it its turn
	}
	if due(l.Modify.Renewal, now) {
		l.Modify.Renewal = time.Time{}
		l.doRenew()
	}
}

// noteAllowed learns whether the party takes UPDATE.
func (l *Leg) noteAllowed(m gosip.Message) {
	if value(m, "allow") != "" {
		l.Modify.Update = tokens(m, "UPDATE", "allow")
	}
}
