package call

import (
	"liandong/routing/ticket"
	"liandong/routing/verb"
)

// The table of keys: what a desk's verb does, by what the call is about when it comes. It is all there is: a key that
// has no row cannot be done then, and the desk hears so. Accept, other accepts, urgent, category and record
// change nothing of who talks to whom and are taken in any moment (see [machine.act]).
//
// testdata/README.md has it in print.
//
// The stub's mode follows from the row too: a stub says three_way when a three-way call is asked for, or has been one.

// moment is what the call is about when a desk presses a key.
type moment string

// The moments. In each of them a desk has the citizen, or the partner is rung for his desk.
const (
	withCitizen   moment = "taker and citizen talk"
	partnerRings  moment = "the partner line is rung"
	inPrivate     moment = "the two desks talk, the citizen hears music"
	withPartner   moment = "citizen and both desks talk"
	withColleague moment = "citizen, taker and a colleague of the same line talk"
)

// role is who presses.
type role string

const (
	byTaker  role = "taker"
	bySecond role = "second desk"
	byEither role = "either desk"
)

// rule is one row of the table.
type rule struct {
	while moment
	by    role
	verb  verb.Name
	does  func(*machine, press, rule) outcome
	then  Phase  // "": the phase stays
	mode  string // of the matter from now on, "": it stays
	says  string
}

var table = []rule{
	{withCitizen, byTaker, verb.Handover, (*machine).ringPartner, HandingOver, ticket.Direct,
		"The partner line rings. The citizen is asked to wait and hears ringing; who answers has the citizen, the taker is released."},
	{withCitizen, byTaker, verb.Consult, (*machine).ringPartner, Consulting, ticket.Direct,
		"The partner line rings, for the taker alone. The citizen hears music."},
	{withCitizen, byTaker, verb.Conference, (*machine).ringPartner, Conferencing, ticket.ThreeWay,
		"The partner line rings while taker and citizen talk on. Who answers is the third."},

	{partnerRings, byTaker, verb.Handover, (*machine).change, HandingOver, ticket.Direct,
		"It rings on, and is a hand-over now."},
	{partnerRings, byTaker, verb.Consult, (*machine).change, Consulting, ticket.Direct,
		"It rings on, for the taker alone now."},
	{partnerRings, byTaker, verb.Conference, (*machine).change, Conferencing, ticket.ThreeWay,
		"It rings on, and is to be a three-way call now."},
	{partnerRings, byTaker, verb.TakeBack, (*machine).takeBack, Talking, "",
		"Nobody rings any more. Taker and citizen are together."},

	{inPrivate, byTaker, verb.Handover, (*machine).leave, Talking, "",
		"The partner has the citizen, the taker is released."},
	{inPrivate, byEither, verb.Consult, (*machine).soAlready, "", "",
		"It is so already."},
	{inPrivate, byEither, verb.Conference, (*machine).makeThreeWay, ThreeWay, ticket.ThreeWay,
		"All three talk."},
	{inPrivate, byTaker, verb.TakeBack, (*machine).takeBack, Talking, "",
		"Taker and citizen are together, the partner is let go."},

	{withPartner, byEither, verb.Handover, (*machine).leave, Talking, "",
		"Who presses is released, the other desk has the citizen."},
	{withPartner, byEither, verb.Consult, (*machine).change, Consulting, "",
		"The desks talk in private. The citizen hears music."},
	{withPartner, byEither, verb.Conference, (*machine).soAlready, "", "",
		"It is so already, and there is no fourth."},
	{withPartner, byTaker, verb.TakeBack, (*machine).takeBack, Talking, "",
		"Taker and citizen are together, the partner is let go."},

	{withColleague, byTaker, verb.Handover, (*machine).ringPartner, HandingOver, ticket.Direct,
		"The colleague is let go and the partner line rings. To the colleague's own number: he has the citizen."},
	{withColleague, byTaker, verb.Conference, (*machine).ringPartner, Conferencing, ticket.ThreeWay,
		"The colleague is let go and the partner line rings, while taker and citizen talk on."},
	{withColleague, byTaker, verb.Consult, (*machine).confide, Consulting, ticket.Direct,
		"Taker and colleague talk in private. To another line's number: the colleague is let go and that line rings."},
	{withColleague, byTaker, verb.TakeBack, (*machine).takeBack, Talking, "",
		"The colleague is let go."},
	{withColleague, bySecond, verb.Handover, (*machine).leave, Talking, "",
		"The colleague leaves."},
	{withColleague, bySecond, verb.Consult, (*machine).change, Consulting, "",
		"The desks talk in private. The citizen hears music."},
}

// moment is which of the table's moments this is; false: no key has a meaning.
func (c *Call) moment() (moment, bool) {
	switch {
	case c.Hunt.ForMatter():
		return partnerRings, true
	case c.Phase == Talking:
		return withCitizen, true
	case c.Phase == Consulting:
		return inPrivate, true
	case c.Phase == ThreeWay && c.Matter.inside():
		return withColleague, true
	case c.Phase == ThreeWay:
		return withPartner, true
	}
	return "", false
}

// ruleFor finds the row of a key press.
func (m *machine) ruleFor(p press) (rule, bool) {
	now, ok := m.moment()
	by := bySecond
	if p.who.ID == m.Desk {
		by = byTaker
	}
	for _, r := range table {
		if ok && r.while == now && r.verb == p.Verb.Name && (r.by == byEither || r.by == by) {
			return r, true
		}
	}
	return rule{}, false
}
