package ua

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/admission"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// gate lets new calls in when there is time for them (see [admission.Queue]). One that is let in at once is handled by
// its reader; one that waits, or is refused, has been read no further than that needs.
type gate struct {
	u    *UA
	wake chan struct{} // holds a token while calls wait

	mu      sync.Mutex
	queue   admission.Queue[*newCall]
	waiting map[uint64]*newCall // by transaction
	refused refusals
	callers refusals          // of whom a call was kept unread
	unread  []unread          // calls refused that are to be read
	shed    map[string]uint64 // calls refused, by trunk; "" nobody's
	last    map[string]uint64 // of those, told in the log
	told    bool              // the log says that there is an overload
}

// newCall is an INVITE that waits, with what has come behind it.
type newCall struct {
	arrival arrival
	flow    leg.Flow
	conn    *conn
	trunk   string
	peek    peeked
	behind  []*newCall // its CANCEL
}

func newGate(u *UA) *gate {
	return &gate{
		u: u, wake: make(chan struct{}, 1), waiting: map[uint64]*newCall{}, refused: newRefusals(replyLife),
		callers: newRefusals(callerLife), shed: map[string]uint64{}, last: map[string]uint64{},
	}
}

// verdict is what becomes of a message that has come.
type verdict uint8

const (
	passes verdict = iota // it is handled
	begins                // it is handled, and a turn given back
	stays                 // it waits, or nothing is to be done
)

// judge looks at what a message is. New calls need a turn; phones that are registered are our own desks, and may be
// about to hand a call over.
func (g *gate) judge(h *arrival, flow leg.Flow, c *conn) verdict {
	method := methodOf(h.data)
	if method == "" {
		return passes
	}
	p := peek(h.text())
	if p.callID == "" { // folded or missing: whoever reads all of it finds out
		return passes
	}
	if _, owned := g.u.Sink(p.callID); owned || p.tagged && method == gosip.INVITE {
		return passes
	}
	switch {
	case method == gosip.ACK && c == nil:
		g.u.counts.received.Add(1)
		g.u.counts.unmatched.Add(1) // for an answer of ours that needed no state
		return stays
	case method == gosip.CANCEL:
		return g.follow(*h, flow, c, p)
	case method == gosip.INVITE && !g.u.registrar.knows(flow):
		return g.enter(newCall{arrival: *h, flow: flow, conn: c, peek: p})
	}
	return passes
}

// follow has a CANCEL wait for the INVITE before it.
func (g *gate) follow(h arrival, flow leg.Flow, c *conn, p peeked) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.waiting[g.refused.key(p.transaction())]
	if first == nil || len(first.behind) > 0 {
		return passes
	}
	first.behind = append(first.behind, (&newCall{arrival: h, flow: flow, conn: c, peek: p}).cloned())
	return stays
}

// enter lets a call in at once, or has it wait. RFC 3261 §8.2.7: a copy of one that was refused is refused again.
func (g *gate) enter(n newCall) verdict {
	n.trunk = g.trunk(&n)
	v, refused := g.admit(n)
	if refused != nil {
		g.refuse(refused)
	}
	return v
}

func (g *gate) admit(n newCall) (v verdict, refused *newCall) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, key := g.u.now(), g.refused.key(n.peek.transaction())
	switch {
	case g.waiting[key] != nil: // a copy
		g.u.unnote(n.arrival.kept)
		return stays, nil
	case g.refused.has(now, n.peek.transaction()):
		return stays, &n
	case g.queue.Len() == 0 && g.u.cfg.Turns.Try():
		g.u.controls.note(now, n.trunk, false)
		return begins, nil
	case n.trunk == "" && !g.u.limiter.take(now, n.flow.Remote.Addr(), 1):
		g.u.counts.received.Add(1)
		g.u.limited(n.flow)
		g.u.unnote(n.arrival.kept)
		return stays, nil
	}
	one := n.cloned()
	one.arrival.counted = one.trunk == ""
	g.waiting[key] = one
	refused, full := g.queue.Put(now, one.arrival.waited, g.class(one), one.trunk, one)
	if full {
		g.turnAway(now, refused)
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
	return stays, refused
}

