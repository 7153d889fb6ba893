package leg

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/txn"
)

// referLife is how long the party is told of one REFER at most. No desk rings
// as long.
const referLife = 2 * time.Minute

// maxReferrals bounds the REFERs of a party that are under way at once.
const maxReferrals = 8

// referral is a REFER of the party: a request first, then the subscription that
// it has made (RFC 3515 §2.4.4).
type referral struct {
	ID     uint32    `cbor:",omitzero"` // its CSeq
	Refer  received  `cbor:",omitzero"` // until it is answered
	Server txn.Key   `cbor:",omitzero"` // the same
	Silent bool      `cbor:",omitzero"` // the party wants no NOTIFY (RFC 4488)
	First  bool      `cbor:",omitzero"` // of this dialog
	Code   int       `cbor:",omitzero"` // told last
	Queue  []int     `cbor:",omitzero"` // to be told, in order
	Final  bool      `cbor:",omitzero"` // the last of queue, or what has been told, is final
	Left   bool      `cbor:",omitzero"` // the party wants to hear no more
	Until  time.Time `cbor:",omitzero"`
}

// asked says that the REFER has no answer yet.
func (r *referral) asked() bool { return r.Server != txn.Key{} }

// referring is what the party has asked us to do by REFER.
type referring struct {
	Referrals []*referral `cbor:",omitzero"` // those not done with
	Referred  bool        `cbor:",omitzero"` // there has been one
	Notice    clientID    `cbor:",omitzero"` // the NOTIFY under way
	Patience  time.Time   `cbor:",omitzero"` // what is told next does not wait longer for its answer
}

// receiveRefer hands a REFER to the owner, who answers by Report.
func (l *Leg) receiveRefer(now time.Time, s *server, p Packet, req *gosip.Request) {
	targets := values(req, "refer-to")
	if len(targets) != 1 {
		l.refuse(now, s, p, 400) // RFC 3515 §2.4.2: none, or "more than one Refer-To": 400
		return
	}
	to, err := header.ParseReferTo(targets[0])
	switch {
	case err != nil:
		l.refuse(now, s, p, 400)
		return
	case l.Phase != talking:
		l.refuse(now, s, p, 403) // who is not in a call has none to hand on
		return
	case len(l.Refer.Referrals) >= maxReferrals:
		l.refuseFor(now, s, p, 500)
		return
	}
	l.Dialog.Refresh(req)
	r := &referral{ID: req.CSeq().SeqNo, Refer: keep(p), Server: s.Key, Silent: wantsSilence(req),
		First: !l.Refer.Referred}
	l.Refer.Referred = true
	l.Refer.Referrals = append(l.Refer.Referrals, r)
	e := Referred{ID: r.ID, To: to}
	e.By, _ = header.ParseNameAddr(value(req, "referred-by")) // RFC 3892 §2.1: it may be left out
	l.tell(e)
}

// wantsSilence: RFC 4488 §4: "Refer-Sub: false": no subscription is made.
func wantsSilence(req *gosip.Request) bool {
	word, _, _ := strings.Cut(value(req, "refer-sub"), ";")
	return strings.EqualFold(strings.TrimSpace(word), "false")
}

// doReport answers a REFER by the first report, and tells the party of the
// later ones.
func (l *Leg) doReport(now time.Time, cmd Report) {
	r := l.referral(cmd.ID)
	if r == nil || r.Final {
		return
	}
	if r.asked() && !l.answerRefer(now, r, cmd) {
		l.forget(r)
		return
	}
	r.Queue = append(r.Queue, cmd.Code)
	r.Final = cmd.Code >= 200
}

