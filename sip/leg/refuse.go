package leg

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/sdp"
	"liandong/sip/txn"
)

// receiveRequest finds what a request belongs to.
func (l *Leg) receiveRequest(now time.Time, p Packet, req *gosip.Request) {
	key, ok := txn.KeyOf(req)
	if !ok || req.To() == nil {
		l.malformed(p, req)
		return
	}
	if req.Method == gosip.ACK {
		l.receiveAck(now, key, req)
		return
	}
	if s := l.serverOf(key); s != nil {
		l.provesAlive(0)
		l.receiveCopy(now, s, p, req)
		return
	}
	switch {
	case !strings.EqualFold(strings.TrimSpace(string(req.CSeq().MethodName)), string(req.Method)):
		l.refuse(now, l.serve(key, p), p, 400)
	case req.Method == gosip.CANCEL:
		l.receiveCancel(now, key, p, req)
	case req.Method == gosip.INVITE && tagOf(req.To()) == "":
		l.receiveInvite(now, key, p, req)
	default:
		l.receiveInDialog(now, l.serve(key, p), p, req)
	}
}

// malformed answers a request that lacks headers, as far as it can be answered.
func (l *Leg) malformed(p Packet, req *gosip.Request) {
	if req.Method == gosip.ACK || req.Via() == nil {
		return
	}
	l.put(withoutBody(Reply(p, 400, "", l.Dialog.LocalTag)), nil, ReplyFlow(p), "")
}

func (l *Leg) receiveCopy(now time.Time, s *server, p Packet, req *gosip.Request) {
	s.Flow = ReplyFlow(p)
	var step txn.Step
	if s.Key.Method == gosip.INVITE {
		step = s.Invite.Receive(now, req)
	} else {
		step = s.Other.Receive()
	}
	if step.Send != nil {
		l.put(step.Send, step.Text, s.Flow, "")
	}
}

// receiveInDialog takes a request with a To tag that is not a copy.
func (l *Leg) receiveInDialog(now time.Time, s *server, p Packet, req *gosip.Request) {
	d := l.dialogOf(req)
	switch {
	case d == nil, l.Phase == over && req.Method != gosip.BYE &&
		(req.Method != gosip.SUBSCRIBE || len(l.Refer.Referrals) == 0):
		l.refuse(now, s, p, 481) // RFC 3261 §12.2.2
		return
	case !d.InOrder(req.CSeq().SeqNo):
		l.refuseFor(now, s, p, 500)
		return
	}
	l.provesAlive(0)
	if d.Matches(req) {
		l.move(p.Flow) // the phone's router may have moved it
	}
	if res := l.objectionToForm(p, req); res != nil {
		l.respond(now, s, res)
		return
	}
	switch req.Method {
	case gosip.BYE:
		l.receiveBye(now, s, p, req)
	case gosip.INVITE:
		l.receiveReinvite(now, s, p, req)
	case gosip.UPDATE:
		l.receiveUpdate(now, s, p, req)
	case gosip.PRACK:
		l.receivePrack(now, s, p, req)
	case gosip.INFO:
		l.receiveInfo(now, s, p, req)
	case gosip.OPTIONS:
		l.receiveOptions(now, s, p)
	case gosip.REFER:
		l.receiveRefer(now, s, p, req)
	case gosip.SUBSCRIBE:
		l.receiveSubscribe(now, s, p, req)
	case gosip.NOTIFY:
		l.refuse(now, s, p, 481) // RFC 6665 §4.1.3: we subscribe to nothing
	case gosip.REGISTER, gosip.MESSAGE, gosip.PUBLISH:
		l.refuse(now, s, p, 405)
	default:
		l.refuse(now, s, p, 501) // RFC 3261 §8.2.1, §21.5.2
	}
}

// objectionToForm finds what we cannot understand in any request: an extension
// it requires (RFC 3261 §8.2.2.3) or its body (§8.2.3).
func (l *Leg) objectionToForm(p Packet, req *gosip.Request) *gosip.Response {
	var unsupported []string
	each(req, func(tag string) {
		if !slices.Contains(extensions, strings.ToLower(tag)) {
			unsupported = append(unsupported, tag)
		}
	}, "require")
	if len(unsupported) > 0 {
		res := l.begin(p, 420)
		add(res, "Unsupported", strings.Join(unsupported, ", "))
		return withoutBody(res)
	}
	switch req.Method {
	case gosip.INVITE, gosip.UPDATE, gosip.PRACK:
		if _, err := bodyOf(req); err != nil {
			res := l.begin(p, 415)
			res.AppendHeader(acceptSDP)
			res.AppendHeader(acceptIdentity)
			return withoutBody(res)
		}
	}
	return nil
}

// refuse answers with a final response that needs no more than its code.
func (l *Leg) refuse(now time.Time, s *server, p Packet, code int) {
	l.respond(now, s, l.plain(p, code))
}

// refuseFor refuses for a moment. RFC 3261 §14.2: "a Retry-After header field
// with a randomly chosen value of between 0 and 10 seconds".
func (l *Leg) refuseFor(now time.Time, s *server, p Packet, code int) {
	res := l.begin(p, code)
	add(res, "Retry-After", strconv.FormatUint(l.cfg.Rand()%11, 10))
	l.respond(now, s, withoutBody(res))
}

// refuseInvite is the final failure of the party's first INVITE.
func (l *Leg) refuseInvite(now time.Time, code int, phrase string, fields []header.Field) {
	res := Reply(l.Accept.Invite.packet(), code, phrase, l.Dialog.LocalTag)
	l.addAgent(res)
	addFields(res, fields)
	l.respond(now, l.serverOf(l.Accept.Server), withoutBody(res))
}

// unacceptable refuses an offer, and says why where its owner can mend it. RFC
// 3261 §20.43: 302 is of the transport protocol, RTP/AVP or RTP/SAVP.
func (l *Leg) unacceptable(p Packet, err error) *gosip.Response {
	res := l.begin(p, 488)
	if errors.Is(err, sdp.ErrProtection) {
		add(res, "Warning", "302 "+l.self.viaHost+` "`+l.Media.wants()+`"`)
	}
	return withoutBody(res)
}

// wants says what about SRTP an offer has to have.
func (n *negotiation) wants() string {
	switch {
	case n.exposed():
		return "SRTP is required, and its keys need SIP over TLS"
	case n.Local.Protection == sdp.Required:
		return "SRTP is required, with a key by SDES"
	case n.Local.Protection == sdp.Off:
		return "no SRTP here"
	}
	return "no usable key for SRTP"
}

// plain is a whole response without a body.
func (l *Leg) plain(p Packet, code int) *gosip.Response {
	return withoutBody(l.begin(p, code))
}

// begin is a response up to what its code asks for.
func (l *Leg) begin(p Packet, code int) *gosip.Response {
	res := Reply(p, code, "", l.Dialog.LocalTag)
	switch code {
	case 405, 501:
		res.AppendHeader(allowHeader)
	case 489:
		add(res, "Allow-Events", event.Allowed) // RFC 6665 §8.3.2
	}
	l.addAgent(res)
	return res
}
