package exchange

import (
	"cmp"
	"net/netip"
	"strconv"
	"time"

	"liandong/media/codec"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/sdp"
)

// byeGrace is how long a desk that has handed on by REFER may hang up by itself:
// half of the phones do when they are told of the success, the others wait for us.
const byeGrace = time.Second

// retryAfter tells a refused caller's switch to try again soon, or elsewhere.
var retryAfter = []header.Field{{Name: "Retry-After", Value: "5"}}

// carryOut does one thing the call wants done.
func (c *Core) carryOut(e call.Effect) {
	switch e := e.(type) {
	case call.RingCaller:
		c.ringCaller(e)
	case call.AnswerCaller:
		c.toParty(call.CallerLeg, leg.Answer{})
	case call.Ring:
		c.toParty(e.Leg, leg.Progress{Code: 180})
	case call.Answer:
		c.answer(e.Leg)
	case call.Refuse:
		c.dismiss(e.Leg, leg.Reject{Code: e.Code})
	case call.RefuseCaller:
		c.dismiss(call.CallerLeg, leg.Reject{Code: e.Code, Fields: append(c.carriedTo(call.CallerLeg), retryAfter...)})
	case call.FindSeats:
		c.findSeats(e)
	case call.LeaveQueue:
		c.world.Seats.Leave(c.state.Ref, e.Hotline)
	case call.ReleaseSeats:
		for _, s := range e.Seats {
			c.world.Seats.Release(c.state.Ref, s, c.now)
		}
	case call.RingSeat:
		c.ringSeat(e)
	case call.RingTrunk:
		c.ringTrunk(e)
	case call.Succeed:
		c.succeed(e)
	case call.AskJoin:
		c.askJoin(e)
	case call.TakeLeg:
		c.takeLeg(e)
	case call.OfferJoin:
		c.offerJoin(e)
	case call.Introduce:
		c.introduce(e)
	case call.EndLeg:
		end := leg.End{Fields: c.reason(e.Leg, e.Why)}
		if e.Grace {
			end.Grace = byeGrace
		}
		c.dismiss(e.Leg, end)
	case call.Report:
		c.attended = c.attended && e.Code < 300
		c.toParty(e.Leg, leg.Report{ID: e.Refer, Code: e.Code})
	case call.ProbeLeg:
		c.toParty(e.Leg, leg.Modify{Direction: sdp.SendRecv})
	case call.Hear:
		c.hear(e.Ear)
	case call.SendDigits:
		c.world.Media.Do(engine.Digits{Leg: engine.LegID(e.Leg), Digits: e.Digits})
	case call.StartRecording:
		c.startRecording(e)
	case call.PauseRecording, call.ResumeRecording, call.StopRecording, call.RecordLeg:
		c.recording(e)
	case call.Write:
		c.write(e)
	case call.Tell:
		c.tell(e)
	case call.Ignored:
		c.world.Log.Debug("nothing done", "why", e.Why)
	case call.Finish:
	}
}

func (c *Core) ringCaller(e call.RingCaller) {
	if e.Media {
		c.toParty(call.CallerLeg, leg.Progress{Code: 183, Media: true})
		return
	}
	c.toParty(call.CallerLeg, leg.Progress{Code: 180})
}

func (c *Core) toParty(id call.LegID, cmd leg.Command) {
	if p := c.party(id); p != nil {
		c.command(p, cmd)
	}
}

// dismiss takes a party out of the call and lets its leg say goodbye. One that is
// another call's goes back there; one that is lent is let go when it comes back.
func (c *Core) dismiss(id call.LegID, cmd leg.Command) {
	if p := c.party(id); p != nil {
		if p.lender.peer != nil {
			c.giveBack(p)
			return
		}
		c.farewell(p)
		c.command(p, cmd)
	}
	for _, p := range c.lentOut {
		if p.id == id {
			c.farewell(p)
		}
	}
}

func (c *Core) findSeats(e call.FindSeats) {
	line, ok := c.dir.Hotlines[e.Hotline]
	if !ok {
		c.fact(call.SeatsFound{Hotline: e.Hotline, Full: true})
		return
	}
	claim := Claim{Call: c.state.Ref, Since: c.state.At, Line: line, Tried: e.Tried, Max: e.Max, Only: e.Only}
	if e.Queue {
		claim.Tell = c.world.Offer
	}
	c.fact(c.world.Seats.Claim(claim))
}