// cloned keeps what a reader's buffer holds.
func (n *newCall) cloned() *newCall {
	n.arrival.data = bytes.Clone(n.arrival.data)
	return n
}

// trunk is whose call it is; "" nobody's that is known.
func (g *gate) trunk(n *newCall) string {
	o := g.u.origins.Load()
	return cmp.Or(o.trunk(n.flow), o.trunkByContact(n.flow, n.peek.called()))
}

// class: RFC 5031 services and the emergency line; from a trunk that is trusted also what has a Resource-Priority (RFC
// 4412), and what another switch hands over, which names the matter. Strangers come behind whoever is known, whatever
// they dial.
func (g *gate) class(n *newCall) admission.Class {
	to := n.peek.called()
	danger := isSOS(to) || g.u.cfg.Emergency != nil && g.u.cfg.Emergency(to)
	switch {
	case danger && n.trunk == "":
		return admission.StrangeEmergency
	case n.trunk == "":
		return admission.Strange
	case danger:
		return admission.Emergency
	}
	if g.u.origins.Load().neighbours[n.trunk].Trusted && prior(n.arrival.data) {
		return admission.Emergency
	}
	return admission.Usual
}

// run lets calls in as turns come, and refuses those that have waited for too long.
func (g *gate) run() {
	for {
		select {
		case <-g.u.ctx.Done():
			return
		case <-g.wake:
			g.serve()
		}
	}
}

// serve goes on until nobody waits.
func (g *gate) serve() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	turn := g.u.cfg.Turns.Turn(admission.NewCall)
	turn.Ask()
	defer turn.Drop()
	for {
		wait, some := g.expire()
		if !some {
			return
		}
		timer.Reset(wait)
		select {
		case <-turn.Came:
			g.begin(g.next())
			turn.Give()
			turn.Ask()
		case <-timer.C:
			select { // nobody is refused for whom there is a turn
			case <-turn.Came:
				g.begin(g.next())
				turn.Give()
				turn.Ask()
			default:
			}
		case <-g.u.ctx.Done():
			return
		}
	}
}

// expire refuses who has waited for too long; wait is until it is to be called again.
func (g *gate) expire() (wait time.Duration, some bool) {
	late, wait, some := g.late()
	for _, n := range late {
		g.refuse(n)
	}
	return wait, some
}

func (g *gate) late() (late []*newCall, wait time.Duration, some bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.u.now()
	if g.u.silent() { // whoever is refused now would not hear it, and may be served in a moment
		return nil, 10 * time.Millisecond, g.queue.Len() > 0
	}
	late = g.queue.Late(now)
	for _, n := range late {
		g.turnAway(now, n)
	}
	at, some := g.queue.Deadline(now)
	return late, max(at.Sub(now), time.Millisecond), some
}

func (g *gate) next() *newCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, _ := g.queue.Next(g.u.now())
	return n
}

// begin handles a call that has waited, and what has come behind it. Copies are known as such until it is somebody's.
func (g *gate) begin(n *newCall) {
	if n == nil { // it has been refused meanwhile
		return
	}
	g.u.controls.note(g.u.now(), n.trunk, false)
	g.u.take(n.arrival, n.flow, n.conn)
	g.mu.Lock()
	behind := n.behind
	delete(g.waiting, g.refused.key(n.peek.transaction()))
	g.mu.Unlock()
	for _, b := range behind {
		g.u.take(b.arrival, b.flow, b.conn)
	}
}

