package exchange

import (
	"strconv"
	"strings"

	"liandong/routing/call"
	"liandong/routing/verb"
	"liandong/sip/leg"
)

// focusPrefix begins the names of conferences.
const focusPrefix = "conf-"

// becomesFocus: the phone has called the conference URI, the factory of RFC 4579
// §5.4: its dialog is one with a focus of its own, which REFERs may name.
func (c *Core) becomesFocus(p *party) {
	p.Focus = focusPrefix + strconv.FormatUint(c.world.Leg.Rand(), 36) + strconv.FormatUint(c.world.Leg.Rand(), 36)
	c.command(p, leg.Conference{Name: p.Focus})
}

// focusNamed is the dialog to the conference that a number names: by its own name,
// or by the factory's while there is one.
func (c *Core) focusNamed(number string) *party {
	for _, p := range c.parties {
		if p.Focus != "" && !p.Gone && (p.Focus == number || c.dir.Services[number] == string(verb.Conference)) {
			return p
		}
	}
	return nil
}

// confers takes a REFER that is about a conference, and says false when it is not.
func (c *Core) confers(p *party, e leg.Referred) bool {
	if p.User == "" || p.Gone {
		return false
	}
	focus, number := c.focusNamed(e.To.Number()), e.To.Number()
	switch {
	// RFC 4579 §5.5: whom it talks with is to come to the conference
	case focus != nil && focus != p && e.To.Replaces == nil:
		c.fact(call.BroughtIn{Leg: p.ID, Focus: focus.ID, On: p.ID, Refer: e.ID})
	case strings.HasPrefix(number, focusPrefix) && focus == nil:
		c.command(p, leg.Report{ID: e.ID, Code: 404})
	case p.Focus != "": // RFC 4579 §5.6: the conference is to call somebody
		return c.callsIn(p, e)
	default:
		return false
	}
	return true
}

// callsIn takes a REFER in a conference's dialog: a party of this call by the dialog
// that Replaces names, or by its number, goes on in the conference.
func (c *Core) callsIn(p *party, e leg.Referred) bool {
	in := call.BroughtIn{Focus: p.ID, On: p.ID, Refer: e.ID}
	if r := e.To.Replaces; r != nil {
		other := c.named(*r)
		if other == nil || other.User != p.User {
			return false
		}
		in.Leg = other.ID
	} else {
		switch c.partyNamed(e.To.Number()) {
		case call.CallerLeg:
			in.Leg = c.state.Desk
		case c.state.Partner:
			in.Leg = c.state.Second.ID
		}
	}
	if in.Leg == 0 || in.Leg == p.ID {
		return false
	}
	c.fact(in)
	return true
}

// partyNamed is the party of this call that a number stands for, 0: none.
func (c *Core) partyNamed(number string) call.LegID {
	if id := c.state.Caller; number != "" && (number == id.Raw || number == id.E164) {
		return call.CallerLeg
	}
	line, isLine := c.dir.LineByNumber(number)
	for _, l := range c.state.Legs {
		if l.ID != call.CallerLeg && (l.Seat == number || isLine && l.Hotline == line.ID) {
			return l.ID
		}
	}
	return 0
}

// drops takes a REFER that puts a party out (RFC 4579 §5.11).
func (c *Core) drops(p *party, e leg.Referred) {
	c.fact(call.DropAsked{Leg: p.ID, Party: c.partyNamed(e.To.Number()), Refer: e.ID})
}

// succeed lets a seat go on in another dialog of its phone.
func (c *Core) succeed(e call.Succeed) {
	if old, by := c.party(e.Leg), c.party(e.By); old != nil && by != nil {
		by.Seat, old.Seat = old.Seat, ""
	}
}