func (c *Core) ringSeat(e call.RingSeat) {
	p := &party{id: e.Leg, agent: e.Seat, seat: e.Seat, user: e.Seat, keys: c.collector()}
	place, ok := c.world.Place(e.Seat)
	if !ok {
		c.unreachable(p, 480)
		return
	}
	place.SRTP = c.protection(e.Seat, "")
	c.invite(p, place, c.toDesk(e, place))
}

// unreachable tells the call that a desk failed before anything was sent.
func (c *Core) unreachable(p *party, code int) {
	if p.seat != "" {
		c.world.Seats.Release(c.state.Ref, p.seat, c.now)
	}
	c.fact(call.LegFailed{Leg: p.id, Code: code})
}

// invite opens a port for a desk and calls it.
func (c *Core) invite(p *party, to Place, invite leg.Invite) {
	p.network, p.contact = to.Flow.Network, to.URI
	if c.open(p) {
		c.dial(p, to, invite)
	}
}

// open takes a media port for a desk.
func (c *Core) open(p *party) bool {
	addr, err := c.world.Media.Open(engine.LegID(p.id), p.network)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", p.network, "err", err)
		c.unreachable(p, 503)
		return false
	}
	p.media, p.addr = true, addr
	c.parties = append(c.parties, p)
	return true
}

// dial calls a desk that has a port, by a leg of its own.
func (c *Core) dial(p *party, to Place, invite leg.Invite) {
	p.transport = to.Flow.Transport
	p.leg = leg.NewOutbound(c.world.Leg, c.local(p.network, p.transport, p.addr, to.SRTP))
	c.world.Wire.Bind(p.leg.CallID())
	invite.RequestURI, invite.Flow, invite.Target, invite.MaxForwards = to.URI, to.Flow, to.Target, c.hops
	c.command(p, invite)
}

// protection is whether the sound of a phone or a trunk is to be SRTP.
func (c *Core) protection(user, trunk string) sdp.Protection {
	if seat, ok := c.dir.Seats[user]; ok {
		return seat.SRTP
	}
	if t, ok := c.dir.Trunks[trunk]; ok {
		return t.SRTP
	}
	return sdp.Off
}

// local is our side of a leg in a network: every leg is offered the full list
// of codecs.
func (c *Core) local(network, transport string, media netip.AddrPort, protection sdp.Protection) leg.Local {
	l, ok := c.world.Local(network, transport)
	if !ok {
		c.world.Log.Error("no address of ours", "network", network, "transport", transport)
	}
	codecs := c.dir.Codecs
	if len(codecs) == 0 {
		codecs = []codec.ID{codec.PCMA, codec.PCMU}
	}
	l.Media = sdp.Local{Addr: media, Codecs: codecs, DTMF: 101, Ptime: 20 * time.Millisecond, Protection: protection}
	return l
}

func (c *Core) collector() verb.Collector {
	return verb.Collector{Keys: c.keys, Gap: c.dir.Timers.KeyGap}
}

// hear tells the media engine the whole of what a party hears.
func (c *Core) hear(e call.Ear) {
	from := make([]engine.LegID, len(e.From))
	for i, id := range e.From {
		from[i] = engine.LegID(id)
	}
	c.world.Media.Do(engine.Listen{
		Leg: engine.LegID(e.Leg), From: from,
		Play: engine.Playlist{ID: e.ID, Items: e.Play, Loop: e.Loop},
	})
}

// startRecording begins the file. Without one the call goes on, and its ref leads nowhere.
func (c *Core) startRecording(e call.StartRecording) {
	if c.world.Record == nil {
		c.world.Log.Error("a call is to be recorded and nothing records", "recording", e.Ref)
		return
	}
	tape, err := c.world.Record(record.Call{Ref: e.Ref, CallRef: c.state.Ref, Channels: call.ChannelNames}, c.now)
	if err != nil {
		c.world.Log.Error("a recording cannot begin", "recording", e.Ref, "err", err)
		return
	}
	c.tape = tape
}