// turnAway notes the refusal of a call that has waited. Caller holds mu.
func (g *gate) turnAway(now time.Time, n *newCall) {
	delete(g.waiting, g.refused.key(n.peek.transaction()))
	g.refused.add(now, n.peek.transaction())
	g.miss(now, n)
	g.u.controls.note(now, n.trunk, true)
	g.shed[n.trunk]++
}

// refuse answers 503, to who may have an answer, from the texts of the request alone.
func (g *gate) refuse(n *newCall) {
	defer g.u.survive()
	g.u.counts.received.Add(1)
	in := &inbound{flow: n.flow, conn: n.conn, trunk: n.trunk, known: n.trunk != "", method: gosip.INVITE}
	if in.echo, in.top = n.peek.echo(); in.top != nil && g.u.answers(in) {
		stampVia(in.top, in.flow.Remote)
		in.echo.via[0] = in.top.Value()
		if g.u.partner(n.flow) != "" {
			in.echo.via[0] = g.u.saysLoss(in.echo.via[0], n.trunk)
		}
		g.u.respond(in, unavailable())
	}
	g.u.unnote(n.arrival.kept)
	for _, b := range n.behind { // it comes too late, and is told so
		g.u.take(b.arrival, b.flow, b.conn)
	}
}

// flush handles what waits when nothing more is heard.
func (g *gate) flush() {
	for n := g.next(); n != nil; n = g.next() {
		g.begin(n)
	}
}

// overloaded says that new calls are being refused.
func (g *gate) overloaded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.Overloaded(g.u.now())
}

func (g *gate) stats() (shed map[string]uint64, waiting int, overloaded bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	shed = maps.Clone(g.shed)
	for name := range g.u.origins.Load().neighbours {
		shed[name] += 0
	}
	return shed, g.queue.Len(), g.queue.Overloaded(g.u.now())
}

// report says in the log when an overload begins, how many calls it costs, and when it is over.
func (g *gate) report() {
	g.mu.Lock()
	defer g.mu.Unlock()
	on := g.queue.Overloaded(g.u.now())
	if !on && !g.told {
		return
	}
	for _, trunk := range slices.Sorted(maps.Keys(g.shed)) {
		if n := g.shed[trunk] - g.last[trunk]; n > 0 {
			g.u.log.say(slog.LevelWarn, "overload: new calls are refused", "trunk", cmp.Or(trunk, "-"), "calls", n)
			g.last[trunk] = g.shed[trunk]
		}
	}
	if g.told = on; !on {
		g.u.log.say(slog.LevelWarn, "overload is over")
	}
}

// peeked is what of a message is needed before it is read. It points into the message.
type peeked struct {
	uri, via, from, to, callID, cseq string
	more                             []string // Via header fields below the top one
	tagged                           bool     // To has a tag
}

// methodOf tells the requests that begin calls, and what may follow at once; "" is all others.
func methodOf(data []byte) gosip.RequestMethod {
	for _, m := range [...]gosip.RequestMethod{gosip.INVITE, gosip.ACK, gosip.CANCEL} {
		if len(data) > len(m) && data[len(m)] == ' ' && string(data[:len(m)]) == string(m) {
			return m
		}
	}
	return ""
}

// peek reads of a head the header fields that an answer repeats, RFC 3261 §8.2.6.2. What is folded or wrong is found
// out when the message is read.
func peek(head string) (p peeked) {
	line, rest, _ := strings.Cut(head, "\n")
	_, line, _ = strings.Cut(strings.TrimRight(line, "\r"), " ")
	if uri, _, ok := strings.Cut(line, " "); ok {
		p.uri = uri
	}
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\n")
		if line == "" || !strings.ContainsRune("vVfFtTiIcC", rune(line[0])) {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if ok {
			p.field(canonical(strings.TrimRight(name, blanks)), trim(strings.TrimRight(value, "\r")))
		}
	}
	return p
}

