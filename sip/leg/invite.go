package leg

import (
	"bytes"
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/auth"
	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/sdp"
)

// inviting is our first INVITE and what comes back on it.
type inviting struct {
	Client      clientID          `cbor:",omitzero"`
	Credentials *auth.Credentials `cbor:",omitzero"`
	Delayed     bool              `cbor:",omitzero"` // without an offer: the party makes it
	Half        dialog.Dialog     `cbor:",omitzero"` // what each fork's dialog begins with
	Forks       []*fork           `cbor:",omitzero"`
	Won         bool              `cbor:",omitzero"` // one fork has the call
	Patience    time.Time         `cbor:",omitzero"` // nothing has come back, and is not waited for any longer then

	LastCode int    `cbor:",omitzero"` // the provisional response told last
	LastTag  string `cbor:",omitzero"`
	LastBody []byte `cbor:",omitzero"`
}

// fork is one phone that the INVITE has reached; a proxy may reach several.
type fork struct {
	Dialog  dialog.Dialog `cbor:",omitzero"`
	RSeq    uint32        `cbor:",omitzero"` // of the last reliable provisional response
	Agreed  bool          `cbor:",omitzero"` // offer and answer are complete, session is the outcome
	Firm    bool          `cbor:",omitzero"` // and so by a reliable response: another offer may follow
	Session sdp.Session   `cbor:",omitzero"`
}

func (l *Leg) doInvite(now time.Time, cmd Invite) {
	if l.Phase != idle || !l.Caller {
		return
	}
	l.Flow, l.Target = cmd.Flow, cmd.Target
	l.Phase = calling
	l.Invite = inviting{Credentials: cmd.Credentials, Delayed: cmd.DelayedOffer}
	if l.Media.exposed() {
		l.fail(now, Failed{Code: 488, Phrase: "SRTP Needs TLS"})
		return
	}
	req, err := l.firstInvite(cmd)
	if err != nil {
		l.fail(now, Failed{Code: 400, Phrase: "Unusable Address"})
		return
	}
	l.Invite.Client = l.Begun + 1
	l.Invite.Half = dialog.Inviting(req)
	if cmd.Patience > 0 {
		l.Invite.Patience = now.Add(cmd.Patience)
	}
	l.start(now, &client{Flow: cmd.Flow, Target: cmd.Target, For: toCall}, req)
}

// tickInvite gives up on a party that has not said a word. The INVITE is still
// repeated, so that a party which hears it after all can be sent the CANCEL, and
// a 2xx that comes late its ACK and BYE.
func (l *Leg) tickInvite(now time.Time) {
	if !due(l.Invite.Patience, now) {
		return
	}
	c := l.client(l.Invite.Client)
	l.fail(now, Failed{Code: 408, Phrase: phraseOf(408), Silent: true})
	l.cancel(now, c, reasonField(408, phraseOf(408)))
}

func (l *Leg) firstInvite(cmd Invite) (*gosip.Request, error) {
	uri, from, to, err := addresses(cmd)
	if err != nil {
		return nil, err
	}
	l.Dialog.LocalTag, l.Dialog.Secure = l.token(), uri.IsEncrypted()
	from.Params.Add("tag", l.Dialog.LocalTag)
	// RFC 3261 §8.1.1.5: the first CSeq is any number under 2^31; a small one
	// leaves room to count.
	seq := uint32(l.cfg.Rand()%1_000_000) + 1
	req := gosip.NewRequest(gosip.INVITE, uri)
	req.AppendHeader(l.newVia(cmd.Flow.Transport))
	for _, r := range cmd.Routes {
		route := &gosip.RouteHeader{}
		if err := gosip.ParseUri(r, &route.Address); err != nil {
			return nil, err
		}
		req.AppendHeader(route)
	}
	hops := gosip.MaxForwardsHeader(70)
	if cmd.MaxForwards > 0 {
		hops = gosip.MaxForwardsHeader(cmd.MaxForwards)
	}
	req.AppendHeader(&hops)
	req.AppendHeader(from)
	req.AppendHeader(to)
	id := gosip.CallIDHeader(l.Name)
	req.AppendHeader(&id)
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: gosip.INVITE})
	l.addCapabilities(req)
	l.askTimer(req)
	addFields(req, cmd.Fields)
	if cmd.DelayedOffer {
		req.AppendHeader(acceptSDP)
		header.SetBody(req, nil)
	} else {
		addBody(req, mediaSDP, l.Media.offer(true))
	}
	return req, nil
}