// recording carries out what concerns a recording that has begun.
func (c *Core) recording(e call.Effect) {
	if c.tape == nil {
		return
	}
	switch e := e.(type) {
	case call.PauseRecording:
		c.tape.Pause(c.now)
	case call.ResumeRecording:
		c.tape.Resume(c.now)
	case call.StopRecording:
		c.tape.Stop(c.now)
		c.tape = nil
	case call.RecordLeg:
		take := engine.Record{Leg: engine.LegID(e.Leg)}
		if e.Channel > 0 {
			take.Tap, take.Channel = c.tape, int(e.Channel)-1
		}
		c.world.Media.Do(take)
	}
}

func (c *Core) write(w call.Write) {
	e := w.Entry
	e.EventID, e.At = c.world.NewID(c.now), c.now
	log := c.world.Log.With("stub", e.StubID, "event", e.Event)
	c.world.Tickets.Put(e, func(err error) {
		if err != nil {
			log.Error("a ticket entry is not on disk", "err", err)
		}
	})
}

// tell publishes a call event.
func (c *Core) tell(t call.Tell) { c.world.Tell(t.What, c.about(t)) }

// talking publishes who talks where there are more than two to tell apart. With the calls of
// two the stream would hold little else. Who has no agent is the caller.
func (c *Core) talking(e engine.Talking) {
	if c.state.Phase != call.ThreeWay {
		return
	}
	t := call.Tell{What: "talking", Leg: call.LegID(e.Leg), Note: "off"}
	if t.Leg == c.state.Second.ID {
		t.Leg = c.state.Desk // who speaks on his second line
	}
	if e.On {
		t.Note = "on"
	}
	fields := c.about(t)
	fields["level"] = strconv.Itoa(-int(e.Level))
	c.world.Tell(t.What, fields)
}

// about is what a screen pop needs of a call event.
func (c *Core) about(t call.Tell) map[string]string {
	s := &c.state
	fields := map[string]string{
		"call_ref": cmp.Or(s.Peer.Ref, s.Ref), "caller_e164": s.Caller.E164, "caller_raw": s.Caller.Raw, "caller_status": s.Caller.Status.String(),
		"call_at": s.At.Format(time.RFC3339Nano), "dialed": s.Dialed, "hotline": s.Hotline, "phase": string(s.Phase), "detail": t.Note,
	}
	if s.Recording.Begun {
		fields["recording_ref"] = s.Recording.Ref
	}
	if s.Peer.Stub != "" {
		fields["stub_id"] = s.Peer.Stub
	}
	if l, ok := s.Leg(t.Leg); ok {
		fields["agent"] = l.Agent()
	}
	return fields
}

// farewells maps why a leg is released to a Reason (RFC 3326).
var farewells = map[call.Farewell]header.Reason{
	call.Normal:    {Protocol: "Q.850", Cause: 16, Text: "Normal call clearing"},
	call.Elsewhere: {Protocol: "SIP", Cause: 200, Text: "Call completed elsewhere"},
	call.NoAnswer:  {Protocol: "Q.850", Cause: 19, Text: "No answer"},
	call.Withdrawn: {Protocol: "SIP", Cause: 487, Text: "Call withdrawn"},
	call.Failure:   {Protocol: "Q.850", Cause: 41, Text: "Temporary failure"},
}

// reason is what a party is told when it is released: what another party's
// BYE, CANCEL or refusal has just said (RFC 3326), or else why the call lets go of it.
func (c *Core) reason(id call.LegID, f call.Farewell) []header.Field {
	if f == call.Normal || f == call.Withdrawn {
		if fields := c.carriedTo(id); len(fields) > 0 {
			return fields
		}
	}
	r, ok := farewells[f]
	if !ok {
		return nil
	}
	return []header.Field{{Name: "Reason", Value: r.String()}}
}

// carried are the Reasons that a party has given for its end, while what follows
// from it is being done.
type carried struct {
	network string
	list    []header.Reason
}

// carriedTo is what another party is told of them: protocol and cause, and the
// words only within a network, as they may name what is none of the other one's business.
func (c *Core) carriedTo(id call.LegID) (fields []header.Field) {
	p := c.party(id)
	for _, r := range c.reasons.list {
		if p == nil || r.Cause == 0 || r.Protocol != "SIP" && r.Protocol != "Q.850" {
			continue
		}
		if p.network != c.reasons.network {
			r.Text = ""
		}
		r.Params = nil
		fields = append(fields, header.Field{Name: "Reason", Value: r.String()})
	}
	return fields
}
