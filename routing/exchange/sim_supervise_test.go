package exchange

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"liandong/media/engine"
	"liandong/routing/call"
)

// TestSupervised runs whole calls as TestSimulation does, with supervisors who come and go: what must hold without them
// holds with them, nobody hears who listens, and the citizen no whisper.
func TestSupervised(t *testing.T) {
	var attends atomic.Uint64
	n := runSeeds(t, min(*seeds, 2000), func(seed uint64, trace bool) *simulation {
		s := newSimulation(seed, trace)
		s.watched, s.rebirth = true, seed%10 == 0
		s.play()
		return s
	}, func(s *simulation) { attends.Add(uint64(s.attends)) })
	if attends.Load() < n/2 {
		t.Errorf("%d seeds, and a supervisor was in a call only %d times", n, attends.Load())
	}
	t.Logf("%d times a supervisor did something in a call", attends.Load())
}

// TestSupervisedCrashes does so with a process that dies: a supervisor's part in the call goes on as the call does.
func TestSupervisedCrashes(t *testing.T) {
	var attends, died atomic.Uint64
	n := runSeeds(t, min(*seeds, 1500), func(seed uint64, trace bool) *simulation {
		s := newSimulation(seed, trace)
		s.watched = true
		s.death.deaths, s.death.in, s.death.near = 1+s.rng.IntN(4), 1+s.rng.IntN(250), 50
		s.play()
		return s
	}, func(s *simulation) {
		attends.Add(uint64(s.attends))
		died.Add(uint64(s.death.died))
	})
	if attends.Load() < n/2 || died.Load() < n/2 {
		t.Errorf("%d seeds: %d deaths, and a supervisor was in a call only %d times", n, died.Load(), attends.Load())
	}
}

// supervised: supervisors look after calls, by their phones and by the console.
func (s *simulation) supervised() {
	for i, user := range []string{"9001", "9002"} {
		p := s.addPhone(user, fmt.Sprintf("127.0.2.%d:5060", i+1))
		p.registered = s.chance(0.95)
		p.tcp = s.chance(0.25)
		p.does = func(l *line) {
			switch {
			case s.chance(0.2):
				l.refuse(486, s.upTo(time.Second))
			case s.chance(0.8):
				l.answer(s.upTo(3 * time.Second))
				l.supervises()
			}
		}
		if s.chance(0.1) {
			s.after(s.between(10*time.Second, 60*time.Second), p.die)
		}
		for range 3 + s.rng.IntN(8) {
			s.after(s.upTo(60*time.Second), p.monitors)
		}
	}
}

// monitors: a supervisor calls for a desk or a line, or asks for a call on the page.
func (p *phone) monitors() {
	s := p.sim
	if s.chance(0.5) {
		number := []string{"1101", "1102", "2101", "110", "12345", "119", "4711"}[s.rng.IntN(7)]
		p.dial("monitor" + number).supervises()
		return
	}
	act := call.Acts[s.rng.IntN(len(call.Acts))]
	if act == call.Cut && s.chance(0.7) {
		act = call.Join
	}
	s.reaches(func() {
		for _, c := range s.cores {
			if !c.closed && s.chance(0.7) {
				err := c.core.Supervise(s.now,
					call.SupervisorAsked{User: p.user, Lines: s.dir.Supervises(p.user), Act: act})
				s.note("%s asks for %s of %s: %v", p.user, act, c.ref, err)
				c.rest()
			}
		}
	})
}

// supervises: keys of a supervisor, and the end of it.
func (l *line) supervises() {
	s := l.phone.sim
	for range s.rng.IntN(5) {
		key := []string{"4", "5", "6", "7", "5", "6"}[s.rng.IntN(6)]
		if s.chance(0.05) {
			key = "0"
		}
		s.after(s.between(500*time.Millisecond, 40*time.Second), func() { l.press(key) })
	}
	s.after(s.between(5*time.Second, 60*time.Second), l.hangUp)
}

// checkSupervisors: who only listens is heard by nobody, and a whisper by desks of the line alone.
func (c *simCall) checkSupervisors(st call.Call) {
	for _, sv := range st.Supervisors {
		for leg, ear := range c.ears {
			if !slices.Contains(ear.From, engine.LegID(sv.ID)) {
				continue
			}
			if sv.Act == call.Listen || sv.Act == call.Whisper && leg == engine.LegID(call.CallerLeg) {
				c.sim.fail("%s: leg %d hears supervisor %d, who is there to %s", c.ref, leg, sv.ID, sv.Act)
			}
		}
	}
	if st.Over() && len(st.Supervisors) > 0 {
		c.sim.fail("%s is over and has supervisors", c.ref)
	}
}
