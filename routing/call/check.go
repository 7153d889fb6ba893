package call

import (
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
	claims := c.ofPhase()
	if !c.Over() {
		claims = append(claims, c.ofLegs()...)
		claims = append(claims, c.ofLines()...)
		claims = append(claims, c.ofTimes()...)
		claims = append(claims, c.ofSupervisors()...)
	}
	for _, is := range claims {
		if !is.ok {
			return fmt.Errorf("%w: while %s %s", ErrIllegal, c.Phase, is.says)
		}
	}
	return nil
}

func (c *Call) up(id LegID) bool {
	l, ok := c.Leg(id)
	return ok && l.Up
}

// ofPhase is who must be there and who must not, and what the matter's stub may say.
func (c *Call) ofPhase() []claim {
	desk, partner, alone := c.up(c.Desk), c.up(c.Partner), c.Partner == 0
	rings := c.Hunt.ForMatter()
	t := c.Matter
	told := t == nil || t.Told
	mode := func(m string) bool { return t != nil && t.Mode == m }
	switch c.Phase {
	case Ringing:
		return []claim{
			{"a desk has the citizen", c.Desk == 0 && alone},
			{"no desk is sought for the citizen", c.Hunt != nil && !rings},
			{"the matter is open", told},
		}
	case Talking:
		return []claim{
			{"no desk has the citizen", desk},
			{"there is a second desk", alone},
			{"somebody is sought", c.Hunt == nil},
			{"the matter is open", told},
		}
	case HandingOver:
		return []claim{
			{"the desk is not there", desk || c.Desk == 0},
			{"the partner does not ring", rings && alone},
			{"the stub is not of an open hand-over", mode(ticket.Direct) && !told},
		}
	case Conferencing:
		return []claim{
			{"no desk has the citizen", desk},
			{"the partner does not ring", rings && alone},
			{"the stub is not of an open three-way call", mode(ticket.ThreeWay) && !told},
		}
	case Consulting:
		return []claim{
			{"no desk has the citizen", desk},
			{"the partner neither rings nor talks", rings && alone || partner && c.Hunt == nil},
			// once a three-way call it stays one, in private too
			{"the stub says three_way of what has been none", mode(ticket.Direct) && !told ||
				mode(ticket.ThreeWay) && t.Told},
		}
	case ThreeWay:
		return []claim{
			{"a desk is not there", desk && partner},
			{"somebody is sought", c.Hunt == nil},
			{"the stub does not say three_way", mode(ticket.ThreeWay) && t.Told},
		}
	case CallingBack:
		return []claim{
			{"nobody calls back", c.Callback != nil},
			{"the citizen is answered", !c.Answered && alone},
			{"the desk neither rings nor is there", desk && c.Hunt == nil || c.Desk == 0 && c.Hunt.seeksTaker()},
			{"there is no end to it", c.Hunt != nil || !c.Callback.Until.IsZero() || !c.LeaveAt.IsZero()},
		}
	case Leaving:
		return []claim{
			{"a desk has the citizen", c.Desk == 0 && alone},
			{"somebody is sought", c.Hunt == nil},
			{"there is no end to it", !c.LeaveAt.IsZero()},
			{"the matter is open", told},
		}
	case Ended:
		return []claim{
			{"a party is left", len(c.Legs) == 0 && c.Desk == 0 && alone && c.Second.ID == 0 && c.Focus.ID == 0},
			{"a supervisor is left", len(c.Supervisors) == 0},
			{"somebody is sought", c.Hunt == nil},
			{"the matter is not settled", told && (t == nil || t.Decided)},
		}
	}
	return []claim{{"there is no such phase", false}}
}

// ofLegs: each party has its part.
func (c *Call) ofLegs() []claim {
	_, caller := c.Leg(CallerLeg)
	claims := []claim{{"the citizen is not there", caller || c.Phase == CallingBack}}
	seen := map[LegID]bool{}
	for _, l := range c.Legs {
		claims = append(claims, claim{fmt.Sprintf("leg %d is there twice", l.ID), !seen[l.ID]})
		seen[l.ID] = true
		if l.ID == CallerLeg {
			claims = append(claims, claim{"the citizen is answered and not up", l.Up == c.Answered})
			continue
		}
		part := l.ID == c.Desk || l.ID == c.Partner
		claims = append(claims,
			claim{fmt.Sprintf("leg %d is up and has no part", l.ID), !l.Up || part},
			claim{fmt.Sprintf("leg %d rings for nobody", l.ID), l.Up || c.Hunt != nil && !part},
		)
	}
	return claims
}

// ofLines: the other dialogs of the taker's phone.
func (c *Call) ofLines() []claim {
	s, f := c.Second, c.Focus
	return []claim{
		{"a second line has nobody whose it is", s.ID == 0 || c.up(c.Desk) && s.ID != c.Desk},
		{"a second line is not as the partner is", s.ID == 0 || s.Up == (c.Partner != 0) && !(s.Up && s.Early)},
		{"what is said of a second line is of none", s.ID != 0 || s == Second{}},
		{"a conference has nobody whose it is", f.ID == 0 || c.up(c.Desk) && f.Desk == c.Desk},
		{"a conference is a line that talks already", f.ID == 0 || f.ID != c.Desk && f.ID != s.ID},
	}
}

func (l Leg) watchedInVain() bool { return l.Vigil != Vigil{} && !(l.Silent && l.Up) }

// ofTimes: nothing waits for ever, and no clock runs for what is over.
func (c *Call) ofTimes() []claim {
	h := c.Hunt
	return []claim{
		{"a search has nothing that drives it on", h == nil || !h.SeatAt.IsZero() || !h.RetryAt.IsZero()},
		{"a partner settles that is none", c.SettleUntil.IsZero() || c.Phase == Talking},
		{"a phone that is about to mix its lines has not two", c.Second.MixAt.IsZero() ||
			c.Second.Up && c.Phase == Consulting},
		{"the length of a three-way call runs", c.JoinedAt.IsZero() || c.Phase == ThreeWay},
		{"who is not silent is watched", !slices.ContainsFunc(c.Legs, Leg.watchedInVain)},
		{"what is recorded has not begun", !c.Recording.On || c.Recording.Begun && c.Answered},
	}
}
