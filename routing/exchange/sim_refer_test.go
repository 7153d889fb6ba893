package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/txn"
)

// beside is what a phone does in its dialog beside its leg: it refers, and takes
// the NOTIFYs. The leg knows nothing of it, so its CSeqs are counted on here.
type beside struct {
	us, them, target string    // From, To and the URI of our requests, "" before the answer
	early            [2]string // the tags, theirs and ours, once it rings
	top              uint32    // the highest CSeq we have sent
	wire, own        map[uint32]uint32
	refers           []*refer
	notified         uint32 // the highest CSeq of a NOTIFY
	first            uint32 // the CSeq of the REFER that the switch has taken first: earlier ones were lost or late
}

// refer is one REFER of a phone and what it was told.
type refer struct {
	line   *line
	to     string
	with   *line // the other call, which is to be joined
	silent bool
	habit  habit
	seq    uint32
	branch string
	txn    txn.Client
	code   int   // the final response
	told   []int // by NOTIFY
	over   bool
}

// habit is when a phone hangs up that has referred.
type habit int

const (
	byeAtOnce  habit = iota // 280 ms after the 202
	byeAtEnd                // when it is told of the success
	byeByOther              // it waits for ours
)

// sends learns the dialog from what the leg sends, and gives its requests the
// CSeqs that they have on the wire.
func (b *beside) sends(p leg.Packet) leg.Packet {
	if res, ok := p.Msg.(*gosip.Response); ok {
		if res.IsSuccess() && res.CSeq().MethodName == gosip.INVITE {
			b.us, b.them = res.To().Value(), res.From().Value()
		}
		return p
	}
	if b.wire == nil {
		b.wire, b.own = map[uint32]uint32{}, map[uint32]uint32{}
	}
	seq := p.Msg.CSeq().SeqNo
	on, known := b.wire[seq]
	if !known {
		if on = seq; b.top > 0 {
			on = b.top + 1
		}
		b.wire[seq], b.own[on], b.top = on, seq, on
	}
	if on != seq {
		m, _ := gosip.ParseMessage([]byte(p.Msg.String()))
		m.CSeq().SeqNo = on
		p.Msg = m
	}
	return p
}

// receives takes what is not for the leg, and gives responses the CSeq that the
// leg knows them by.
func (l *line) receives(p leg.Packet) (taken bool) {
	b := &l.beside
	switch m := p.Msg.(type) {
	case *gosip.Request:
		if m.Method == gosip.INVITE {
			b.target = m.Contact().Address.String()
		}
		if m.Method == gosip.NOTIFY {
			l.notified(p, m)
			return true
		}
		if m.Method == gosip.INVITE && l.up && l.phone.stubborn {
			l.refusesAnew(p)
			return true
		}
	case *gosip.Response:
		if tag, ok := m.To().Params.Get("tag"); ok && m.IsProvisional() {
			b.early = [2]string{tag, m.From().Params.GetOr("tag", "")}
		}
		if m.CSeq().MethodName == gosip.REFER {
			l.answered(m)
			return true
		}
		if m.IsSuccess() && m.CSeq().MethodName == gosip.INVITE {
			b.us, b.them, b.target = m.From().Value(), m.To().Value(), m.Contact().Address.String()
		}
		if own, ok := b.own[m.CSeq().SeqNo]; ok {
			m.CSeq().SeqNo = own
		}
	}
	return false
}

