package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// accepting is the first INVITE of the party and how it is answered.
type accepting struct {
	open   bool // no INVITE has been told yet: one is welcome
	packet Packet
	server *server
	seq    uint32

	offered bool   // the INVITE carries an offer
	answer  []byte // our answer to it, the same in every response
	session sdp.Session
	told    bool // MediaChanged has been given
	agreed  bool // reliably so, before the 2xx: the 2xx says nothing more

	waiting *Answer // until a PRACK comes
	last    Progress
	repeat  time.Time // the last provisional response is sent again then
	expires time.Time // the caller does not wait longer (RFC 3261 §13.3.1)
}

// receiveInvite takes an INVITE without To tag: a call, or one that went
// astray.
func (l *Leg) receiveInvite(now time.Time, key txn.Key, p Packet, req *gosip.Request) {
	s := l.serve(key, p)
	switch {
	case l.caller:
		l.refuse(now, s, p, 482) // our own INVITE, come back to us
	case l.accept.open && (l.accept.server == nil || req.CSeq().SeqNo > l.accept.seq):
		l.invited(now, s, p, req)
	case l.phase != idle && dialog.Tag(req.From().Params) == l.dialog.RemoteTag && req.CSeq().SeqNo == l.accept.seq:
		// RFC 3261 §8.2.2.2: the same request by another way is "merged": 482
		l.refuse(now, s, p, 482)
	default:
		l.refuseFor(now, s, p, 500)
	}
}

// invited takes the call, or refuses what cannot become one.
func (l *Leg) invited(now time.Time, s *server, p Packet, req *gosip.Request) {
	tag := l.dialog.LocalTag
	l.dialog = dialog.Answering(req, tag)
	l.dialog.Secure = l.dialog.Secure && p.Flow.Transport == "tls" // RFC 3261 §12.1.1
	l.flow = p.Flow
	l.accept = accepting{open: true, packet: p, server: s, seq: req.CSeq().SeqNo}
	l.early = reliable{}
	if res := l.objection(p, req); res != nil {
		l.respond(now, s, res)
		l.accept.packet = Packet{}
		return
	}
	l.accept.open = false
	l.phase, l.limit = ringing, time.Time{}
	l.noteAllowed(req)
	l.early.required = tokens(req, "100rel", "require")
	l.expiresWith(now, req)
	l.respond(now, s, finished(Reply(p, 100, "", "")))
	l.tell(l.readInvite(req))
}

func (l *Leg) expiresWith(now time.Time, req *gosip.Request) {
	if s, ok := number(req, "expires"); ok && s > 0 {
		l.accept.expires = now.Add(time.Duration(s) * time.Second)
	}
}

// objection is what RFC 3261 §8.2 finds wrong with an INVITE before anybody is
// asked; nil: nothing.
func (l *Leg) objection(p Packet, req *gosip.Request) *gosip.Response {
	if hops := req.MaxForwards(); hops != nil && hops.Val() == 0 {
		return l.plain(p, 483)
	}
	switch req.Recipient.Scheme {
	case "", "sip", "sips", "tel":
	default:
		return l.plain(p, 416)
	}
	if res := l.objectionToForm(p, req); res != nil {
		return res
	}
	if res := l.tooBrief(p, req); res != nil {
		return res
	}
	return l.objectionToOffer(p, req)
}

func (l *Leg) objectionToOffer(p Packet, req *gosip.Request) *gosip.Response {
	offer, err := bodyOf(req)
	if err == nil && offer == nil && l.media.exposed() {
		return l.unacceptable(p, sdp.ErrProtection)
	}
	if err != nil || offer == nil {
		return nil // errors were found by objectionToForm
	}
	answer, session, err := l.media.answer(offer)
	if err != nil {
		return l.unacceptable(p, err)
	}
	l.accept.offered, l.accept.answer, l.accept.session = true, answer, session
	return nil
}

func (l *Leg) doProgress(now time.Time, cmd Progress) {
	if l.phase != ringing || l.accept.waiting != nil || cmd.Code <= 100 || cmd.Code > 199 {
		return
	}
	l.accept.last = Progress{Code: cmd.Code}
	// RFC 3261 §13.3.1.1: proxies cancel a call that is silent for three
	// minutes: "the UAS MUST send a non-100 provisional response at every minute"
	l.accept.repeat = now.Add(time.Minute)
	res := Reply(l.accept.packet, cmd.Code, "", l.dialog.LocalTag)
	l.introduceAs(res)
	addFields(res, cmd.Fields)
	if l.early.required {
		l.sendReliably(now, res, cmd.Media)
		return
	}
	var body []byte
	if cmd.Media && l.accept.offered {
		body = l.accept.answer
	}
	addBody(res, mediaSDP, body)
	l.respond(now, l.accept.server, res)
	if body != nil {
		l.tellFirstMedia()
	}
}

// tellFirstMedia tells the outcome of offer and answer of the first INVITE.
func (l *Leg) tellFirstMedia() {
	if !l.accept.told {
		l.accept.told = true
		l.media.keep(l.accept.session)
		l.tell(MediaChanged{Media: l.accept.session, Addr: l.media.local.Addr})
	}
}

func (l *Leg) doAnswer(now time.Time, cmd Answer) {
	if l.phase != ringing || l.accept.waiting != nil {
		return
	}
	if l.early.holdsMedia() {
		// RFC 3262 §3: with a session description unacknowledged, "it MUST NOT send
		// a final response until those provisional responses are acknowledged"
		l.accept.waiting = &cmd
		return
	}
	l.answer(now, cmd)
}

func (l *Leg) answer(now time.Time, cmd Answer) {
	req := l.accept.packet.Msg.(*gosip.Request)
	res := Reply(l.accept.packet, 200, "", l.dialog.LocalTag)
	l.introduceAs(res)
	l.timerAccepted(now, req, res)
	addFields(res, cmd.Fields)
	body, offering := l.accept.answer, false
	switch {
	case l.accept.agreed:
		body = nil
	case !l.accept.offered:
		body, offering = l.media.offer(false), true
	}
	addBody(res, mediaSDP, body)
	l.early.stop()
	l.phase = talking
	l.accepted(now, l.accept.server, res, offering)
	if !offering {
		l.tellFirstMedia()
	}
	l.accept = accepting{seq: l.accept.seq}
}

func (l *Leg) doReject(now time.Time, cmd Reject) {
	if l.phase != ringing {
		l.doEnd(now, End{Fields: cmd.Fields})
		return
	}
	if cmd.Code < 300 || cmd.Code > 699 {
		cmd.Code = 480
	}
	l.refuseInvite(now, cmd.Code, cmd.Phrase, cmd.Fields)
	l.close(now)
}

func (l *Leg) tickAccept(now time.Time) {
	if l.phase != ringing {
		return
	}
	if due(l.accept.expires, now) {
		// RFC 3261 §13.3.1: "a 487 (Request Terminated) response SHOULD be generated"
		l.refuseInvite(now, 487, "", nil)
		l.tell(Ended{Cause: Timeout})
		l.close(now)
		return
	}
	if due(l.accept.repeat, now) {
		l.accept.repeat = time.Time{}
		l.doProgress(now, l.accept.last)
	}
}

// introduceAs is introduce for a response.
func (l *Leg) introduceAs(res *gosip.Response) {
	res.AppendHeader(l.contact())
	res.AppendHeader(allowHeader)
	res.AppendHeader(supportedHeader)
	l.sign(res, "Server")
}

func finished(res *gosip.Response) *gosip.Response {
	res.SetBody(nil)
	return res
}
