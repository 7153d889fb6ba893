package leg

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/snapshot"
)

// reliable is our provisional responses to a caller that requires to
// acknowledge them (RFC 3262 §3).
type reliable struct {
	Required bool          `cbor:",omitzero"`
	RSeq     uint32        `cbor:",omitzero"`
	Queue    []provisional `cbor:",omitzero"` // the first is on the wire, the others wait for its PRACK
	Stopped  bool          `cbor:",omitzero"` // the final response has been sent: only PRACKs are awaited

	Interval time.Duration `cbor:",omitzero"`
	Resend   time.Time     `cbor:",omitzero"`
	End      time.Time     `cbor:",omitzero"`
}

// provisional is one reliable provisional response.
type provisional struct {
	Res     snapshot.Response `cbor:",omitzero"`
	RSeq    uint32            `cbor:",omitzero"`
	Media   bool              `cbor:",omitzero"` // it carries a session description
	Offered bool              `cbor:",omitzero"` // which is our offer: the PRACK carries the answer
}

// sendReliably completes a provisional response and sends it in its turn.
func (l *Leg) sendReliably(now time.Time, res *gosip.Response, media bool) {
	r := &l.Provisional
	if len(r.Queue) >= 8 {
		return // a caller that acknowledges nothing is told nothing more
	}
	if r.RSeq == 0 {
		// RFC 3262 §3: "between 1 and 2**31 - 1"
		r.RSeq = uint32(l.cfg.Rand() % (1 << 30))
	}
	r.RSeq++
	e := provisional{Res: snapshot.Keep(res), RSeq: r.RSeq}
	add(res, "Require", "100rel")
	add(res, "RSeq", strconv.FormatUint(uint64(r.RSeq), 10))
	addBody(res, mediaSDP, l.provisionalBody(&e, media))
	r.Queue = append(r.Queue, e)
	if len(r.Queue) == 1 {
		l.sendProvisional(now)
	}
}

// provisionalBody is the description in a reliable response: our answer when it is
// wanted, or our offer, which the first one must carry (RFC 3261 §13.2.1) when
// the INVITE had none.
func (l *Leg) provisionalBody(e *provisional, media bool) []byte {
	if l.Accept.Agreed || l.Provisional.holdsMedia() {
		return nil
	}
	switch {
	case !l.Accept.Offered:
		e.Media, e.Offered = true, true
		return l.Media.offer(false)
	case media:
		e.Media = true
		l.tellFirstMedia()
		return l.Accept.Answer
	}
	return nil
}

func (l *Leg) sendProvisional(now time.Time) {
	r := &l.Provisional
	r.Interval = l.cfg.T1
	r.Resend, r.End = now.Add(r.Interval), now.Add(l.life())
	l.respond(now, l.serverOf(l.Accept.Server), r.Queue[0].Res.Msg)
}

func (l *Leg) tickProvisional(now time.Time) {
	r := &l.Provisional
	switch {
	case l.Phase != proceeding || len(r.Queue) == 0:
	case due(r.End, now):
		// RFC 3262 §3: retransmitted for 64*T1 without a PRACK: "the UAS SHOULD
		// reject the original request with a 5xx response"
		l.refuseInvite(now, 504, "", nil)
		l.tell(Ended{Cause: Timeout})
		l.close(now)
	case due(r.Resend, now):
		r.Interval *= 2
		r.Resend = now.Add(r.Interval)
		l.respondAgain(l.Accept.Server, r.Queue[0].Res.Msg)
	}
}

// holdsMedia says that a description waits for its PRACK.
func (r *reliable) holdsMedia() bool {
	for i := range r.Queue {
		if r.Queue[i].Media {
			return true
		}
	}
	return false
}

// stop keeps only what a PRACK on its way may still be for. RFC 3262 §3: once
// the final response is sent the UAS "MUST be prepared to process PRACK
// requests for those outstanding responses".
func (r *reliable) stop() {
	*r = reliable{Queue: r.Queue, Stopped: true}
	for i := range r.Queue {
		r.Queue[i].Res = snapshot.Response{}
	}
}

