package exchange

import (
	"cmp"
	"strconv"
	"strings"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/news"
	"liandong/sip/capture"
)

// What is told of a call for who looks at its messages afterwards, besides what is told of it to everybody.
const (
	dialogTold = "dialog" // whose a Call-ID is
	hearsTold  = "hears"  // the whole of what a party hears from now on
)

// callerTold stands for the caller where a desk has its agent.
const callerTold = "caller"

// Ref is the call whose messages come here (ua.Called).
func (a *actor) Ref() string { return a.ref }

// traced is the dialog of a party as a call has told of it.
type traced struct {
	ref, callID string
	supervisor  bool
	line        string // of a supervisor
}

// usualNote are the fields of a note, and more.
const usualNote = 12

// trace tells of a call for who looks at its messages: what is told, and of a supervisor his line.
func (c *Core) trace(event string, watches bool, line string, told ...news.Field) {
	one := &struct { // in one piece, as there are many
		news.Item
		room [usualNote]news.Field
	}{}
	fields := append(one.room[:0], told...)
	if watches {
		fields = append(fields, news.Field{Name: "supervisor", Value: "1"})
	} else {
		line = Lines(c.state)
	}
	fields = append(fields, news.Field{Name: "event", Value: event}, news.Field{Name: "ref", Value: c.state.Ref},
		news.Field{Name: "call_ref", Value: cmp.Or(c.state.Peer.Ref, c.state.Ref)},
		news.Field{Name: "lines", Value: line})
	one.Event, one.Fields = event, news.Of(fields...)
	c.later(act{note: &one.Item})
}

// traceDialogs tells once whose each dialog is, and again when it is somebody else's: of a supervisor who has become a
// desk, or looks after the call for another line.
func (c *Core) traceDialogs() {
	if c.world.Trace == nil {
		return
	}
	for _, p := range c.parties {
		if p.leg == nil {
			continue
		}
		is := traced{ref: c.state.Ref, callID: p.leg.CallID()}
		is.line, is.supervisor = c.supervises(p)
		if p.traced == is {
			continue
		}
		p.traced = is
		c.trace(dialogTold, is.supervisor, is.line, news.Field{Name: "leg", Value: strconv.Itoa(int(p.ID))},
			news.Field{Name: "call_id", Value: is.callID}, news.Field{Name: "party", Value: c.partyTold(p.ID)},
			news.Field{Name: "network", Value: p.Network}, news.Field{Name: "trunk", Value: p.Trunk})
	}
}

// supervises says that a party is a supervisor's phone, and by which line he is or was here; "": it is not known.
func (c *Core) supervises(p *party) (line string, ok bool) {
	s, here := c.state.Supervisor(p.ID)
	desk := c.party(p.ForkOf)
	switch {
	case here:
		return s.Hotline, true
	case !p.Watches:
		return "", false
	case p.ForkOf != 0 && desk != nil && desk.Watches:
		return c.supervises(desk)
	case p.traced.line != "":
		return p.traced.line, true
	}
	if lines := c.dir.Supervises(p.User); len(lines) == 1 {
		line = lines[0]
	}
	return line, true
}

// partyTold names a party: the caller, or a desk's agent.
func (c *Core) partyTold(id call.LegID) string {
	if id == call.CallerLeg {
		return callerTold
	}
	if l, ok := c.state.Leg(id); ok {
		return l.Agent()
	}
	if p := c.party(id); p != nil {
		return p.Agent
	}
	return ""
}

// traceHears tells what a party hears. Supervisors stand apart, each with his line: not everybody may know of them.
func (c *Core) traceHears(e call.Ear) {
	if c.world.Trace == nil {
		return
	}
	var from, supervisors []string
	for _, id := range e.From {
		name := c.partyTold(id)
		if p := c.party(id); p != nil {
			if line, ok := c.supervises(p); ok {
				supervisors = append(supervisors, name+" "+line)
				continue
			}
		}
		from = append(from, name)
	}
	line, watches := "", false
	if p := c.party(e.Leg); p != nil {
		line, watches = c.supervises(p)
	}
	c.trace(hearsTold, watches, line, news.Field{Name: "party", Value: c.partyTold(e.Leg)},
		news.Field{Name: "from", Value: strings.Join(from, ",")},
		news.Field{Name: "play", Value: strings.Join(e.Play, ",")},
		news.Field{Name: "supervisors", Value: strings.Join(supervisors, ",")})
}

// heads gives headers of RTP to where those of a call are kept.
type heads struct{ *capture.Heads }

func (h heads) Sniff(p engine.Head) {
	h.Put(capture.RTP{At: p.At, Leg: uint32(p.Leg), Out: p.Out, Network: p.Network, Local: p.Local, Remote: p.Remote,
		Head: p.RTP, Size: p.Size})
}

// Sniff keeps the headers of a call's RTP packets from now on, or no more: nil. false: there is no such call.
func (x *Exchange) Sniff(ref string, to *capture.Heads) bool {
	a := x.actor(ref)
	order := func(c *Core) {
		if to == nil {
			c.media(engine.Sniff{})
		} else {
			c.media(engine.Sniff{To: heads{to}})
		}
		c.perform()
	}
	return a != nil && a.inbox.put(input{ask: order}, usual)
}
