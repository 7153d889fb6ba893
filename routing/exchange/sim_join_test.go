package exchange

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
)

// TestSimulatedJoins is the simulation with nothing but two calls of one phone that
// become one, on a network that loses nothing: all of what has been lent is where it
// belongs afterwards.
func TestSimulatedJoins(t *testing.T) {
	var joined, back atomic.Uint64
	n := runSeeds(t, *seeds/10, joins, func(s *simulation) {
		joined.Add(uint64(s.joined))
		back.Add(uint64(s.back))
	})
	if joined.Load() < n/10 || back.Load() < n/50 {
		t.Errorf("%d calls were joined and %d parties came back: too few to tell", joined.Load(), back.Load())
	}
	t.Logf("%d calls joined, %d parties came back", joined.Load(), back.Load())
}

func joins(seed uint64, trace bool) *simulation {
	s := newSimulation(4*seed, trace)
	s.seed = seed
	for i, user := range []string{"1101", "2101"} {
		p := s.addPhone(user, fmt.Sprintf("127.0.1.%d:5060", i+1))
		p.stubborn = s.chance(0.1)
	}
	own := s.phoneOf("1101").dial("12345")
	own.apart = true
	s.after(time.Second, func() { s.addPhone("13812345678", "127.0.0.10:5060").dial("110") })
	for i := range 5 {
		s.after(time.Duration(4+3*i)*time.Second+s.upTo(3*time.Second), func() { s.phoneOf("1101").joinsWith(own) })
	}
	s.after(3*time.Minute, func() {
		for _, p := range s.people {
			for _, l := range slices.Clone(p.legs) {
				l.hangUp()
			}
		}
	})
	s.run(time.Hour)
	s.checkLeft()
	return s
}

// callsApart: a desk calls a line itself, is called by a citizen meanwhile, and joins
// the two.
func (s *simulation) callsApart() {
	desk := s.phoneOf([]string{"1101", "1102", "2101", "2102"}[s.rng.IntN(4)])
	s.after(s.upTo(30*time.Second), func() {
		if desk.dead || !desk.registered {
			return
		}
		l := desk.dial([]string{"110", "12345", "119"}[s.rng.IntN(3)])
		l.apart = true
		for range 4 {
			s.after(s.between(time.Second, 60*time.Second), func() { desk.joinsWith(l) })
		}
		s.after(s.between(200*time.Millisecond, 90*time.Second), l.hangUp)
	})
}

// joinsWith is the transfer key with two calls: in the one or the other of them.
func (p *phone) joinsWith(b *line) {
	i := slices.IndexFunc(p.legs, func(l *line) bool { return l != b && l.up && !l.ended && !l.apart })
	if i < 0 || b.ended {
		return
	}
	one, two := p.legs[i], b
	if p.sim.chance(0.4) {
		one, two = two, one
	}
	to, from := two.tags()
	if to == "" || from == "" {
		return
	}
	n := len(one.beside.refers)
	one.refer("<sip:x@127.0.0.1?Replaces=" + url.QueryEscape(two.leg.CallID()+";to-tag="+to+";from-tag="+from) + ">")
	if len(one.beside.refers) > n {
		one.beside.refers[n].with = two
	}
	if citizen := p.sim.phoneOf(p.legs[i].call().number); citizen.sim != nil && p.sim.chance(0.3) {
		p.sim.after(p.sim.upTo(15*time.Millisecond), func() { // just then the citizen hangs up
			for _, l := range citizen.legs {
				l.hangUp()
			}
		})
	}
}

// tags are theirs and ours of a line.
func (l *line) tags() (theirs, ours string) {
	if b := &l.beside; b.us != "" {
		return tagIn(b.them), tagIn(b.us)
	}
	return l.beside.early[0], l.beside.early[1]
}

func tagIn(nameAddr string) string {
	_, tag, _ := strings.Cut(nameAddr, ";tag=")
	tag, _, _ = strings.Cut(tag, ";")
	return tag
}

// refusesAnew answers a re-INVITE as a phone does that keeps its session as it is, or is not ready for another one.
func (l *line) refusesAnew(p leg.Packet) {
	s := l.phone.sim
	code := 491
	if s.chance(0.2) {
		code = 488
	}
	s.transmit(l.phone.addr, leg.Packet{Msg: leg.Reply(p, code, "", ""), Flow: leg.ReplyFlow(p)}, func() {})
}

// checkHeard: a phone speaks to the port that its call has for it, also when it has been lent.
func (l *line) checkHeard() {
	s, c := l.phone.sim, l.call()
	patience := time.Second
	if s.fault != (faults{}) {
		patience = 40 * time.Second
	}
	if !l.up || l.ended || c.core == nil || l.phone.dead {
		return
	}
	p := c.core.byCallID(l.leg.CallID())
	if p == nil || p.Gone || p.Lender.Ref != "" || s.now.Sub(c.moved) < patience || l.sends == p.Addr {
		return
	}
	s.fail("%s speaks to %v, and leg %d of %s listens at %v", l.phone.user, l.sends, p.ID, c.ref, p.Addr)
}

// checkShown: who is told in the middle of a call whom he talks with is told the
// truth: a desk of the citizen, the caller of a line.
func (c *simCall) checkShown(req *gosip.Request) {
	pai := req.GetHeader("P-Asserted-Identity")
	if pai == nil {
		return
	}
	copyOf := req.CallID().Value() + req.CSeq().Value()
	if c.sim.shown[copyOf] { // by another call perhaps, which has given the leg back since
		return
	}
	c.sim.shown[copyOf] = true
	p := c.core.byCallID(req.CallID().Value())
	if p == nil || p.ID == 1 || strings.Contains(pai.Value(), c.number) {
		return
	}
	c.sim.fail("%s: leg %d is shown %s", c.ref, p.ID, pai.Value())
}
