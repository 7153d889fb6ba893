package call

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"liandong/routing/ticket"
)

// ErrIllegal is what all errors of [Call.Check] are: the state is one that no call can be in.
var ErrIllegal = errors.New("call: illegal state")

// A claim is something that must hold of a call.
type claim struct {
	says string
	ok   bool
}

// Check says which combination of the state is illegal, nil: none is. It holds after every [Step].
func (c *Call) Check() error {
	if c.Phase == "" {
		return nil
	}
	says := c.ofPhase()
	if !c.Over() {
		says = cmp.Or(says, c.ofLegs(), c.ofLines(), c.ofTimes(), c.ofSupervisors())
	}
	if says != "" {
		return fmt.Errorf("%w: while %s %s", ErrIllegal, c.Phase, says)
	}
	return nil
}

// broken is the text of the first claim that does not hold; "": all hold. It runs after every step, and allocates
// nothing.
func broken(claims ...claim) string {
	for _, is := range claims {
		if !is.ok {
			return is.says
		}
	}
	return ""
}

func (c *Call) up(id LegID) bool {
	l, ok := c.Leg(id)
	return ok && l.Up
}

// ofPhase is who must be there and who must not, and what the matter's stub may say.
func (c *Call) ofPhase() string {
	desk, partner, alone := c.up(c.Desk), c.up(c.Partner), c.Partner == 0
	rings := c.Hunt.ForMatter()
	t := c.Matter
	told := t == nil || t.Told
	mode := func(m string) bool { return t != nil && t.Mode == m }
	switch c.Phase {
	case Ringing:
		return broken(
			claim{"a desk has the citizen", c.Desk == 0 && alone},
			claim{"no desk is sought for the citizen", c.Hunt != nil && !rings},
			claim{"the matter is open", told},
		)
	case Talking:
		return broken(
			claim{"no desk has the citizen", desk},
			claim{"there is a second desk", alone},
			claim{"somebody is sought", c.Hunt == nil},
			claim{"the matter is open", told},
		)
	case HandingOver:
		return broken(
			claim{"the desk is not there", desk || c.Desk == 0},
			claim{"the partner does not ring", rings && alone},
			claim{"the stub is not of an open hand-over", mode(ticket.Direct) && !told},
		)
	case Conferencing:
		return broken(
			claim{"no desk has the citizen", desk},
			claim{"the partner does not ring", rings && alone},
			claim{"the stub is not of an open three-way call", mode(ticket.ThreeWay) && !told},
		)
	case Consulting:
		return broken(
			claim{"no desk has the citizen", desk},
			claim{"the partner neither rings nor talks", rings && alone || partner && c.Hunt == nil},
			// once a three-way call it stays one, in private too
			claim{"the stub says three_way of what has been none", mode(ticket.Direct) && !told ||
				mode(ticket.ThreeWay) && t.Told},
		)
	case ThreeWay:
		return broken(
			claim{"a desk is not there", desk && partner},
			claim{"somebody is sought", c.Hunt == nil},
			claim{"the stub does not say three_way", mode(ticket.ThreeWay) && t.Told},
		)
	case CallingBack:
		return broken(
			claim{"nobody calls back", c.Callback != nil},
			claim{"the citizen is answered", !c.Answered && alone},
			claim{"the desk neither rings nor is there", desk && c.Hunt == nil || c.Desk == 0 && c.Hunt.seeksTaker()},
			claim{"there is no end to it", c.Hunt != nil || !c.Callback.Until.IsZero() || !c.LeaveAt.IsZero()},
		)
	case Leaving:
		return broken(
			claim{"a desk has the citizen", c.Desk == 0 && alone},
			claim{"somebody is sought", c.Hunt == nil},
			claim{"there is no end to it", !c.LeaveAt.IsZero()},
			claim{"the matter is open", told},
		)
	case Ended:
		return broken(
			claim{"a party is left", len(c.Legs) == 0 && c.Desk == 0 && alone && c.Second.ID == 0 && c.Focus.ID == 0},
			claim{"a supervisor is left", len(c.Supervisors) == 0},
			claim{"somebody is sought", c.Hunt == nil},
			claim{"the matter is not settled", told && (t == nil || t.Decided)},
		)
	}
	return "there is no such phase"
}

// ofLegs: each party has its part.
func (c *Call) ofLegs() string {
	if _, caller := c.Leg(CallerLeg); !caller && c.Phase != CallingBack {
		return "the citizen is not there"
	}
	for i, l := range c.Legs {
		part := l.ID == c.Desk || l.ID == c.Partner
		switch {
		case slices.ContainsFunc(c.Legs[:i], func(o Leg) bool { return o.ID == l.ID }):
			return fmt.Sprintf("leg %d is there twice", l.ID)
		case l.ID == CallerLeg && l.Up != c.Answered:
			return "the citizen is answered and not up"
		case l.ID == CallerLeg:
		case l.Up && !part:
			return fmt.Sprintf("leg %d is up and has no part", l.ID)
		case !l.Up && (c.Hunt == nil || part):
			return fmt.Sprintf("leg %d rings for nobody", l.ID)
		}
	}
	return ""
}

// ofLines: the other dialogs of the taker's phone.
func (c *Call) ofLines() string {
	s, f := c.Second, c.Focus
	return broken(
		claim{"a second line has nobody whose it is", s.ID == 0 || c.up(c.Desk) && s.ID != c.Desk},
		claim{"a second line is not as the partner is", s.ID == 0 || s.Up == (c.Partner != 0) && !(s.Up && s.Early)},
		claim{"what is said of a second line is of none", s.ID != 0 || s == Second{}},
		claim{"a conference has nobody whose it is", f.ID == 0 || c.up(c.Desk) && f.Desk == c.Desk},
		claim{"a conference is a line that talks already", f.ID == 0 || f.ID != c.Desk && f.ID != s.ID},
	)
}

func (l Leg) watchedInVain() bool { return l.Vigil != Vigil{} && !(l.Silent && l.Up) }

// ofTimes: nothing waits for ever, and no clock runs for what is over.
func (c *Call) ofTimes() string {
	h := c.Hunt
	return broken(
		claim{"a search has nothing that drives it on", h == nil || !h.SeatAt.IsZero() || !h.RetryAt.IsZero()},
		claim{"a partner settles that is none", c.SettleUntil.IsZero() || c.Phase == Talking},
		claim{"a phone that is about to mix its lines has not two", c.Second.MixAt.IsZero() ||
			c.Second.Up && c.Phase == Consulting},
		claim{"the length of a three-way call runs", c.JoinedAt.IsZero() || c.Phase == ThreeWay},
		claim{"who is not silent is watched", !slices.ContainsFunc(c.Legs, Leg.watchedInVain)},
		claim{"what is recorded has not begun", !c.Recording.On || c.Recording.Begun && c.Answered},
	)
}
