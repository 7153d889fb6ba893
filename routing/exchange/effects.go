package exchange

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"liandong/media/codec"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/call"
	"liandong/routing/desk"
	"liandong/routing/news"
	"liandong/routing/number"
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
		c.progress(call.CallerLeg, e.Media)
	case call.AnswerCaller:
		c.toParty(call.CallerLeg, leg.Answer{Codecs: c.answerable()})
	case call.Ring:
		c.progress(e.Leg, e.Media)
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
	case call.RingSupervisor:
		c.ringSupervisor(e)
	case call.TakeDesk:
		c.takeDesk(e)
	case call.Succeed:
		c.succeed(e)
	case call.AskJoin:
		c.askJoin(e)
	case call.TakeLeg:
		c.takeLeg(e)
	case call.OfferJoin:
		c.offerJoin(e)
	case call.ConnectedLine:
		c.connectedLine(e)
	case call.EndLeg:
		end := leg.End{Fields: c.reason(e.Leg, e.Why)}
		if e.Why == call.NoAnswer {
			c.inVain(c.party(e.Leg), false)
		}
		if e.Grace {
			end.Grace = byeGrace
		}
		c.dismiss(e.Leg, end)
	case call.Report:
		c.attended = c.attended && e.Code < 300
		c.toParty(e.Leg, leg.Report{ID: e.Refer, Code: e.Code})
	case call.ProbeLeg:
		c.probe(e.Leg)
	case call.Hear:
		c.hear(e.Ear)
		c.traceHears(e.Ear)
	case call.SendDigits:
		c.media(engine.Digits{Leg: engine.LegID(e.Leg), Digits: e.Digits})
	case call.StartRecording:
		c.startRecording(e)
	case call.PauseRecording, call.ResumeRecording, call.StopRecording, call.RecordLeg, call.NoteSupervisor:
		c.changeRecording(e)
	case call.Write:
		c.write(e)
	case call.Tell:
		c.tell(e)
	case call.Ignored:
		if c.world.Log.Enabled(context.Background(), slog.LevelDebug) {
			c.world.Log.Debug("nothing done", "why", e.Why)
		}
	case call.Astray:
		c.world.Log.Error("bug: a call is in a state that no call can be in", "err", e.Err)
		if c.world.Astray != nil {
			c.world.Astray()
		}
	case call.Finish:
	}
}

