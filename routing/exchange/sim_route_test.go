package exchange

import (
	"fmt"
	"testing"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/ticket"
	"liandong/sip/trunk"
)

// routed is a citizen and 1101 on a network without faults, and
// the targets of the trunk to 119 in the order in which they are tried.
type routed struct {
	*simulation
	citizen *line
	targets []*phone
}

func newRouted(t *testing.T, targets int) *routed {
	t.Helper()
	r := &routed{simulation: newSimulation(4, true)}
	r.dir.Hotlines["110"].Partner, r.dir.Hotlines["119"].NoAnswer = "119", 20*time.Second
	r.addPhone("1101", "127.0.1.1:5060").does = func(l *line) { l.answer(time.Second) }
	var all []trunk.Target
	for i := range targets {
		addr := fmt.Sprintf("127.0.0.11:%d", 5060+i)
		gateway := r.addPhone(fmt.Sprintf("119-%d", i), addr)
		gateway.does = func(l *line) { l.answer(2 * time.Second) }
		r.targets = append(r.targets, gateway)
		all = append(all, trunk.Target{Host: addr, Addr: gateway.addr, Priority: i})
	}
	r.fire.Set(all)
	r.addPhone("13812345670", "127.0.0.10:5060")
	return r
}

// handingOn is such a world where 1101 hands the citizen's call on after 5 s.
func handingOn(t *testing.T, targets int) *routed {
	t.Helper()
	r := newRouted(t, targets)
	r.citizen = r.phoneOf("13812345670").dial("110")
	r.after(5*time.Second, func() { r.phoneOf("1101").legs[0].press("*1") })
	return r
}

// at runs f when the call has lasted so long.
func (r *routed) at(d time.Duration, f func()) { r.after(d, f) }

// talksTo is the user behind the leg that the caller hears; "" nobody.
func (r *routed) talksTo() string {
	c := r.cores[0]
	for _, id := range c.ears[engine.LegID(call.CallerLeg)].From {
		if p := c.core.party(call.LegID(id)); p != nil {
			return who(r.simulation, p)
		}
	}
	return ""
}

// who is the phone at the other end of a party's leg.
func who(s *simulation, p *party) string {
	for _, phone := range s.people {
		for _, l := range phone.legs {
			if l.leg.CallID() == p.leg.CallID() {
				return phone.user
			}
		}
	}
	return "?"
}

func (r *routed) finish(t *testing.T) {
	t.Helper()
	r.at(time.Minute, r.citizen.hangUp)
	r.run(time.Hour)
	r.cores[0].finished()
	if r.err != nil {
		t.Error(r.err)
	}
	if t.Failed() {
		t.Log("\n" + r.log.String())
	}
}

func (r *routed) outcome() ticket.Entry {
	e := r.cores[0].entries
	return e[len(e)-1]
}

// RFC 3263 §4.3: on a 503, silence or a transport error the next target is tried.
func TestTrunkFailsOver(t *testing.T) {
	for name, c := range map[string]struct {
		first   func(*phone)
		by      time.Duration // from the key on: the second answers then, 2 s after it rang
		avoided bool
	}{
		"503":         {func(p *phone) { p.full = true }, 2500 * time.Millisecond, true},
		"silence":     {func(p *phone) { p.dead = true }, tryFor + 2500*time.Millisecond, true},
		"unreachable": {func(p *phone) { delete(p.sim.phones, p.addr) }, 2500 * time.Millisecond, true},
		"too late":    {func(p *phone) { p.slow = 5 * time.Second }, tryFor + 2500*time.Millisecond, true},
		"busy":        {func(p *phone) { p.does = func(l *line) { l.refuse(486, 0) } }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := handingOn(t, 2)
			c.first(r.targets[0])
			r.at(5*time.Second+c.by+200*time.Millisecond, func() {
				want := "119-1"
				if c.by == 0 {
					want = "1101" // busy is an answer: no other target is asked
				}
				if got := r.talksTo(); got != want {
					t.Errorf("the caller talks to %q, not to %q", got, want)
				}
				if got := len(r.cores[0].open); got != 2 {
					t.Errorf("%d ports are open", got)
				}
				if up := r.fire.Up(r.now, r.targetAt(0)); up == c.avoided {
					t.Errorf("the first target is a first choice: %v", up)
				}
			})
			r.finish(t)
			if n := len(r.cores[0].entries); n != 2 {
				t.Errorf("%d entries", n)
			}
		})
	}
}

func (r *routed) targetAt(i int) trunk.Target {
	for _, t := range r.fire.Order(r.now, r.rng.Uint64) {
		if t.Priority == i {
			return t
		}
	}
	return trunk.Target{}
}

