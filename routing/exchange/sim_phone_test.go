package exchange

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/codec"
	"liandong/media/engine"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// phone is a party of the simulation: a citizen behind the trunk or a desk.
// Its signalling is a real leg; what it does is drawn from the seed.
type phone struct {
	sim        *simulation
	user       string
	home       netip.AddrPort // what its Contact says
	addr       netip.AddrPort // where its packets come from: its router's doing
	bound      netip.AddrPort // where it has registered from
	tcp        bool
	noEvents   bool       // no telephone-event in its SDP
	codecs     []codec.ID // nil: A-law
	registered bool
	legs       []*line
	ports      uint16
	dead       bool          // answers nothing
	slow       time.Duration // what comes is looked at only then
	full       bool          // a gateway that answers 503
	does       func(*line)   // what it does with a call; nil: as the seed says
	stubborn   bool          // takes no re-INVITE, or only later
	atHome     time.Time     // since when it is reached where it has registered
}

// line is one dialog of a phone.
type line struct {
	phone  *phone
	leg    *leg.Leg
	up     bool
	ended  bool
	why    []header.Reason // of its end, when the switch has ended it
	began  time.Time
	focus  bool           // it is to the conference: whom it brings in is in the call already
	apart  bool           // a call of the desk's own
	sends  netip.AddrPort // where its sound goes
	beside beside
}

func (s *simulation) addPhone(user, addr string) *phone {
	at := netip.MustParseAddrPort(addr)
	p := &phone{sim: s, user: user, home: at, addr: at, bound: at, registered: true, ports: 30000}
	s.phones[p.addr] = p
	i, _ := slices.BinarySearchFunc(s.people, p, func(a, b *phone) int { return cmp.Compare(a.user, b.user) })
	s.people = slices.Insert(s.people, i, p)
	return p
}

func (p *phone) contact() string { return "sip:" + p.user + "@" + p.home.String() }

func (p *phone) transport() string {
	if p.tcp {
		return "tcp"
	}
	return "udp"
}

// move gives a phone another port: its router has forgotten it, or its
// connection is gone, which the registrar knows at once. It registers anew when
// it notices.
func (p *phone) move() {
	s := p.sim
	if p.dead || !p.registered {
		return
	}
	delete(s.phones, p.addr)
	s.moved[p.addr] = true
	p.addr = netip.AddrPortFrom(p.addr.Addr(), p.addr.Port()+1)
	s.phones[p.addr] = p
	p.atHome = s.now
	s.note("%s moves to %v", p.user, p.addr)
	p.registered = !p.tcp
	s.after(s.between(500*time.Millisecond, 20*time.Second), func() {
		if p.dead {
			return
		}
		s.note("%s registers from %v", p.user, p.addr)
		s.insist(p.registers)
	})
}

// registers is what the switch does with a REGISTER.
func (p *phone) registers() {
	s := p.sim
	p.registered, p.bound, p.atHome = true, p.addr, s.now
	s.seats.Online(p.user)
	for _, c := range s.cores {
		s.insist(func() {
			if !c.closed {
				c.core.Moved(s.now, p.user)
				c.rest()
			}
		})
	}
}

func (p *phone) local() leg.Local {
	p.ports += 2
	events := uint8(101)
	if p.noEvents {
		events = 0
	}
	codecs := []codec.ID{codec.PCMA}
	if p.codecs != nil {
		codecs = p.codecs
	}
	return leg.Local{
		Contact: p.contact(), ViaHost: p.home.String(), Transport: p.transport(),
		Media: sdp.Local{
			Addr: netip.AddrPortFrom(p.addr.Addr(), p.ports), SessionID: uint64(p.ports), Version: 1,
			Codecs: codecs, DTMF: events, Ptime: 20 * time.Millisecond,
		},
	}
}

func (p *phone) deadline() (at time.Time, ok bool) {
	for _, l := range p.legs {
		if t, some := l.leg.Deadline(); some && (!ok || t.Before(at)) {
			at, ok = t, true
		}
		for _, r := range l.beside.refers {
			if t, some := r.txn.Deadline(); some && (!ok || t.Before(at)) {
				at, ok = t, true
			}
		}
	}
	return at, ok
}

func (p *phone) tick() {
	for _, l := range slices.Clone(p.legs) {
		if at, ok := l.leg.Deadline(); ok && !p.sim.now.Before(at) {
			l.take(l.leg.Tick(p.sim.now))
		}
		for _, r := range l.beside.refers {
			if at, ok := r.txn.Deadline(); ok && !p.sim.now.Before(at) {
				r.send(r.txn.Tick(p.sim.now))
			}
		}
	}
}

