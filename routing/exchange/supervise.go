package exchange

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/news"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
)

// A supervisor comes into a call by his phone, which dials the service number with a desk's number behind it, or is
// rung when the console or another program asks for it. What he may do there is decided in package call.

var (
	// ErrNoPhone says that a supervisor's phone is not registered.
	ErrNoPhone = errors.New("exchange: the supervisor's phone is not registered")
	// ErrPhoneBusy says that it is in a call.
	ErrPhoneBusy = errors.New("exchange: the supervisor's phone is in a call")
)

// monitors says that a number is that of the service, with something behind it.
func monitors(dir *desk.Directory, dialled string) bool {
	_, ok := watches(dir, dialled)
	return ok
}

// watches is what stands behind the number of the service.
func watches(dir *desk.Directory, dialled string) (rest string, ok bool) {
	for _, number := range slices.Sorted(maps.Keys(dir.Services)) {
		rest, ok := strings.CutPrefix(dialled, number)
		if ok && rest != "" && dir.Services[number] == verb.Monitor {
			return rest, true
		}
	}
	return "", false
}

// watching is what a supervisor's phone calls for: the call of a seat, or the one that waits longest for a line.
type watching struct{ seat, line string }

// monitored reads a number as that of the service with that of a desk or of a line behind it.
func monitored(dir *desk.Directory, dialled string) (of watching, ok bool) {
	rest, ok := watches(dir, dialled)
	if !ok {
		return of, false
	}
	if seat, ok := dir.Seats[rest]; ok {
		return watching{rest, seat.Hotline}, true
	}
	line, ok := dir.LineByNumber(rest)
	if !ok {
		return of, false
	}
	return watching{"", line.ID}, true
}

// watched is the call that is meant, "" none.
func (x *Exchange) watched(of watching) string {
	if of.seat != "" {
		ref, _ := x.Seat(of.seat)
		return ref
	}
	return cmp.Or(x.seats.LongestWaiting(of.line), x.lamps.Rings(of.line))
}

// superviseByPhone takes the call of a supervisor's phone. A phone has one call at a time.
func (c *Core) superviseByPhone(p *party, of watching) {
	lines := c.dir.Supervises(p.User)
	may := slices.Contains(lines, of.line)
	if may && !c.world.Seats.Watch(c.state.Ref, p.User) {
		c.dismiss(p.ID, leg.Reject{Code: 486})
		return
	}
	if may {
		p.Seat = p.User
	}
	p.Watches, p.Keys = true, verb.Collector{}
	c.fact(call.SupervisorDialled{Leg: p.ID, User: p.User, Of: of.line, Lines: lines})
}

// superviseNothing turns away who calls for a desk that has no call, or may not call for it at all.
func (c *Core) superviseNothing(p *party, dialled string) {
	refusal, line := leg.Reject{Code: 404}, ""
	if of, ok := monitored(c.dir, dialled); ok {
		line = of.line
		refusal = c.notHere(480, of.seat, c.dir.Hotlines[line])
	}
	if line != "" && !slices.Contains(c.dir.Supervises(c.origin.User), line) {
		refusal = leg.Reject{Code: 603}
		c.world.Log.Warn("a supervisor is refused: no supervisor of the line", "agent", c.origin.User, "line", line)
		c.publish(&news.Item{Event: "supervisor_refused", Fields: news.Of(news.Fields{
			{Name: "agent", Value: c.origin.User}, {Name: "detail", Value: string(call.Listen)},
			{Name: "hotline", Value: line}, {Name: "lines", Value: line},
		}...)})
	}
	c.dismiss(p.ID, refusal)
}

// superviseByKey takes a key of a supervisor's phone. Each is one by itself.
func (c *Core) superviseByKey(p *party, digit byte, m verb.Method) {
	if _, pressed := p.Keys.Press(c.now, digit, m); pressed != "" {
		e := call.SupervisorPressed{Leg: p.ID, Act: call.SupervisorKeys[digit]}
		if e.Act == call.Back {
			e.Stub = c.newID()
		}
		c.fact(e)
	}
}

// Supervise is what a supervisor asks for by another way than his phone. An error says why it cannot be done.
func (c *Core) Supervise(now time.Time, e call.SupervisorAsked) error {
	c.now = now
	if e.Act == call.Back {
		e.Stub = c.newID()
	}
	if e.Act.NeedsPhone() {
		own := c.dir.Supervises(e.User)
		e.Lines = slices.DeleteFunc(slices.Clone(e.Lines), func(l string) bool { return !slices.Contains(own, l) })
	}
	err := c.state.May(c.dir, e)
	here := slices.ContainsFunc(c.state.Supervisors, func(s call.Supervisor) bool { return s.Seat == e.User })
	if err == nil && e.Act.NeedsPhone() && !here {
		if err = c.mayRing(e.User); err != nil {
			return err
		}
	}
	c.fact(e)
	c.settle()
	return err
}

// mayRing says why a supervisor's phone cannot be rung.
func (c *Core) mayRing(user string) error {
	if len(c.world.Places(user)) == 0 {
		return ErrNoPhone
	}
	if _, busy := c.world.Seats.Claimed(user); busy {
		return ErrPhoneBusy
	}
	return nil
}

// ringSupervisor calls all phones of a supervisor. It shows the number of the service, and nothing of the call.
func (c *Core) ringSupervisor(e call.RingSupervisor) {
	p := &party{ID: e.Leg, Agent: e.User, User: e.User, Watches: true}
	places := c.world.Places(e.User)
	if len(places) == 0 {
		c.unreachable(p, 480)
		return
	}
	if c.world.Seats.HeldElsewhere(e.User) || !c.world.Seats.Watch(c.state.Ref, e.User) {
		c.unreachable(p, 486)
		return
	}
	p.Seat = e.User
	c.ringAll(p, places, func(to Place) leg.Invite {
		host := c.host(to.Flow)
		return leg.Invite{
			From: header.NameAddr{URI: header.URI{Scheme: "sip", User: verb.Monitor, Host: host}},
			To:   header.NameAddr{URI: header.URI{Scheme: "sip", User: e.User, Host: host}},
		}
	})
}

// takeDesk: a supervisor has the call from now on, and a desk's keys.
func (c *Core) takeDesk(e call.TakeDesk) {
	if p := c.party(e.Leg); p != nil {
		p.Watches, p.Keys = false, c.collector()
		c.world.Seats.Sit(p.Seat)
	}
}

// attending are the supervisors as the recording tells of them.
func (c *Core) attending() (list []record.Attendance) {
	for _, s := range c.state.Supervisors {
		if s.Noted != "" {
			list = append(list, record.Attendance{User: s.Seat, Line: s.Hotline, Mode: string(s.Noted)})
		}
	}
	return list
}

// channels are those of a recording: a supervisor's where there are supervisors.
func (c *Core) channels() []string {
	for _, h := range c.dir.Hotlines {
		if len(h.Supervisors) > 0 {
			return call.ChannelNames
		}
	}
	return call.ChannelNames[:call.SupervisorChannel-1]
}

// Supervise carries out what a supervisor asks for in a call.
func (x *Exchange) Supervise(ref string, e call.SupervisorAsked) error {
	a := x.actor(ref)
	done := make(chan error, 1)
	if a == nil || !a.inbox.put(input{ask: func(c *Core) { done <- c.Supervise(x.now(), e) }}, usual) {
		return ErrGone
	}
	select {
	case err := <-done:
		return err
	case <-time.After(pressWait):
		return ErrBusy
	case <-x.stop:
		return ErrGone
	}
}
