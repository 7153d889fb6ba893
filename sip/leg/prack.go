package leg

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// reliable is our provisional responses to a caller that requires to
// acknowledge them (RFC 3262 §3).
type reliable struct {
	required bool
	rseq     uint32
	queue    []early // the first is on the wire, the others wait for its PRACK
	stopped  bool    // the final response has been sent: only PRACKs are awaited

	interval    time.Duration
	resend, end time.Time
}

// early is one reliable provisional response.
type early struct {
	res     *gosip.Response
	rseq    uint32
	media   bool // it carries a session description
	offered bool // which is our offer: the PRACK carries the answer
}

// sendReliably completes a provisional response and sends it in its turn.
func (l *Leg) sendReliably(now time.Time, res *gosip.Response, media bool) {
	r := &l.early
	if len(r.queue) >= 8 {
		return // a caller that acknowledges nothing is told nothing more
	}
	if r.rseq == 0 {
		// RFC 3262 §3: "between 1 and 2**31 - 1"
		r.rseq = uint32(l.cfg.Rand() % (1 << 30))
	}
	r.rseq++
	e := early{res: res, rseq: r.rseq}
	add(res, "Require", "100rel")
	add(res, "RSeq", strconv.FormatUint(uint64(r.rseq), 10))
	addBody(res, mediaSDP, l.earlyBody(&e, media))
	r.queue = append(r.queue, e)
	if len(r.queue) == 1 {
		l.sendEarly(now)
	}
}

// earlyBody is the description in a reliable response: our answer when it is
// wanted, or our offer, which the first one must carry (RFC 3261 §13.2.1) when
// the INVITE had none.
func (l *Leg) earlyBody(e *early, media bool) []byte {
	if l.accept.agreed || l.early.holdsMedia() {
		return nil
	}
	switch {
	case !l.accept.offered:
		e.media, e.offered = true, true
		return l.media.offer(false)
	case media:
		e.media = true
		l.tellFirstMedia()
		return l.accept.answer
	}
	return nil
}

func (l *Leg) sendEarly(now time.Time) {
	r := &l.early
	r.interval = l.cfg.T1
	r.resend, r.end = now.Add(r.interval), now.Add(l.life())
	l.respond(now, l.accept.server, r.queue[0].res)
}

func (l *Leg) tickEarly(now time.Time) {
	r := &l.early
	switch {
	case l.phase != ringing || len(r.queue) == 0:
	case due(r.end, now):
		// RFC 3262 §3: retransmitted for 64*T1 without a PRACK: "the UAS SHOULD
		// reject the original request with a 5xx response"
		l.refuseInvite(now, 504, "", nil)
		l.tell(Ended{Cause: Timeout})
		l.close(now)
	case due(r.resend, now):
		r.interval *= 2
		r.resend = now.Add(r.interval)
		l.put(r.queue[0].res, l.accept.server.flow, "")
	}
}

// holdsMedia says that a description waits for its PRACK.
func (r *reliable) holdsMedia() bool {
	for i := range r.queue {
		if r.queue[i].media {
			return true
		}
	}
	return false
}

// stop keeps only what a PRACK on its way may still be for. RFC 3262 §3: once
// the final response is sent the UAS "MUST be prepared to process PRACK
// requests for those outstanding responses".
func (r *reliable) stop() {
	*r = reliable{queue: r.queue, stopped: true}
	for i := range r.queue {
		r.queue[i].res = nil
	}
}

// receivePrack takes the acknowledgement of a provisional response.
func (l *Leg) receivePrack(now time.Time, s *server, p Packet, req *gosip.Request) {
	r := &l.early
	if len(r.queue) == 0 || !acknowledges(req, r.queue[0].rseq, l.accept.seq) {
		l.refuse(now, s, p, 481) // RFC 3262 §3
		return
	}
	e := r.queue[0]
	r.queue = r.queue[1:]
	r.resend, r.end = time.Time{}, time.Time{}
	l.respondPrack(now, s, p, req, e)
	if l.phase != ringing || r.stopped {
		return
	}
	if len(r.queue) > 0 {
		l.sendEarly(now)
	}
	if w := l.accept.waiting; w != nil && !r.holdsMedia() {
		l.answer(now, *w)
	}
}

// respondPrack answers a PRACK and completes what offer and answer it carries.
func (l *Leg) respondPrack(now time.Time, s *server, p Packet, req *gosip.Request, e early) {
	body, _ := bodyOf(req)
	l.accept.agreed = l.accept.agreed || e.media && !e.offered
	var answer []byte
	switch {
	case body == nil || l.phase != ringing:
	case e.offered:
		if l.takeAnswer(body, true) != nil {
			l.refuse(now, s, p, 488)
			return
		}
		l.accept.agreed, l.accept.told = true, true
	case l.accept.agreed:
		// RFC 3262 §5: once offer and answer are complete a PRACK may offer anew
		renewed, session, err := l.media.answer(body)
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
	_, ok := number(res, "rseq")
	return ok && tokens(res, "100rel", "require")
}

// reliablyNew says that a provisional response is news. RFC 3262 §4: a reliable
// one that is not the next in order "MUST NOT be acknowledged with a PRACK, and
// MUST NOT be processed further".
func (l *Leg) reliablyNew(res *gosip.Response, f *fork) bool {
	if !isReliable(res) {
		return true
	}
	n, _ := number(res, "rseq")
	if rseq := uint32(n); f.rseq == 0 || rseq == f.rseq+1 {
		f.rseq = rseq
		return true
	}
	return false
}

// acknowledgeReliably sends the PRACK.
func (l *Leg) acknowledgeReliably(now time.Time, f *fork, c *client, answer []byte) {
	prack := l.request(gosip.PRACK, &f.dialog)
	if prack == nil {
		return
	}
	add(prack.req, "RAck", fmt.Sprintf("%d %d INVITE", f.rseq, c.seq))
	l.sign(prack.req, "User-Agent")
	addBody(prack.req, mediaSDP, answer)
	l.start(now, prack)
}
