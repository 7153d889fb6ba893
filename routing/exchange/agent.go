package exchange

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"liandong/routing/call"
	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/routing/number"
	"liandong/routing/verb"
	"liandong/sip/event"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
)

// AgentState is whether whoever sits at a seat takes calls, in the words of call centres (ECMA-269 §6.1.4).
type AgentState string

// The states.
const (
	Ready     AgentState = "ready"
	NotReady  AgentState = "not_ready"
	AfterCall AgentState = "after_call" // has a call to write up; ends by itself
)

// Agent is how a seat stands. Zero: ready, and never was anything else.
type Agent struct {
	State  AgentState
	Reason string    // of NotReady; "" none was given
	Since  time.Time // zero: from the start
	Until  time.Time // of AfterCall
	Learnt bool      `cbor:",omitempty"` // by another switch, which tells of it

	// Over is since when what this state replaces has held, which a person had said, where it came about by itself;
	// zero: a person has said this one.
	Over time.Time
}

// unsaid is since when a seat stands of which no person has ever said anything.
var unsaid = time.Unix(0, 0)

// becomes is how a seat stands that by itself does so otherwise.
func (a Agent) becomes(to Agent) Agent {
	to.Over = cmp.Or(a.Over, a.Since, unsaid)
	return to
}

// restingOrder is who is rung when nobody is ready: first who only writes up a call.
var restingOrder = []AgentState{AfterCall, NotReady}

// agent is how a seat stands. Caller holds mu.
func (s *Seats) agent(seat string) Agent {
	a := s.agents[seat]
	if a.State == "" {
		a.State = Ready
	}
	return a
}

// Agent is how a seat stands now.
func (s *Seats) Agent(seat string) Agent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.agent(seat)
}

// SetAgent has a seat ready or not; false: it is so already. Who becomes ready is offered whoever waits.
func (s *Seats) SetAgent(seat string, to AgentState, reason string, now time.Time) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to != NotReady {
		reason = ""
	}
	if is := s.agent(seat); is.State == to && is.Reason == reason {
		return false
	}
	s.stand(seat, Agent{State: to, Reason: reason, Since: now})
	return true
}

// stand notes how a seat stands, and tells the other switches. Caller holds mu, as of note.
func (s *Seats) stand(seat string, a Agent) {
	s.shared.Stands(seat, a)
	s.note(seat, a)
}

// note is for what the other switches know, or see for themselves.
func (s *Seats) note(seat string, a Agent) {
	s.agents[seat] = a
	s.keep(seat, a)
	s.changed(seat)
	s.restless[seat] = true
	s.stir()
	if a.State != Ready {
		return
	}
	if a.Since.After(s.idle[seat]) {
		s.idleSince(seat, a.Since)
	}
	if _, taken := s.busy[seat]; !taken {
		s.offer(seat)
	}
}

// stir has it told what has changed. Caller holds mu.
func (s *Seats) stir() {
	select {
	case s.stirred <- struct{}{}:
	default:
	}
}

// callOver begins the after-call work of a seat that has talked, where its line gives it time. Caller holds mu.
func (s *Seats) callOver(seat string, now time.Time) {
	line := s.lineOf(seat)
	if line == nil || line.AfterCall <= 0 || s.agent(seat).State == NotReady {
		return
	}
	s.stand(seat, s.agent(seat).becomes(Agent{State: AfterCall, Since: now, Until: now.Add(line.AfterCall)}))
}

// Unanswered is the reason of a seat that has rung in vain too often.
const Unanswered = "no_answer"

// RangInVain notes that a seat was rung by a call and has refused it, or nobody has picked up. Too often in a row,
// and it is not ready: citizens are not to wait for a desk where nobody sits. busy: it has refused as one that talks,
// which it may do by another switch.
func (s *Seats) RangInVain(ref, seat string, busy bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.lineOf(seat)
	if busy && !s.alone() {
		return
	}
	if s.busy[seat] != ref || s.talks[seat] || line == nil || line.Unanswered <= 0 {
		return
	}
	if s.vain[seat]++; s.vain[seat] >= line.Unanswered && s.agent(seat).State == Ready {
		delete(s.vain, seat)
		s.stand(seat, s.agent(seat).becomes(Agent{State: NotReady, Reason: Unanswered, Since: now}))
	}
}

// over is how a seat stands after after-call work.
func (a Agent) over() Agent { return a.becomes(Agent{State: Ready, Since: a.Until, Learnt: a.Learnt}) }

// Tick ends the after-call work whose time is over.
func (s *Seats) Tick(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seat, a := range s.agents {
		if a.State == AfterCall && !now.Before(a.Until) {
			s.note(seat, a.over())
		}
	}
}

// Deadline is when Tick has something to do.
func (s *Seats) Deadline() (at time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents {
		if a.State == AfterCall && (!ok || a.Until.Before(at)) {
			at, ok = a.Until, true
		}
	}
	return at, ok
}

// takeRestless are the seats that stand in another way since it was asked last, and those that have changed hands
// between switches.
func (s *Seats) takeRestless() (list, hands []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, hands, s.changedHands = slices.Sorted(maps.Keys(s.restless)), s.changedHands, nil
	clear(s.restless)
	return list, hands
}

// restore takes how seats stood when the process before ended.
func (s *Seats) restore(agents map[string]Agent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seat, a := range agents {
		a.Learnt = a.Learnt && !s.alone()
		s.agents[seat] = a
		s.shared.Stands(seat, a)
		if a.State == Ready {
			s.idleSince(seat, a.Since)
		}
	}
}

// ErrNoSeat says that a user has no seat.
var ErrNoSeat = errors.New("exchange: there is no such seat")

