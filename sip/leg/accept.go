package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/codec"
	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// accepting is the first INVITE of the party and how it is answered.
type accepting struct {
	Open   bool     `cbor:",omitzero"` // no INVITE has been told yet: one is welcome
	Invite received `cbor:",omitzero"`
	Server txn.Key  `cbor:",omitzero"`
	Seq    uint32   `cbor:",omitzero"`

	Offered bool        `cbor:",omitzero"` // the INVITE carries an offer
	Offer   []byte      `cbor:",omitzero"` // that, where it may be answered by another order: it has wideband
	Answer  []byte      `cbor:",omitzero"` // our answer to it, the same in every response
	Session sdp.Session `cbor:",omitzero"`
	Told    bool        `cbor:",omitzero"` // MediaChanged has been given
	Agreed  bool        `cbor:",omitzero"` // reliably so, before the 2xx: the 2xx says nothing more

	Waiting *Answer   `cbor:",omitzero"` // until a PRACK comes
	Last    Progress  `cbor:",omitzero"`
	Repeat  time.Time `cbor:",omitzero"` // the last provisional response is sent again then
	Expires time.Time `cbor:",omitzero"` // the caller does not wait longer (RFC 3261 §13.3.1)
}

// receiveInvite takes an INVITE without To tag: a call, or one that went
// astray.
func (l *Leg) receiveInvite(now time.Time, key txn.Key, p Packet, req *gosip.Request) {
	s := l.serve(key, p)
	switch {
	case l.Caller:
		l.refuse(now, s, p, 482) // our own INVITE, come back to us
	case l.Accept.Open && (l.Accept.Server == txn.Key{} || req.CSeq().SeqNo > l.Accept.Seq):
		l.invited(now, s, p, req)
	case l.Phase != idle && dialog.Tag(req.From().Params) == l.Dialog.RemoteTag && req.CSeq().SeqNo == l.Accept.Seq:
		// RFC 3261 §8.2.2.2: the same request by another way is "merged": 482
		l.refuse(now, s, p, 482)
	default:
		l.refuseFor(now, s, p, 500)
	}
}

// invited takes the call, or refuses what cannot become one.
func (l *Leg) invited(now time.Time, s *server, p Packet, req *gosip.Request) {
	tag := l.Dialog.LocalTag
	l.Dialog = dialog.Answering(req, tag)
	l.Dialog.Secure = l.Dialog.Secure && p.Flow.Transport == "tls" // RFC 3261 §12.1.1
	l.Flow = p.Flow
	l.Accept = accepting{Open: true, Invite: keep(p), Server: s.Key, Seq: req.CSeq().SeqNo}
	l.Provisional = reliable{}
	if res := l.objection(p, req); res != nil {
		l.respond(now, s, res)
		l.Accept.Invite = received{}
		return
	}
	l.Accept.Open = false
	l.Phase, l.Farewell.Limit = proceeding, time.Time{}
	l.noteAllowed(req)
	l.Provisional.Required = tokens(req, "100rel", "require")
	l.expiresWith(now, req)
	l.respond(now, s, withoutBody(Reply(p, 100, "", "")))
	l.tell(l.readInvite(req))
}

