package leg

import (
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/event"
	"liandong/sip/header"
)

// referLife is how long the party is told of one REFER at most. No desk rings
// as long.
const referLife = 2 * time.Minute

// maxReferrals bounds the REFERs of a party that are under way at once.
const maxReferrals = 8

// referral is a REFER of the party: a request first, then the subscription that
// it has made (RFC 3515 §2.4.4).
type referral struct {
	id     uint32  // its CSeq
	packet Packet  // until it is answered
	server *server // until it is answered
	silent bool    // the party wants no NOTIFY (RFC 4488)
	first  bool    // of this dialog
	code   int     // told last
	queue  []int   // to be told, in order
	final  bool    // the last of queue, or what has been told, is final
	left   bool    // the party wants to hear no more
	until  time.Time
}

// referring is what the party has asked us to do by REFER.
type referring struct {
	referrals []*referral // those not done with
	referred  bool        // there has been one
	notice    *client     // the NOTIFY under way
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
	case l.phase != talking:
		l.refuse(now, s, p, 403) // who is not in a call has none to hand on
		return
	case len(l.referrals) >= maxReferrals:
		l.refuseFor(now, s, p, 500)
		return
	}
	l.dialog.Refresh(req)
	r := &referral{id: req.CSeq().SeqNo, packet: p, server: s, silent: wantsSilence(req), first: !l.referred}
	l.referred = true
	l.referrals = append(l.referrals, r)
	e := Referred{ID: r.id, To: to}
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
	if r == nil || r.final {
		return
	}
	if r.server != nil && !l.answerRefer(now, r, cmd.Code) {
		l.forget(r)
		return
	}
	r.queue = append(r.queue, cmd.Code)
	r.final = cmd.Code >= 200
}

// answerRefer says whether a subscription comes of the REFER.
func (l *Leg) answerRefer(now time.Time, r *referral, code int) bool {
	server, packet := r.server, r.packet
	r.server, r.packet = nil, Packet{}
	if code >= 300 {
		l.refuse(now, server, packet, code)
		return false
	}
	res := Reply(packet, 202, "", l.dialog.LocalTag)
	l.introduceAs(res)
	if r.silent {
		add(res, "Refer-Sub", "false") // RFC 4488 §4: the wish is granted by the same words
	}
	l.respond(now, server, finished(res))
	r.until = now.Add(referLife)
	return !r.silent
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
	l.dialog.Refresh(req)
	res := Reply(p, 200, "", l.dialog.LocalTag)
	l.introduceAs(res)
	add(res, "Expires", seconds(life))
	l.respond(now, s, finished(res))
	if r.final {
		return // its last NOTIFY is on its way
	}
	r.until, r.left, r.final = now.Add(life), life == 0, life == 0
	if len(r.queue) == 0 {
		r.queue = append(r.queue, r.code)
	}
}

// subscribed finds the subscription that Event names: by its id, or the one that has
// none.
func (l *Leg) subscribed(id string) *referral {
	for _, r := range l.referrals {
		if r.server == nil && !r.silent && (r.event() == "refer;"+id || id == "" && r.first) {
			return r
		}
	}
	return nil
}

// endReferrals tells what became of the REFERs that nobody has reported to the
// end: their calls were given up.
func (l *Leg) endReferrals(now time.Time) {
	for _, r := range append([]*referral(nil), l.referrals...) {
		l.doReport(now, Report{ID: r.id, Code: 487})
	}
}

func (l *Leg) referral(id uint32) *referral {
	for _, r := range l.referrals {
		if r.id == id {
			return r
		}
	}
	return nil
}

func (l *Leg) forget(r *referral) {
	for i := range l.referrals {
		if l.referrals[i] == r {
			l.referrals = append(l.referrals[:i], l.referrals[i+1:]...)
			return
		}
	}
}

// takeNotice sends what is to be told, one NOTIFY at a time, so that none
// overtakes another: RFC 5057 §5.1: the subscription lives on in the dialog when
// the party has said BYE.
func (l *Leg) takeNotice(now time.Time) {
	for l.notice == nil {
		r := l.nextNotice()
		if r == nil {
			return
		}
		r.code, r.queue = r.queue[0], r.queue[1:]
		l.notify(now, r)
	}
}

func (l *Leg) nextNotice() *referral {
	for _, r := range l.referrals {
		if len(r.queue) > 0 {
			return r
		}
	}
	return nil
}

// notify tells the party how its REFER is doing.
func (l *Leg) notify(now time.Time, r *referral) {
	c := l.request(gosip.NOTIFY, &l.dialog)
	if c == nil {
		l.forget(r)
		return
	}
	state, last := "active;expires="+seconds(r.until.Sub(now)), r.final && len(r.queue) == 0
	if last {
		state = "terminated;reason=noresource" // RFC 3515 §2.4.7
		if r.left {
			state = "terminated;reason=timeout" // RFC 6665 §4.1.3
		}
	}
	add(c.req, "Event", r.event())
	add(c.req, "Subscription-State", state)
	l.introduce(c.req)
	addBody(c.req, event.Sipfrag, event.Fragment(r.code, phraseOf(r.code)))
	c.final = func(l *Leg, now time.Time, _ *client, o outcome) { l.noticed(r, o, last) }
	l.notice = c
	l.start(now, c)
}

// event names the subscription. RFC 3515 §2.4.6: NOTIFYs of the second and later
// REFERs of a dialog "MUST" have the id; phones that ask but once expect none.
func (r *referral) event() string {
	if r.first {
		return "refer"
	}
	return "refer;id=" + strconv.FormatUint(uint64(r.id), 10)
}

// noticed: RFC 6665 §4.2.2: a subscriber that refuses a NOTIFY, or is not there,
// has no subscription any more.
func (l *Leg) noticed(r *referral, o outcome, last bool) {
	l.notice = nil
	if !o.ok() || last {
		l.forget(r)
	}
}

func (l *Leg) tickReferrals(now time.Time) {
	for _, r := range append([]*referral(nil), l.referrals...) {
		if due(r.until, now) && !r.final {
			r.until, r.final = time.Time{}, true
			r.queue = append(r.queue, 408)
		}
	}
}

func (l *Leg) referralDeadline() time.Time {
	var d deadline
	for _, r := range l.referrals {
		if !r.final {
			d.at(r.until)
		}
	}
	return time.Time(d)
}