// SetAgent has the seat of a user ready, or not ready for a reason; false: it is so already.
func (x *Exchange) SetAgent(user string, to AgentState, reason string) (changed bool, err error) {
	if _, ok := x.directory().At(user); !ok {
		return false, ErrNoSeat
	}
	return x.seats.SetAgent(user, to, reason, x.now()), nil
}

// Agent is how the seat of a user stands, with its times as a clock on the wall shows them.
func (x *Exchange) Agent(user string) Agent {
	a := x.seats.Agent(user)
	if !a.Since.IsZero() {
		a.Since = x.cfg.Clock.Wall(a.Since)
	}
	if !a.Until.IsZero() {
		a.Until = x.cfg.Clock.Wall(a.Until)
	}
	return a
}

// keepAgent stores how a seat stands. It is called under the lock of the seats.
func (x *Exchange) keepAgent(seat string, a Agent) {
	if x.cfg.Journal == nil {
		return
	}
	b, err := snapshot.Encode(a)
	if err != nil {
		x.log.Error("bug: the state of a seat cannot be stored", "seat", seat, "err", err)
		return
	}
	x.cfg.Journal.Put(journal.Seat, seat, b)
}

// restoreAgents takes how seats stood. Lamps are as they were; of what has changed just before the end phones may not
// have been told.
func (x *Exchange) restoreAgents() {
	if x.cfg.Journal == nil {
		return
	}
	agents := map[string]Agent{}
	for _, e := range x.cfg.Journal.All(journal.Seat) {
		var a Agent
		if err := snapshot.Decode(e.Value, &a); err != nil {
			x.log.Error("the state of a seat cannot be read", "seat", e.Key, "err", err)
			x.cfg.Journal.Delete(journal.Seat, e.Key)
			continue
		}
		agents[e.Key] = a
	}
	x.seats.restore(agents)
	for seat, a := range agents {
		for _, lamp := range x.lamps.show(agentRef(seat), agentLamps(seat, a)) {
			if x.now().Sub(a.Since) < copiesFor {
				x.lampChanged(lamp)
			}
		}
		if x.now().Sub(a.Since) < copiesFor {
			x.subs.changed(featureEvent, seat)
		}
	}
}

// attend is a goroutine: it ends after-call work in time, and tells how seats stand and who
// has them.
func (x *Exchange) attend() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		restless, hands := x.seats.takeRestless()
		for _, seat := range restless {
			x.tellAgent(seat)
		}
		for _, seat := range hands {
			x.showHeld(seat)
		}
		wait := time.Hour
		if at, ok := x.seats.Deadline(); ok {
			wait = max(at.Sub(x.now()), 0)
		}
		timer.Reset(wait)
		select {
		case <-x.seats.stirred:
		case <-timer.C:
			x.seats.Tick(x.now())
		case <-x.stop:
			return
		}
	}
}

// tellAgent shows how a seat stands to phones that watch it and to all who follow the events.
func (x *Exchange) tellAgent(seat string) {
	a := x.seats.Agent(seat)
	x.lamps.Show(agentRef(seat), agentLamps(seat, a))
	x.subs.changed(featureEvent, seat)
	line, ok := x.directory().At(seat)
	if !ok || x.cfg.Tell == nil || a.Learnt {
		return
	}
	it := news.Item{Event: "agent_state", Fields: news.Of(news.Fields{{Name: "agent", Value: seat},
		{Name: "detail", Value: string(a.State)}, {Name: "hotline", Value: line.ID}}...)}
	if a.Reason != "" {
		it.Set("reason", a.Reason)
	}
	x.cfg.Tell(it)
}

// agentRef is in the register of lamps what a call's reference is there.
func agentRef(seat string) string { return "agent/" + seat }

// agentLamps: who is not ready is shown as busy to colleagues who watch the seat. The key not_ready of the seat's own
// phone shines while it is not ready, and blinks while after-call work lasts.
func agentLamps(seat string, a Agent) []LampState {
	own := func(key string, s event.State) LampState {
		return LampState{Lamp: verbLamp(key, seat), State: s, Calls: true, At: a.Since}
	}
	switch a.State {
	case NotReady:
		all := []LampState{{Lamp: seatLamp(seat), State: event.Confirmed, Calls: true, Away: true, At: a.Since},
			own(verb.NotReady, event.Confirmed)}
		if a.Reason != "" {
			all = append(all, own(verb.NotReady+" "+a.Reason, event.Confirmed))
		}
		return all
	case AfterCall:
		return []LampState{{Lamp: seatLamp(seat), State: event.Confirmed, Calls: true, Away: true, At: a.Since},
			own(verb.NotReady, event.Early)}
	}
	return nil
}

// setsAgent takes the call of a phone that has dialled to be ready, or not. It hears that it was understood: once for
// ready, twice for not ready, or that it was so already.
func (c *Core) setsAgent(p *party, dialed string, to AgentState, reason string) {
	line, ok := c.dir.At(c.origin.User)
	if !ok {
		c.dismiss(p.ID, leg.Reject{Code: 403})
		return
	}
	says := []string{line.Prompts.Confirm}
	switch {
	case !c.world.Seats.SetAgent(c.origin.User, to, reason, c.now):
		says = []string{cmp.Or(line.Prompts.Already, line.Prompts.Confirm)}
	case to == NotReady:
		says = append(says, line.Prompts.Confirm)
	}
	c.fact(call.Arrived{Ref: c.state.Ref, Caller: number.Number{Raw: c.origin.User, Status: number.OK, Source: "from"},
		Dialed: dialed, Hotline: line.ID, Record: c.newID(), Test: true, Says: says})
}