// progress is 180 for whoever calls us, or 183 with early media.
func (c *Core) progress(id call.LegID, media bool) {
	code := 180
	if media {
		code = 183
	}
	c.toParty(id, leg.Progress{Code: code, Media: media})
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
		if p.Lender.Ref != "" {
			c.giveBack(p)
			return
		}
		c.farewell(p)
		c.dropForks(id, cmd)
		c.command(p, cmd)
	}
	for _, p := range c.lentOut {
		if p.ID == id {
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
	if found, ok := c.world.Seats.Find(c.claim(e, line), c.world.Offer); ok {
		c.fact(found)
	}
}

// claim is what a call asks the register of seats for.
func (c *Core) claim(e call.FindSeats, line *desk.Hotline) Claim {
	claim := Claim{Call: c.state.Ref, Since: c.state.At, Line: line, Tried: e.Tried, Max: e.Max, Only: e.Only,
		First: e.First}
	if e.Queue {
		claim.Tell = c.world.Offer
	}
	return claim
}

// unreachable tells the call that a desk failed before anything was sent.
func (c *Core) unreachable(p *party, code int) {
	if p.Seat != "" {
		c.world.Seats.Release(c.state.Ref, p.Seat, c.now)
	}
	c.fact(call.LegFailed{Leg: p.ID, Code: code})
}

// open takes a media port for a desk.
func (c *Core) open(p *party) bool {
	addr, err := c.port(p)
	if err != nil {
		c.world.Log.Error("no media port for a desk", "network", p.Network, "err", err)
		c.unreachable(p, 503)
		return false
	}
	p.Media, p.Addr = true, addr
	c.parties = append(c.parties, p)
	return true
}

// dial calls a desk that has a port, by a leg of its own.
func (c *Core) dial(p *party, to Place, invite leg.Invite) {
	p.Transport = to.Flow.Transport
	local := c.local(p.User, p.Network, p.Transport, p.Addr, to.SRTP)
	local.Media.Insists = c.wideband() || c.callerCould() || c.between(p)
	local.Media.Codecs = c.dir.Offered(p.User, p.Network, local.Media.Insists)
	local.Others = c.waysTo(p.Trunk)
	p.leg = leg.NewOutbound(c.world.Leg, local)
	c.world.Wire.Bind(p.leg.CallID())
	invite.RequestURI, invite.Flow, invite.Target, invite.MaxForwards = to.URI, to.Flow, to.Target, c.hops
	invite.Routes = to.Path
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

// wideband says that somebody in the call talks wideband.
func (c *Core) wideband() bool {
	return slices.ContainsFunc(c.parties, func(p *party) bool { return p.Wide && !p.Gone })
}

// between says that a desk that is called will talk with another desk, beside the citizen or alone, that can talk
// wideband too.
func (c *Core) between(called *party) bool {
	return c.desksTalk() && slices.ContainsFunc(c.parties, func(p *party) bool {
		return p != called && c.couldBeWide(p)
	})
}

// desksTalk says that two desks are in the call, or will be, and hear each other.
func (c *Core) desksTalk() bool {
	switch c.state.Phase {
	case call.Conferencing, call.Consulting, call.ThreeWay:
		return true
	}
	return false
}

// couldBeWide says that a desk has a wideband codec and talks by another.
func (c *Core) couldBeWide(p *party) bool {
	return p.Can && !p.Wide && !p.Gone && p.ID != call.CallerLeg && c.dir.Seats[p.User] != nil
}

// callerCould says that the caller has offered wideband and is not answered yet: he gets what the desk takes.
func (c *Core) callerCould() bool {
	p := c.party(call.CallerLeg)
	return p != nil && p.Can && p.Stream == nil && !p.Gone
}

// answerable is the order of codecs by which the caller is answered: wideband first when a desk talks so, whatever he
// has put first, and else his own.
func (c *Core) answerable() []codec.ID {
	p := c.party(call.CallerLeg)
	if p == nil || !p.Can || !c.wideband() {
		return nil
	}
	return c.dir.Offered(p.User, p.Network, true)
}

// widen offers wideband first to the desks that could talk so, once, when another desk does: with a citizen who cannot
// they have begun in narrowband, where nothing has to be recoded.
func (c *Core) widen(talks *party) {
	if !talks.Wide || talks.ID == call.CallerLeg || !c.desksTalk() {
		return
	}
	for _, p := range c.parties {
		if p != talks && c.couldBeWide(p) && !p.Widened {
			p.Widened = true
			c.command(p, leg.Modify{Direction: sdp.SendRecv, Codecs: c.dir.Offered(p.User, p.Network, true)})
		}
	}
}

// local is our side of a leg in a network: every leg is offered the full list
// of codecs.
func (c *Core) local(user, network, transport string, media netip.AddrPort, protection sdp.Protection) leg.Local {
	l, ok := c.world.Local(network, transport)
	if !ok {
		c.world.Log.Error("no address of ours", "network", network, "transport", transport)
	}
	l.Media = sdp.Local{Addr: media, Codecs: c.dir.Offered(user, network, false), DTMF: 101,
		Ptime: 20 * time.Millisecond, Protection: protection}
	return l
}

// ringHeard is of a partner's ringing what the citizen hears at the least: else "could not be reached" comes out of
// nothing.
const ringHeard = 3 * time.Second

// mostAnnounced is for how long an announcement may play that ringing follows.
func (c *Core) mostAnnounced(e call.Ear) time.Duration {
	if !e.Loop || len(e.Play) < 2 || !c.state.Hunt.ForMatter() {
		return 0
	}
	line, ok := c.dir.Hotlines[c.state.Hunt.Hotline]
	if !ok || line.NoAnswer <= 0 {
		return 0
	}
	return max(line.NoAnswer-ringHeard, line.NoAnswer/2)
}

func (c *Core) collector() verb.Collector {
	return verb.Collector{Keys: c.world.Keys, Gap: c.dir.Timers.KeyGap}
}

// hear tells the media engine the whole of what a party hears.
func (c *Core) hear(e call.Ear) {
	from := make([]engine.LegID, len(e.From))
	for i, id := range e.From {
		from[i] = engine.LegID(id)
	}
	c.media(engine.Listen{
		Leg: engine.LegID(e.Leg), From: from,
		Play: engine.Playlist{ID: e.ID, Items: e.Play, Loop: e.Loop, Most: c.mostAnnounced(e)},
	})
}

// startRecording begins the file. Without one the call goes on, and its ref leads nowhere.
func (c *Core) startRecording(e call.StartRecording) {
	if c.world.Record == nil {
		c.world.Log.Error("a call is to be recorded and nothing records", "recording", e.Ref)
		return
	}
	what, now := record.Call{Ref: e.Ref, CallRef: c.state.Ref, Channels: c.channels(), Lines: c.waitedAt()},
		c.wall(c.now)
	c.tapeBegan = &record.Position{Call: what, Began: now}
	c.tapeBy(func() (LiveRecording, error) { return c.world.Record(what, now) })
}

// tapeBy has a recording begin, or go on.
func (c *Core) tapeBy(begin func() (LiveRecording, error)) {
	c.later(act{do: func() {
		tape, err := begin()
		if err != nil {
			c.world.Log.Error("a call is not recorded", "recording", c.state.Recording.Ref, "err", err)
			return
		}
		c.tape = tape
	}})
}

// waitedAt is the line whose recording it is while no desk of any line is in it.
func (c *Core) waitedAt() []string {
	if c.state.Desk != 0 || !c.keepsRecordings(c.state.Hotline) {
		return nil
	}
	return []string{c.state.Hotline}
}

// keepsRecordings says that a line records at all: what its desks say in a recording of another line is not its own.
func (c *Core) keepsRecordings(line string) bool {
	h, ok := c.dir.Hotlines[line]
	return ok && h.Recording.Mode != desk.RecordOff
}

// changeRecording carries out what concerns a changeRecording that has begun.
func (c *Core) changeRecording(e call.Effect) {
	if c.tapeBegan == nil {
		return
	}
	now := c.wall(c.now)
	switch e := e.(type) {
	case call.PauseRecording:
		c.onTape(func(t LiveRecording) { t.Pause(now) })
	case call.ResumeRecording:
		c.onTape(func(t LiveRecording) { t.Resume(now) })
	case call.StopRecording:
		position := c.position()
		c.tapeBegan = nil
		c.later(act{stops: position, do: func() {
			if c.tape != nil {
				c.tape.Stop(now)
				c.tape = nil
			}
		}})
	case call.NoteSupervisor:
		list := c.attending()
		c.onTape(func(t LiveRecording) { t.Attended(list, now) })
	case call.RecordLeg:
		if e.Channel == call.SupervisorChannel && len(c.tapeBegan.Call.Channels) < int(e.Channel) {
			return // it was begun without one
		}
		l, ok := c.state.Leg(e.Leg)
		c.onTape(func(t LiveRecording) {
			if ok && c.keepsRecordings(l.Hotline) {
				t.Concern(l.Hotline)
			}
			take := engine.Record{Leg: engine.LegID(e.Leg)}
			if e.Channel > 0 {
				take.Tap, take.Channel = t, int(e.Channel)-1
			}
			c.world.Media.Do(take)
		})
	}
}

// onTape does something with the recording when it is there.
func (c *Core) onTape(do func(LiveRecording)) {
	c.later(act{do: func() {
		if c.tape != nil {
			do(c.tape)
		}
	}})
}

func (c *Core) write(w call.Write) {
	e := w.Entry
	if e.EventID == "" {
		e.EventID = c.newID()
	}
	e.At = c.wall(c.now)
	e.CallAt, e.KeyAt, e.AnsweredAt = c.wall(e.CallAt), c.wall(e.KeyAt), c.wall(e.AnsweredAt)
	c.account.wrote(e)
	c.later(act{entry: &e})
}

// tell publishes a call event.
func (c *Core) tell(t call.Tell) {
	it := c.about(t)
	c.publish(it)
	c.accounts(t, it.Get("agent"))
}

// talking publishes who talks where there are more than two to tell apart. With the calls of
// two the stream would hold little else. Who has no agent is the caller.
func (c *Core) talking(e engine.Talking) {
	if c.state.Phase != call.ThreeWay {
		return
	}
	if s, ok := c.state.Supervisor(call.LegID(e.Leg)); ok && s.Act != call.Join {
		return // of whom desks are not to know
	}
	t := call.Tell{What: "talking", Leg: call.LegID(e.Leg), Note: "off"}
	if t.Leg == c.state.Second.ID {
		t.Leg = c.state.Desk // who speaks on his second line
	}
	if e.On {
		t.Note = "on"
	}
	it := c.about(t)
	it.Set("level", strconv.Itoa(-int(e.Level)))
	c.publish(it)
}

// mostTold are the fields of a call event, and more.
const mostTold = 24

// about is what a screen pop needs of a call event.
func (c *Core) about(t call.Tell) *news.Item {
	s, one := &c.state, &struct { // in one piece, as there are many
		news.Item
		room [mostTold]news.Field
	}{}
	fields := one.room[:0]
	add := func(name, value string) { fields = append(fields, news.Field{Name: name, Value: value}) }
	addIf := func(is bool, name, value string) {
		if is {
			add(name, value)
		}
	}
	l, party := s.Party(t.Leg)
	agent := t.Agent
	if agent == "" && party {
		agent = l.Agent()
	}
	addIf(party || agent != "", "agent", agent)
	add("at", "") // filled in by whoever tells it: nothing is to move then, as a copy may be told once more
	add("call_at", c.callAt())
	add("call_ref", cmp.Or(s.Peer.Ref, s.Ref))
	add("caller_e164", s.Caller.E164)
	add("caller_raw", s.Caller.Raw)
	add("caller_status", s.Caller.Status.String())
	add("detail", t.Note)
	add("dialed", s.Dialed)
	add("event", t.What)
	add("hotline", s.Hotline)
	add("lines", cmp.Or(t.Line, Lines(c.state)))
	add("phase", string(s.Phase))
	addIf(s.Callback != nil, "reason", "callback")
	addIf(s.Recording.Begun, "recording_ref", s.Recording.Ref)
	addIf(s.Peer.Ref != "", "ref", s.Ref)
	addIf(s.Peer.Stub != "", "stub_id", s.Peer.Stub)
	addIf(s.Test, "test", "1")
	one.Event, one.Caller, one.Fields = t.What, c.masked(), fields
	return &one.Item
}

// same are words that do not change while a call is on.
type same struct {
	at     time.Time // of callAt
	callAt string
	caller number.Number
	masked string
}

// callAt is when the call came, as events tell it: by the clock on the wall, which may have been set since.
func (c *Core) callAt() string {
	at := c.wall(c.state.At)
	if c.same.callAt == "" || at.Sub(c.same.at).Abs() > time.Millisecond {
		c.same.at, c.same.callAt = at, at.Format(time.RFC3339Nano)
	}
	return c.same.callAt
}

// masked is the caller for who may not see him.
func (c *Core) masked() string {
	if c.same.caller != c.state.Caller {
		c.same.caller, c.same.masked = c.state.Caller, c.state.Caller.String()
	}
	return c.same.masked
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
	if p := c.party(id); f == call.Withdrawn && p != nil && p.leg != nil && p.leg.Answered() {
		f = call.Normal // the caller has hung up: to who talked with him that is the ordinary end
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
		if p.Network != c.reasons.network {
			r.Text = ""
		}
		r.Params = nil
		fields = append(fields, header.Field{Name: "Reason", Value: r.String()})
	}
	return fields
}