// refer sends a REFER.
func (l *line) refer(to string) {
	s, b := l.phone.sim, &l.beside
	if !l.up || l.ended || b.us == "" || b.target == "" || l.phone.dead {
		return
	}
	b.top++
	r := &refer{line: l, to: to, silent: s.chance(0.15), habit: habit(s.rng.IntN(3)), seq: b.top,
		branch: fmt.Sprintf("z9hG4bKr%d", s.rng.Uint64())}
	more := ""
	if r.silent {
		more = "Refer-Sub: false\r\n"
	}
	text := fmt.Sprintf("REFER %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d REFER\r\n"+
		"Contact: <%s>\r\nRefer-To: %s\r\nReferred-By: <sip:%s@127.0.0.1>\r\n%sContent-Length: 0\r\n\r\n",
		b.target, strings.ToUpper(l.phone.transport()), l.phone.home, r.branch, b.us, b.them, l.leg.CallID(), r.seq,
		l.phone.contact(), to, l.phone.user, more)
	msg, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		s.fail("a REFER of the test cannot be read: %v\n%s", err, text)
		return
	}
	b.refers = append(b.refers, r)
	cfg := leg.Default()
	r.send(r.txn.Start(s.now, txn.Timing{T1: cfg.T1, T2: cfg.T2, T4: cfg.T4, Reliable: l.phone.tcp},
		msg.(*gosip.Request)))
}

func (r *refer) send(step txn.Step) {
	p := r.line.phone
	if step.Send != nil && !p.dead {
		p.sim.transmit(p.addr, leg.Packet{Msg: step.Send, Flow: leg.Flow{Network: "lab", Transport: p.transport(),
			Local: p.addr, Remote: switchAddr}}, func() {})
	}
	if step.Timeout {
		r.over = true
	}
}

// answersRefer notes which REFER of a dialog the switch has taken first.
func (s *simulation) answersRefer(res *gosip.Response) {
	if res.CSeq().MethodName != gosip.REFER || res.StatusCode != 202 && res.StatusCode != 603 {
		return
	}
	for _, p := range s.people {
		for _, l := range p.legs {
			if l.leg != nil && l.leg.CallID() == res.CallID().Value() && l.beside.first == 0 {
				l.beside.first = res.CSeq().SeqNo
			}
		}
	}
}

func (l *line) answered(res *gosip.Response) {
	for _, r := range l.beside.refers {
		if branch, _ := res.Via().Params.Get("branch"); branch == r.branch {
			if step := r.txn.Receive(l.phone.sim.now, res); step.Deliver && !res.IsProvisional() {
				r.accepted(res.StatusCode)
			}
		}
	}
}

// accepted: nobody but a desk may refer, and no desk to anywhere that costs.
func (r *refer) accepted(code int) {
	s := r.line.phone.sim
	r.code = code
	r.over = r.over || code >= 300 || r.silent
	desk := s.dir.Seats[r.line.phone.user] != nil
	if code < 300 && (strings.Contains(r.to, "sip:0900") || !desk) {
		s.fail("%s may refer to %s", r.line.phone.user, r.to)
	}
	if code < 300 && r.habit == byeAtOnce {
		s.after(280*time.Millisecond, r.line.hangUp)
	}
}

// notified takes a NOTIFY: progress in order, one end, and no success before the
// partner has answered.
func (l *line) notified(p leg.Packet, req *gosip.Request) {
	s, b := l.phone.sim, &l.beside
	reply := func(code int) {
		s.transmit(l.phone.addr, leg.Packet{Msg: leg.Reply(p, code, "", ""), Flow: leg.ReplyFlow(p)}, func() {})
	}
	_, id, numbered := strings.Cut(req.GetHeader("Event").Value(), ";id=")
	i := slices.IndexFunc(b.refers, func(r *refer) bool { return numbered && strconv.Itoa(int(r.seq)) == id })
	if !numbered { // its 202 may still be to come: the process has died before it
		i = slices.IndexFunc(b.refers, func(r *refer) bool { return r.seq == b.first || b.first == 0 })
	}
	if i >= 0 && b.refers[i].over && s.death.full && req.CSeq().SeqNo > b.notified {
		reply(481) // RFC 6665 §4.1.3: it goes on from before that end was said, and may say another
		return
	}
	reply(200)
	if req.CSeq().SeqNo <= b.notified {
		return // a copy
	}
	b.notified = req.CSeq().SeqNo
	if i < 0 {
		s.fail("%s is told of a REFER that it never sent", l.phone.user)
		return
	}
	b.refers[i].heard(string(req.Body()), strings.HasPrefix(req.GetHeader("Subscription-State").Value(), "terminated"))
}