func addresses(cmd Invite) (uri gosip.Uri, from *gosip.FromHeader, to *gosip.ToHeader, err error) {
	from, to = &gosip.FromHeader{}, &gosip.ToHeader{}
	if err = gosip.ParseUri(cmd.RequestURI, &uri); err != nil {
		return uri, nil, nil, err
	}
	if from.DisplayName, err = gosip.ParseAddressValue(cmd.From.String(), &from.Address, &from.Params); err != nil {
		return uri, nil, nil, err
	}
	to.DisplayName, err = gosip.ParseAddressValue(cmd.To.String(), &to.Address, &to.Params)
	return uri, from, to, err
}

// provisional takes a 1xx of any request of ours.
func (l *Leg) provisional(now time.Time, c *client, res *gosip.Response) {
	if c.Method != gosip.INVITE {
		return
	}
	l.cancelNow(now, c)
	if c.ID != l.Invite.Client || res.StatusCode == 100 || l.Phase != calling {
		return
	}
	tag := toTag(res)
	if tag == "" {
		l.progressed(res, nil, tag) // RFC 2543: no dialog comes of it
		return
	}
	f := l.fork(res, tag)
	if !l.reliablyNew(res, f) {
		return
	}
	answer, news := l.earlyMedia(f, res)
	if isReliable(res) {
		l.acknowledgeReliably(now, f, c, answer)
	}
	l.progressed(res, news, tag)
}

// earlyMedia reads the session description in a provisional response: the
// answer to our offer or, when we made none, an offer that wants our answer,
// which is possible only in a reliable one (RFC 3262 §5).
func (l *Leg) earlyMedia(f *fork, res *gosip.Response) (answer []byte, news *sdp.Session) {
	body, err := bodyOf(res)
	if body == nil || err != nil {
		return nil, nil
	}
	var s sdp.Session
	switch {
	case !l.Invite.Delayed:
		s, err = l.Media.accept(body)
	case isReliable(res) && !f.Agreed:
		answer, s, err = l.Media.answer(body)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, nil // the 2xx decides
	}
	f.Session, f.Agreed, f.Firm = s, true, f.Firm || isReliable(res)
	return answer, &s
}

// progressed tells a provisional response once, however often it comes.
func (l *Leg) progressed(res *gosip.Response, media *sdp.Session, tag string) {
	in := &l.Invite
	if in.LastCode == res.StatusCode && in.LastTag == tag && bytes.Equal(in.LastBody, res.Body()) {
		return
	}
	in.LastCode, in.LastTag, in.LastBody = res.StatusCode, tag, res.Body()
	l.tell(Progressed{Code: res.StatusCode, Media: media})
}

func (l *Leg) fork(res *gosip.Response, tag string) *fork {
	for _, f := range l.Invite.Forks {
		if f.Dialog.RemoteTag == tag {
			return f
		}
	}
	f := &fork{Dialog: l.Invite.Half.With(res)}
	l.Invite.Forks = append(l.Invite.Forks, f)
	return f
}

// acceptedBy takes a 2xx of an INVITE of ours, first or re-INVITE, new or copy.
func (l *Leg) acceptedBy(now time.Time, c *client, o outcome) {
	res := o.res
	c.Cancel = cancelling{}
	c.keepProofs(o.req)
	tag := toTag(res)
	if l.ackAgain(c, tag) {
		return
	}
	if c.ID != l.Invite.Client {
		l.finish(now, c, o)
		return
	}
	f := l.fork(res, tag)
	f.Dialog.Settle(res)
	if l.Invite.Won || l.Phase != calling {
		// RFC 3261 §13.2.2.4: another fork answered too, or the answer crossed
		// our CANCEL: the caller "MUST" ACK, and ends what it does not want
		l.decline(now, c, f, res, l.Farewell.Fields)
		return
	}
	l.answered(now, c, f, res)
}