func (p *phone) receive(packet leg.Packet) {
	if p.dead {
		return
	}
	id := packet.CallID()
	for _, l := range p.legs {
		if l.leg.CallID() == id {
			if !l.receives(packet) {
				l.take(l.leg.Receive(p.sim.now, packet))
			}
			return
		}
	}
	req, ok := packet.Msg.(*gosip.Request)
	if ok && req.Method == gosip.NOTIFY {
		p.sim.transmit(p.addr, leg.Packet{Msg: leg.Reply(packet, 481, "", ""), Flow: leg.ReplyFlow(packet)}, func() {})
	}
	if !ok || req.Method != gosip.INVITE || strings.Contains(req.To().Value(), "tag=") {
		return
	}
	l := &line{phone: p, began: p.sim.now}
	l.receives(packet)
	var out leg.Out
	l.leg, out = leg.NewInbound(p.sim.legConfig(), p.sim.now, packet, p.local())
	p.legs = append(p.legs, l)
	l.take(out)
}

// die: the power is gone. By what the media engine notices the switch is done with it within 6 s of the
// last that it has said, which may still be on its way.
func (p *phone) die() {
	s := p.sim
	s.note("%s dies", p.user)
	p.dead = true
	lines := p.legs
	p.legs = nil
	still := func(do func(*simCall, *party)) {
		for _, c := range s.cores {
			for _, l := range lines {
				if at := c.core.byCallID(l.leg.CallID()); at != nil && !c.closed && !at.Gone {
					do(c, at)
				}
			}
		}
	}
	for i := range 8 { // a leg that goes to another call is noticed there
		s.after(1500*time.Millisecond+time.Duration(i)*time.Second, func() {
			s.insist(func() {
				still(func(c *simCall, at *party) {
					c.core.MediaEvent(s.now, engine.Silent{Leg: engine.LegID(at.ID)})
					c.rest()
				})
			})
		})
	}
	s.after(6*time.Second+2*s.fault.delay, func() {
		still(func(c *simCall, at *party) {
			l, ok := c.core.state.Leg(at.ID)
			if ok && l.Up && at.Lender.Ref == "" && s.now.Sub(c.moved) > 8*time.Second && s.death.died == 0 {
				s.fail("%s: %s has lost its power, and still has a part in the call: %+v", c.ref, p.user, l)
			}
		})
	})
}

// dial calls a number of the switch as a citizen behind the trunk does; more is
// header fields.
func (p *phone) dial(number string, more ...header.Field) *line {
	return p.calls(number, number, more...)
}

// calls is dial where the network has changed the Request-URI's number.
func (p *phone) calls(uri, number string, more ...header.Field) *line {
	l := &line{phone: p, began: p.sim.now, leg: leg.NewOutbound(p.sim.legConfig(), p.local())}
	p.legs = append(p.legs, l)
	me := header.NameAddr{URI: header.URI{Scheme: "sip", User: p.user, Host: "127.0.0.10"}}
	fields := append(more, header.Field{Name: "P-Asserted-Identity", Value: me.String()})
	if p.sim.chance(0.2) {
		fields = append(fields, header.Field{Name: "Require", Value: "100rel"})
	}
	l.do(leg.Invite{
		RequestURI: "sip:" + uri + "@" + switchAddr.String(),
		Flow:       leg.Flow{Network: "lab", Transport: p.transport(), Local: p.addr, Remote: switchAddr},
		From:       me, To: header.NameAddr{URI: header.URI{Scheme: "sip", User: number, Host: "127.0.0.1"}},
		Fields:       fields,
		DelayedOffer: p.sim.chance(0.1),
	})
	return l
}

func (l *line) do(c leg.Command) {
	if !l.phone.dead {
		l.take(l.leg.Do(l.phone.sim.now, c))
	}
}

func (l *line) take(out leg.Out) {
	p := l.phone
	for _, packet := range out.Packets {
		p.sim.transmit(p.addr, l.beside.sends(packet), func() {})
	}
	for _, e := range out.Events {
		switch e := e.(type) {
		case leg.Invited:
			l.rings()
		case leg.Answered:
			l.up, l.sends = true, e.Media.Remote
			l.holds(0)
		case leg.MediaChanged:
			l.sends = e.Media.Remote
		case leg.Failed:
			l.ended, l.why = true, e.Reasons
		case leg.Ended:
			l.ended, l.why = true, e.Reasons
		}
	}
	p.legs = slices.DeleteFunc(p.legs, func(l *line) bool { return l.leg != nil && l.leg.Done() && !l.referring() })
}

func (l *line) hangUp() {
	l.checkKnows()
	l.checkHeard()
	if !l.ended {
		l.ended = true
		l.do(leg.End{})
	}
}