func (p *peeked) field(name, value string) {
	switch name {
	case "Via":
		if p.via != "" {
			p.more = append(p.more, value)
			return
		}
		p.via = value
	case "From":
		p.from = value
	case "To":
		p.to = value
		p.tagged = strings.Contains(strings.ToLower(value), ";tag=")
	case "Call-ID":
		p.callID = value
	case "CSeq":
		p.cseq = value
	}
}

// echo is what an answer repeats; nil: there is no Via to answer to.
func (p *peeked) echo() (e echo, top *gosip.ViaHeader) {
	parts, _ := header.Split(p.via, ',')
	top = &gosip.ViaHeader{}
	if readVia(trim(parts[0]), top) != nil {
		return echo{}, nil
	}
	return echo{
		via: append(parts, p.more...), from: p.from, to: p.to, callID: p.callID, cseq: p.cseq,
	}, top
}

// mark is what tells requests, or callers, apart.
type mark [3]string

// transaction: a copy is the same in all of this, and so is a CANCEL (RFC 3261 §17.2.3, §9.1). Another INVITE with the
// same Call-ID is not: it comes by another way, or after the first has been given up.
func (p *peeked) transaction() mark { return mark{p.branch(), p.callID, p.number()} }

// branch is that of the top Via; the whole of it where the branch is not one of RFC 3261 §8.1.1.7.
func (p *peeked) branch() string {
	top, _, _ := strings.Cut(p.via, ",")
	if _, branch, ok := strings.Cut(top, "=z9hG4bK"); ok {
		branch, _, _ = strings.Cut(branch, ";")
		return strings.TrimRight(branch, blanks)
	}
	return strings.TrimRight(top, blanks)
}

// number is that of the CSeq, without the method.
func (p *peeked) number() string {
	number, _, _ := strings.Cut(p.cseq, " ")
	return number
}

// called is the user part of the Request-URI, or the name of an emergency service.
func (p *peeked) called() string {
	scheme, rest, ok := strings.Cut(p.uri, ":")
	if !ok || isSOS(p.uri) {
		return p.uri
	}
	user, _, at := strings.Cut(rest, "@")
	if !at && !strings.EqualFold(scheme, "tel") {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":")
	return header.Unescape(user)
}

// prior says that a message asks to go before others.
func prior(data []byte) bool {
	head, _ := cutHead(data)
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(bytes.TrimSpace(name), []byte("Resource-Priority")):
			return true
		case bytes.EqualFold(bytes.TrimSpace(name), []byte("Call-Info")) &&
			bytes.Contains(value, []byte("emergency-IncidentId")):
			return true
		}
	}
	return false
}

// refusals knows which INVITEs were refused of late, in two halves of which the older one is forgotten.
type refusals struct {
	seed     maphash.Seed
	life     time.Duration
	now, old map[uint64]struct{}
	since    time.Time // of now
}

// A caller repeats itself for 64·T1; more refusals than maxRefusals in that time push out the oldest.
const maxRefusals = 1 << 17

func newRefusals(life time.Duration) refusals {
	return refusals{seed: maphash.MakeSeed(), life: life, now: map[uint64]struct{}{}}
}

func (r *refusals) key(who mark) uint64 {
	var h maphash.Hash
	h.SetSeed(r.seed)
	for _, s := range who {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (r *refusals) turn(now time.Time) {
	if len(r.now) > 0 && (now.Sub(r.since) > r.life || len(r.now) >= maxRefusals/2) {
		r.old, r.now = r.now, map[uint64]struct{}{}
		if now.Sub(r.since) > 2*r.life {
			r.old = nil
		}
	}
}

func (r *refusals) add(now time.Time, who mark) {
	if r.turn(now); len(r.now) == 0 {
		r.since = now
	}
	r.now[r.key(who)] = struct{}{}
}

func (r *refusals) has(now time.Time, who mark) bool {
	if r.turn(now); len(r.now) == 0 && len(r.old) == 0 {
		return false
	}
	key := r.key(who)
	_, is := r.now[key]
	_, was := r.old[key]
	return is || was
}