// A target that answers when it has been given up is told so: ACK and BYE. Its
// answer is none of the call's.
func TestLateAnswerOfAnAbandonedTarget(t *testing.T) {
	r := handingOn(t, 2)
	r.targets[0].slow = 5 * time.Second
	r.targets[0].does = func(l *line) { l.answer(0) }
	r.at(25*time.Second, func() {
		for _, l := range r.targets[0].legs {
			if l.up && !l.ended {
				t.Error("the abandoned target believes to be in the call")
			}
		}
		if got := r.talksTo(); got != "119-1" {
			t.Errorf("the caller talks to %q", got)
		}
	})
	r.finish(t)
}

// When no target answers caller and taker are back together, and the matter has failed.
func TestNoTargetAnswers(t *testing.T) {
	r := handingOn(t, 3)
	r.targets[0].dead, r.targets[1].full, r.targets[2].dead = true, true, true
	r.at(5*time.Second+tryFor+tryLast+300*time.Millisecond, func() {
		if got := r.talksTo(); got != "1101" {
			t.Errorf("the caller talks to %q", got)
		}
		if e := r.outcome(); e.Event != ticket.Failed || e.Result != "failed" {
			t.Errorf("the matter ended as %s %s", e.Event, e.Result)
		}
	})
	r.finish(t)
}

// Targets that say nothing share the line's ringing time, so that the last has its turn, and time to be picked up.
func TestEachTargetHasItsTurn(t *testing.T) {
	for _, c := range []struct {
		left    time.Duration
		targets int
		want    time.Duration
	}{
		{20 * time.Second, 3, tryFor}, {8 * time.Second, 3, 8 * time.Second / 3},
		{16 * time.Second / 3, 2, 8 * time.Second / 3},
		{8 * time.Second, 1, tryLast}, {2 * time.Second, 9, tryLeast}, {-time.Second, 2, tryLeast},
	} {
		if got := share(c.left, c.targets); got != c.want {
			t.Errorf("%v for %d targets: %v, want %v", c.left, c.targets, got, c.want)
		}
	}
	r := handingOn(t, 3)
	r.dir.Hotlines["119"].NoAnswer = 8 * time.Second
	r.targets[0].dead, r.targets[1].dead = true, true
	r.at(13200*time.Millisecond, func() {
		if got := r.talksTo(); got != "119-2" {
			t.Errorf("the caller talks to %q", got)
		}
	})
	r.finish(t)
}

// The caller hangs up while the second target is tried: it is called off.
func TestCallerLeavesWhileTargetsFail(t *testing.T) {
	r := handingOn(t, 2)
	r.targets[0].full = true
	r.targets[1].does = func(l *line) { l.answer(20 * time.Second) }
	r.at(8*time.Second, r.citizen.hangUp)
	r.at(9*time.Second, func() {
		for _, p := range r.targets {
			for _, l := range p.legs {
				if !l.ended {
					t.Errorf("%s still rings", p.user)
				}
			}
		}
	})
	r.finish(t)
	if e := r.outcome(); e.Event != ticket.Abandoned {
		t.Errorf("the matter ended as %s", e.Event)
	}
}

// A trunk at which we have registered calls our Contact; which line that is for stands in To. A call for a number, or
// from a trunk that has another Contact, is routed by its Request-URI as ever.
func TestCallForOurContact(t *testing.T) {
	for _, c := range []struct{ uri, to, line string }{
		{"r0123456789", "12345", "12345"},
		{"r0123456789", "110", "110"},
		{"110", "12345", "110"},
		{"r0123456780", "110", ""}, // another trunk's
		{"r0123456789", "r0123456789", ""},
	} {
		t.Run(c.uri+" to "+c.to, func(t *testing.T) {
			r := newRouted(t, 1)
			r.dir.Trunks["pstn"].Contact = "r0123456789"
			r.dir.Hotlines["12345"].Queue.Answer = false
			l := r.phoneOf("13812345670").calls(c.uri, c.to)
			r.at(3*time.Second, func() {
				core := r.cores[0].core
				if got := core.state.Hotline; got != c.line {
					t.Errorf("the call is on line %q", got)
				}
				if c.line == "" && !l.ended {
					t.Error("a call for nobody is not refused")
				}
				if c.line != "" && core.state.Dialed != c.to && c.uri == "r0123456789" {
					t.Errorf("dialled was %q", core.state.Dialed)
				}
			})
			r.citizen = l
			r.at(4*time.Second, l.hangUp)
			r.run(time.Hour)
		})
	}
}