func (l *Leg) expiresWith(now time.Time, req *gosip.Request) {
	if s, ok := number(req, "expires"); ok && s > 0 {
		l.Accept.Expires = now.Add(time.Duration(s) * time.Second)
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
	if !namesOneDialog(req) {
		return l.plain(p, 400)
	}
	if res := l.tooBrief(p, req); res != nil {
		return res
	}
	return l.objectionToOffer(p, req)
}

func (l *Leg) objectionToOffer(p Packet, req *gosip.Request) *gosip.Response {
	offer, err := bodyOf(req)
	if err == nil && offer == nil && l.Media.exposed() {
		return l.unacceptable(p, sdp.ErrProtection)
	}
	if err != nil || offer == nil {
		return nil // errors were found by objectionToForm
	}
	answer, session, err := l.Media.answer(offer)
	if err != nil {
		return l.unacceptable(p, err)
	}
	l.Accept.Offered, l.Accept.Answer, l.Accept.Session = true, answer, session
	if session.Wideband {
		l.Accept.Offer = offer
	}
	return nil
}

func (l *Leg) doProgress(now time.Time, cmd Progress) {
	if l.Phase != proceeding || l.Accept.Waiting != nil || cmd.Code <= 100 || cmd.Code > 199 {
		return
	}
	l.Accept.Last = Progress{Code: cmd.Code}
	// RFC 3261 §13.3.1.1: proxies cancel a call that is silent for three
	// minutes: "the UAS MUST send a non-100 provisional response at every minute"
	l.Accept.Repeat = now.Add(time.Minute)
	res := Reply(l.Accept.Invite.packet(), cmd.Code, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	addFields(res, cmd.Fields)
	if l.Provisional.Required {
		l.sendReliably(now, res, cmd.Media)
		return
	}
	var body []byte
	if cmd.Media && l.Accept.Offered {
		body = l.Accept.Answer
	}
	addBody(res, mediaSDP, body)
	l.respond(now, l.serverOf(l.Accept.Server), res)
	if body != nil {
		l.tellFirstMedia()
	}
}

// tellFirstMedia tells the outcome of offer and answer of the first INVITE.
func (l *Leg) tellFirstMedia() {
	if !l.Accept.Told {
		l.Accept.Told = true
		l.Media.keep(l.Accept.Session)
		l.tell(MediaChanged{Media: l.Accept.Session, Addr: l.Media.Local.Addr})
	}
}

func (l *Leg) doAnswer(now time.Time, cmd Answer) {
	if l.Phase != proceeding || l.Accept.Waiting != nil {
		return
	}
	if l.Provisional.holdsMedia() {
		// RFC 3262 §3: with a session description unacknowledged, "it MUST NOT send
		// a final response until those provisional responses are acknowledged"
		l.Accept.Waiting = &cmd
		return
	}
	l.answer(now, cmd)
}

func (l *Leg) answer(now time.Time, cmd Answer) {
	req := l.Accept.Invite.Msg.Msg
	res := Reply(l.Accept.Invite.packet(), 200, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	l.timerAccepted(now, req, res)
	addFields(res, cmd.Fields)
	l.answerBy(cmd.Codecs)
	body, offering := l.Accept.Answer, false
	switch {
	case l.Accept.Agreed:
		body = nil
	case !l.Accept.Offered:
		body, offering = l.Media.offer(false), true
	}
	addBody(res, mediaSDP, body)
	l.Provisional.stop()
	l.Phase = talking
	l.accepted(now, l.serverOf(l.Accept.Server), res, offering)
	if !offering {
		l.tellFirstMedia()
	}
	l.Accept = accepting{Seq: l.Accept.Seq}
}

// answerBy makes the answer to the offer anew by an order of ours, unless it has been said. RFC 3261 §13.2.1: what a
// provisional response has said the 2xx says again.
func (l *Leg) answerBy(codecs []codec.ID) {
	if codecs == nil || l.Accept.Told || l.Accept.Agreed {
		return
	}
	l.Media.Local.Codecs, l.Media.Local.Insists = codecs, true
	if l.Accept.Offer == nil {
		return
	}
	if answer, session, err := l.Media.answer(l.Accept.Offer); err == nil {
		l.Accept.Answer, l.Accept.Session = answer, session
	}
}

func (l *Leg) doReject(now time.Time, cmd Reject) {
	if l.Phase != proceeding {
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
	if l.Phase != proceeding {
		return
	}
	if due(l.Accept.Expires, now) {
		// RFC 3261 §13.3.1: "a 487 (Request Terminated) response SHOULD be generated"
		l.refuseInvite(now, 487, "", nil)
		l.tell(Ended{Cause: Timeout})
		l.close(now)
		return
	}
	if due(l.Accept.Repeat, now) {
		l.Accept.Repeat = time.Time{}
		l.doProgress(now, l.Accept.Last)
	}
}

// addCapabilitiesAs is addCapabilities for a response.
func (l *Leg) addCapabilitiesAs(res *gosip.Response) {
	res.AppendHeader(l.contact())
	res.AppendHeader(allowHeader)
	res.AppendHeader(supportedHeader)
	l.addAgent(res)
}

func withoutBody(res *gosip.Response) *gosip.Response {
	header.SetBody(res, nil)
	return res
}