// receivePrack takes the acknowledgement of a provisional response.
func (l *Leg) receivePrack(now time.Time, s *server, p Packet, req *gosip.Request) {
	r := &l.Provisional
	if len(r.Queue) == 0 || !acknowledges(req, r.Queue[0].RSeq, l.Accept.Seq) {
		l.refuse(now, s, p, 481) // RFC 3262 §3
		return
	}
	e := r.Queue[0]
	r.Queue = r.Queue[1:]
	r.Resend, r.End = time.Time{}, time.Time{}
	l.respondPrack(now, s, p, req, e)
	if l.Phase != proceeding || r.Stopped {
		return
	}
	if len(r.Queue) > 0 {
		l.sendProvisional(now)
	}
	if w := l.Accept.Waiting; w != nil && !r.holdsMedia() {
		l.answer(now, *w)
	}
}

// respondPrack answers a PRACK and completes what offer and answer it carries.
func (l *Leg) respondPrack(now time.Time, s *server, p Packet, req *gosip.Request, e provisional) {
	body, _ := bodyOf(req)
	l.Accept.Agreed = l.Accept.Agreed || e.Media && !e.Offered
	var answer []byte
	switch {
	case body == nil || l.Phase != proceeding:
	case e.Offered:
		if l.takeAnswer(body, true) != nil {
			l.refuse(now, s, p, 488)
			return
		}
		l.Accept.Agreed, l.Accept.Told = true, true
	case l.Accept.Agreed:
		// RFC 3262 §5: once offer and answer are complete a PRACK may offer anew
		renewed, session, err := l.Media.answer(body)
		if err != nil {
			l.respond(now, s, l.unacceptable(p, err))
			return
		}
		answer = renewed
		defer l.agreed(session, false)
	}
	res := l.begin(p, 200)
	addBody(res, mediaSDP, answer)
	l.respond(now, s, res)
}

// acknowledges reads RAck: response number, CSeq number, method.
func acknowledges(req *gosip.Request, rseq, seq uint32) bool {
	f := strings.Fields(value(req, "rack"))
	if len(f) != 3 || !strings.EqualFold(f[2], "INVITE") {
		return false
	}
	a, err1 := strconv.ParseUint(f[0], 10, 32)
	b, err2 := strconv.ParseUint(f[1], 10, 32)
	return err1 == nil && err2 == nil && uint32(a) == rseq && uint32(b) == seq
}

// isReliable says that a provisional response wants a PRACK.
func isReliable(res *gosip.Response) bool {
	_, ok := rseqOf(res)
	return ok && tokens(res, "100rel", "require")
}

// rseqOf is the number of a reliable provisional response. RFC 3262 §3 has the first one
// below 2^31, and RFC 3262 §7.1 any number of 32 bits.
func rseqOf(res *gosip.Response) (uint32, bool) {
	n, err := strconv.ParseUint(value(res, "rseq"), 10, 32)
	return uint32(n), err == nil
}

// reliablyNew says that a provisional response is news. RFC 3262 §4: a reliable
// one that is not the next in order "MUST NOT be acknowledged with a PRACK, and
// MUST NOT be processed further".
func (l *Leg) reliablyNew(res *gosip.Response, f *fork) bool {
	if !isReliable(res) {
		return true
	}
	if rseq, _ := rseqOf(res); f.RSeq == 0 || rseq == f.RSeq+1 {
		f.RSeq = rseq
		return true
	}
	return false
}

// acknowledgeReliably sends the PRACK.
func (l *Leg) acknowledgeReliably(now time.Time, f *fork, c *client, answer []byte) {
	prack, req := l.request(gosip.PRACK, &f.Dialog)
	if prack == nil {
		return
	}
	add(req, "RAck", fmt.Sprintf("%d %d INVITE", f.RSeq, c.Seq))
	l.addAgent(req)
	addBody(req, mediaSDP, answer)
	l.start(now, prack, req)
}