// answered is the first 2xx: the call is the phone's that sent it.
func (l *Leg) answered(now time.Time, c *client, f *fork, res *gosip.Response) {
	l.Invite.Won = true
	answer, ok := l.finalMedia(f, res)
	if !ok {
		l.decline(now, c, f, res, reasonField(488, phraseOf(488)))
		l.fail(now, Failed{Code: 488, Phrase: phraseOf(488)})
		return
	}
	l.Dialog = f.Dialog
	l.Invite.Forks = slices.DeleteFunc(l.Invite.Forks, func(g *fork) bool { return g == f })
	l.ack(c, &l.Dialog, l.Dialog.RemoteTag, answer)
	l.Media.keep(f.Session)
	l.Phase = talking
	l.timerAgreed(now, res)
	l.tell(Answered{Media: f.Session})
	l.Invite.LastBody = nil
}

// finalMedia completes offer and answer by the 2xx.
func (l *Leg) finalMedia(f *fork, res *gosip.Response) (answer []byte, ok bool) {
	body, err := bodyOf(res)
	switch {
	case err != nil:
		return nil, false
	case body == nil:
		return nil, f.Agreed
	case l.Invite.Delayed && f.Agreed:
		return nil, true // the PRACK has answered the offer
	case l.Invite.Delayed:
		answer, f.Session, err = l.Media.answer(body)
	default:
		// RFC 3261 §13.2.1 has the first description count and the later ones
		// ignored. Phones behind a gateway do send another one in the 2xx, and
		// mean it: where they listen now is what matters.
		f.Session, err = l.Media.accept(body)
	}
	return answer, err == nil
}

// decline acknowledges a 2xx and ends the dialog that it made.
func (l *Leg) decline(now time.Time, c *client, f *fork, res *gosip.Response, reason []header.Field) {
	var answer []byte
	if body, err := bodyOf(res); l.Invite.Delayed && !f.Agreed && err == nil && body != nil {
		// RFC 3261 §13.2.2.4: also an offer that is not wanted gets "a valid answer
		// in the ACK" before the BYE
		answer, _, _ = l.Media.answer(body)
	}
	l.ack(c, &f.Dialog, f.Dialog.RemoteTag, answer)
	l.bye(now, &f.Dialog, reason)
}

// inviteRefused is the end of our first INVITE without an answer.
func (l *Leg) inviteRefused(now time.Time, c *client, o outcome) {
	if l.Phase != calling || c.ID != l.Invite.Client {
		return
	}
	l.fail(now, failure(o))
}

func failure(o outcome) Failed {
	f := Failed{Code: o.code, Phrase: phraseOf(o.code), Silent: o.res == nil}
	if o.res != nil {
		f.Phrase = o.res.Reason
		f.Reasons = reasonsOf(o.res)
		if s, ok := number(o.res, "retry-after"); ok {
			f.RetryAfter = time.Duration(s) * time.Second
		}
	}
	return f
}

// fail ends an outbound leg that was never answered.
func (l *Leg) fail(now time.Time, f Failed) {
	l.tell(f)
	l.close(now)
}

func toTag(res *gosip.Response) string {
	if to := res.To(); to != nil {
		return dialog.Tag(to.Params)
	}
	return ""
}

// credentials answers the challenge of a 401 or 407; nil: we have none to give.
func (l *Leg) credentials(o outcome) []header.Field {
	if l.Invite.Credentials == nil {
		return nil
	}
	var challenges []header.Field
	for _, name := range [...]string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, v := range values(o.res, name) {
			challenges = append(challenges, header.Field{Name: name, Value: v})
		}
	}
	f, err := l.Invite.Credentials.Respond(challenges, string(o.req.Method),
		header.URIText(&o.req.Recipient), 1, l.token())
	if err != nil {
		return nil
	}
	return []header.Field{f}
}