// rings decides what a desk does with a call.
func (l *line) rings() {
	s := l.phone.sim
	switch {
	case l.phone.full:
		l.refuse(503, 0)
		return
	case l.phone.does != nil:
		l.phone.does(l)
		return
	}
	if strings.HasPrefix(l.phone.user, "119") && s.chance(0.5) { // an announcement, or none after all
		l.do(leg.Progress{Code: 183, Media: true})
		s.after(s.between(0, 3*time.Second), func() { l.mute(s.chance(0.5)) })
	}
	if s.chance(0.9) {
		l.do(leg.Progress{Code: 180})
	}
	s.after(3*time.Minute, func() { // no phone rings for ever
		if !l.up && !l.ended {
			l.ended = true
			l.do(leg.Reject{Code: 480})
		}
	})
	busy := slices.ContainsFunc(l.phone.legs, func(o *line) bool { return o != l && o.up && !o.ended && !o.apart })
	think := s.between(100*time.Millisecond, 12*time.Second)
	switch n := s.rng.IntN(20); {
	case busy || n == 0:
		l.refuse(486, think/20)
	case n == 1:
		l.refuse([]int{480, 500, 503, 603, 404}[s.rng.IntN(5)], think)
	case n <= 3: // nobody there; a phone does not ring for ever
		l.refuse(480, 3*time.Minute)
	case n == 4:
		l.answer(think)
		s.after(think+s.between(50*time.Millisecond, 2*time.Second), l.hangUp)
	default:
		l.answer(think / 3)
		s.after(think/3+s.between(time.Second, time.Minute), l.hangUp)
		l.atWork(think / 3)
	}
}

// mute is what the media engine notices when nothing comes from a phone, or when something comes again.
func (l *line) mute(silent bool) {
	for _, c := range l.phone.sim.cores {
		l.phone.sim.insist(func() { l.tell(c, silent) })
	}
}

// tell is what the media engine tells a call of the line.
func (l *line) tell(c *simCall, silent bool) {
	p := c.core.byCallID(l.leg.CallID())
	if p == nil || c.closed || p.Gone {
		return
	}
	if silent {
		c.core.MediaEvent(c.sim.now, engine.MediaLost{Leg: engine.LegID(p.ID)})
	} else {
		c.core.MediaEvent(c.sim.now, engine.MediaBack{Leg: engine.LegID(p.ID)})
	}
	c.rest()
}

func (l *line) refuse(code int, after time.Duration) {
	l.phone.sim.after(after, func() {
		if !l.ended {
			l.ended = true
			l.do(leg.Reject{Code: code})
		}
	})
}

func (l *line) answer(after time.Duration) {
	l.phone.sim.after(after, func() {
		if !l.ended {
			l.up = true
			l.do(leg.Answer{})
		}
	})
}

var codes = []string{"*1", "*1", "*1", "*2", "*3", "*3", "*4", "*5", "*6", "*9", "*807", "*7", "*7", "*0", "42", "*"}

// atWork lets a desk press keys and hold at random times of its conversation.
func (l *line) atWork(from time.Duration) {
	s := l.phone.sim
	for range s.rng.IntN(6) {
		code := codes[s.rng.IntN(len(codes))]
		s.after(from+s.between(200*time.Millisecond, 30*time.Second), func() { l.press(code) })
	}
	if s.chance(0.2) {
		v, _ := verb.Parse([]string{"handover", "conference", "take_back", "urgent"}[s.rng.IntN(4)])
		s.after(from+s.between(200*time.Millisecond, 30*time.Second), func() { l.phone.click(v) })
	}
	l.holds(from)
	l.transfers(from)
	l.consults(from)
}

// click is a verb from the desk's screen, which reaches every call.
func (p *phone) click(v verb.Verb) {
	p.sim.reaches(func() {
		for _, c := range p.sim.cores {
			if !c.closed {
				_ = c.core.Press(p.sim.now, p.user, v)
				c.rest()
			}
		}
	})
}

// holds: a party puts the other one on hold, perhaps, or only asks anew.
func (l *line) holds(from time.Duration) {
	s := l.phone.sim
	for range s.rng.IntN(3) {
		dir := []sdp.Direction{sdp.SendOnly, sdp.Inactive, sdp.SendRecv}[s.rng.IntN(3)]
		s.after(from+s.between(20*time.Millisecond, 20*time.Second), func() { l.hold(dir) })
	}
}

func (l *line) hold(d sdp.Direction) {
	if !l.up || l.ended {
		return
	}
	l.do(leg.Modify{Direction: d})
	l.phone.sim.after(l.phone.sim.between(100*time.Millisecond, 5*time.Second), func() {
		if !l.ended {
			l.do(leg.Modify{Direction: sdp.SendRecv})
		}
	})
}

// press reaches the switch as the media engine reports it.
func (l *line) press(code string) {
	s := l.phone.sim
	for i, d := range []byte(code) {
		s.after(time.Duration(i)*80*time.Millisecond, func() {
			if l.ended {
				return
			}
			s.reaches(func() {
				for _, c := range s.cores {
					if p := c.core.byCallID(l.leg.CallID()); p != nil && !c.closed {
						s.note("%s presses %c", l.phone.user, d)
						c.presses(engine.DigitReceived{Leg: engine.LegID(p.ID), Digit: d}, "")
					}
				}
			})
		})
	}
}