// answerRefer says whether a subscription comes of the REFER.
func (l *Leg) answerRefer(now time.Time, r *referral, cmd Report) bool {
	server, packet := l.serverOf(r.Server), r.Refer.packet()
	r.Server, r.Refer = txn.Key{}, received{}
	if cmd.Code >= 300 {
		res := l.plain(packet, cmd.Code)
		res.Reason = cmp.Or(cmd.Phrase, res.Reason)
		l.respond(now, server, res)
		return false
	}
	res := Reply(packet, 202, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	if r.Silent {
		add(res, "Refer-Sub", "false") // RFC 4488 §4: the wish is granted by the same words
	}
	l.respond(now, server, withoutBody(res))
	r.Until = now.Add(referLife)
	return !r.Silent
}

// receiveSubscribe prolongs the subscription that a REFER has made, or ends it (RFC
// 6665 §4.4.1: Expires 0). Either way a NOTIFY says how things stand (§4.2.1.2).
func (l *Leg) receiveSubscribe(now time.Time, s *server, p Packet, req *gosip.Request) {
	name, id, _ := strings.Cut(value(req, "event"), ";")
	if name = strings.TrimSpace(name); !strings.EqualFold(name, "refer") {
		l.refuse(now, s, p, 489) // lamps have dialogs of their own
		return
	}
	r := l.subscribed(strings.TrimSpace(id))
	if r == nil {
		l.refuse(now, s, p, 481)
		return
	}
	life := referLife
	if n, ok := number(req, "expires"); ok {
		life = min(life, time.Duration(n)*time.Second)
	}
	l.Dialog.Refresh(req)
	res := Reply(p, 200, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	add(res, "Expires", seconds(life))
	l.respond(now, s, withoutBody(res))
	if r.Final {
		return // its last NOTIFY is on its way
	}
	r.Until, r.Left, r.Final = now.Add(life), life == 0, life == 0
	if len(r.Queue) == 0 {
		r.Queue = append(r.Queue, r.Code)
	}
}

// subscribed finds the subscription that Event names: by its id, or the one that has
// none.
func (l *Leg) subscribed(id string) *referral {
	for _, r := range l.Refer.Referrals {
		if !r.asked() && !r.Silent && (r.event() == "refer;"+id || id == "" && r.First) {
			return r
		}
	}
	return nil
}

// endReferrals tells what became of the REFERs that nobody has reported to the
// end: their calls were given up.
func (l *Leg) endReferrals(now time.Time) {
	for _, r := range append([]*referral(nil), l.Refer.Referrals...) {
		l.doReport(now, Report{ID: r.ID, Code: 487})
	}
}

func (l *Leg) referral(id uint32) *referral {
	for _, r := range l.Refer.Referrals {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (l *Leg) forget(r *referral) {
	for i := range l.Refer.Referrals {
		if l.Refer.Referrals[i] == r {
			l.Refer.Referrals = append(l.Refer.Referrals[:i], l.Refer.Referrals[i+1:]...)
			return
		}
	}
}

// takeNotice sends what is to be told, one NOTIFY at a time, so that none
// overtakes another: RFC 5057 §5.1: the subscription lives on in the dialog when
// the party has said BYE.
func (l *Leg) takeNotice(now time.Time) {
	for {
		r := l.nextNotice()
		if r == nil || l.Refer.Notice != 0 && !l.giveUpNotice(now) {
			return
		}
		r.Code, r.Queue = r.Queue[0], r.Queue[1:]
		l.notify(now, r)
	}
}

// noticePatience is how long a NOTIFY keeps others back: a phone that answers none
// is to hear all the same what has become of its transfer.
const noticePatience = 2 * time.Second

// giveUpNotice lets a NOTIFY that is not answered in time keep nobody back any more. The
// last one of a subscription goes on being repeated.
func (l *Leg) giveUpNotice(now time.Time) bool {
	if !due(l.Refer.Patience, now) {
		return false
	}
	if c := l.client(l.Refer.Notice); c != nil && !c.Last {
		c.Other.Abandon()
	}
	l.Refer.Notice = 0
	return true
}

func (l *Leg) nextNotice() *referral {
	for _, r := range l.Refer.Referrals {
		if len(r.Queue) > 0 {
			return r
		}
	}
	return nil
}

// notify tells the party how its REFER is doing.
func (l *Leg) notify(now time.Time, r *referral) {
	c, req := l.request(gosip.NOTIFY, &l.Dialog)
	if c == nil {
		l.forget(r)
		return
	}
	state, last := "active;expires="+seconds(r.Until.Sub(now)), r.Final && len(r.Queue) == 0
	if last {
		state = "terminated;reason=noresource" // RFC 3515 §2.4.7
		if r.Left {
			state = "terminated;reason=timeout" // RFC 6665 §4.1.3
		}
	}
	add(req, "Event", r.event())
	add(req, "Subscription-State", state)
	l.addCapabilities(req)
	addBody(req, event.Sipfrag, event.Fragment(r.Code, phraseOf(r.Code)))
	c.For, c.Referral, c.Last = toNotify, r.ID, last
	l.Refer.Notice, l.Refer.Patience = l.Begun+1, now.Add(noticePatience)
	l.start(now, c, req)
}

// event names the subscription. RFC 3515 §2.4.6: NOTIFYs of the second and later
// REFERs of a dialog "MUST" have the id; phones that ask but once expect none.
func (r *referral) event() string {
	if r.First {
		return "refer"
	}
	return "refer;id=" + strconv.FormatUint(uint64(r.ID), 10)
}

// noticed: RFC 6665 §4.2.2: a subscriber that refuses a NOTIFY, or is not there,
// has no subscription any more.
func (l *Leg) noticed(c *client, o outcome) {
	if c.ID == l.Refer.Notice {
		l.Refer.Notice, l.Refer.Patience = 0, time.Time{}
	}
	if !o.ok() || c.Last {
		l.forget(l.referral(c.Referral))
	}
}

func (l *Leg) tickReferrals(now time.Time) {
	for _, r := range append([]*referral(nil), l.Refer.Referrals...) {
		if due(r.Until, now) && !r.Final {
			r.Until, r.Final = time.Time{}, true
			r.Queue = append(r.Queue, 408)
		}
	}
	l.takeNotice(now)
}

func (l *Leg) referralDeadline() time.Time {
	var d deadline
	if l.Refer.Notice != 0 && l.nextNotice() != nil {
		d.at(l.Refer.Patience)
	}
	for _, r := range l.Refer.Referrals {
		if !r.Final {
			d.at(r.Until)
		}
	}
	return time.Time(d)
}