func (r *refer) heard(body string, last bool) {
	s := r.line.phone.sim
	code, err := strconv.Atoi(strings.Fields(body)[1])
	if n := len(r.told); err != nil || last != (code >= 200) || n > 0 && (r.told[n-1] >= code || r.told[n-1] >= 200) ||
		r.silent {
		s.fail("REFER %d of %s to %s is told %q (last %v) after %v", r.seq, r.line.phone.user, r.to, body, last, r.told)
	}
	r.told = append(r.told, code)
	if !last {
		return
	}
	r.over = true
	alone := strings.Contains(r.to, "urgent") || strings.Contains(r.to, "take_back") ||
		strings.Contains(r.to, "method=BYE") || strings.Contains(r.to, focusPrefix) || r.line.focus
	met := r.line.call().met || r.with != nil && r.with.call().met
	if code == 200 && r.with != nil {
		s.joined++
		s.after(10*time.Second, func() {
			p := r.line.phone
			reached := s.fault == (faults{}) && !p.dead && p.addr == p.bound && s.now.Sub(p.atHome) > 10*time.Second &&
				s.lives(soonWell)
			if reached && !(r.line.ended && r.with.ended) {
				s.fail("%s has joined its two calls, and is still in one", p.user)
			}
		})
	}
	if code == 200 && !alone && !met {
		s.fail("REFER %d of %s to %s is told of a success, and nobody has answered", r.seq, r.line.phone.user, r.to)
	}
	if code == 200 && r.habit == byeAtEnd {
		s.after(30*time.Millisecond, r.line.hangUp)
	}
}

// call is the switch's call that a line is in.
func (l *line) call() *simCall {
	for _, c := range l.phone.sim.cores {
		if _, ok := c.ids[l.leg.CallID()]; ok {
			return c
		}
	}
	return &simCall{}
}

// checkTold: on a network that loses little a phone that has referred hears of
// the end.
func (l *line) checkTold() {
	s, p := l.phone.sim, l.phone
	if s.fault.drop > 0.05 || p.dead || p.atHome.After(l.began) || s.death.full {
		return
	}
	lost := func(r *refer) bool { return r.with != nil && r.with.call().lost }
	if l.call().lost || slices.ContainsFunc(l.beside.refers, lost) {
		return // the BYE of a call that cannot go on tells enough
	}
	for _, r := range l.beside.refers {
		if !r.over {
			s.fail("REFER %d of %s to %s, answered %d, was told %v and no end", r.seq, p.user, r.to, r.code, r.told)
		}
	}
}

var referTo = []string{
	"<sip:12345@127.0.0.1>", "sip:12345@127.0.0.1:5060", "<sip:handover@127.0.0.1>", "<sip:110@127.0.0.1>",
	"<sip:119@127.0.0.1>", "<sip:2101@127.0.0.1>",
	"<sip:1102@127.0.0.1>", "<sip:conference@127.0.0.1>", "<sip:consult@127.0.0.1>", "<sip:urgent@127.0.0.1>",
	"<sip:take_back@127.0.0.1>", "<sip:0900123456@127.0.0.1>",
	"<sip:031187654321@127.0.0.1;user=phone>", "sip:+8631187654321@127.0.0.1", "<sip:031187654321@127.0.0.1;ext=0900>",
}

// transfers: the phone's own transfer key, perhaps more than once.
func (l *line) transfers(from time.Duration) {
	s := l.phone.sim
	for s.chance(0.25) {
		to := referTo[s.rng.IntN(len(referTo))]
		s.after(from+s.between(200*time.Millisecond, 30*time.Second), func() { l.refer(to) })
	}
}

// referring says that the phone still waits for an answer or a NOTIFY.
func (l *line) referring() bool {
	return slices.ContainsFunc(l.beside.refers, func(r *refer) bool { return !r.over })
}
