package demo

import (
	"context"
	"fmt"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/ticket"
)

// number is the citizen's, as the trunk asserts it.
const number = "13812345678"

// one is a case: what is said of it, how the partner's phone behaves, and how
// it goes.
type one struct {
	name    string
	title   [2]string // in Chinese and English
	partner phone.Policy
	play    func(*scene)
}

var cases = []one{
	{"a", [2]string{"一键转接：110 坐席按 *1，12345 接听",
		"hand-over: the 110 desk presses *1, 12345 answers"}, phone.AnswerAfter(3 * time.Second), (*scene).handedOver},
	{"b", [2]string{"对方忙：市民回到原坐席",
		"hand-over to a busy line: the caller is back with the taker"}, phone.Busy(), (*scene).refused},
	{"c", [2]string{"三方通话：110 坐席按 *3，12345 受理，110 退出",
		"three-way: the 110 desk presses *3, 12345 accepts, 110 leaves"}, phone.AnswerAfter(time.Second),
		(*scene).threeWay},
	{"d", [2]string{"12345 振铃时市民挂机",
		"the caller hangs up while 12345 rings"}, phone.NeverAnswer(), (*scene).abandoned},
}

// begin: the citizen calls 110, and the desk answers.
func (s *scene) begin() {
	var err error
	s.caller, err = s.phones[caller].Call("sip:110@"+s.server.String(),
		phone.CallOptions{From: number, PAI: []string{"tel:+86" + number}})
	s.must("the citizen calls 110", err)
	s.taker = s.next(police)
	s.must("the 110 desk talks with the citizen", s.confirmed(s.caller, s.taker))
	s.hears(s.caller, caller, police)
	s.hears(s.taker, police, caller)
}

// press lets a desk press a key; the key's time is when its last digit begins.
func (s *scene) press(c *phone.Call, code string) {
	send := func(keys string) error {
		return within(s.ctx, func(ctx context.Context) error { return c.SendDTMF(ctx, keys, phone.RFC4733) })
	}
	s.must("the desk presses "+code[:1], send(code[:1]))
	s.key = time.Now()
	s.must("the desk presses "+code[1:], send(code[1:]))
}

// rung: the partner's phone rings, and shows the citizen's own number.
func (s *scene) rung() {
	s.partner = s.next(gov)
	invite := s.partner.Messages()[0].At
	s.time("key → partner rings", s.key, invite)
	id := s.partner.Caller()
	s.check(id.From == "+86"+number && len(id.PAI) == 1 && id.PAI[0] == "+86"+number,
		"the 12345 phone shows the citizen's number in From and in P-Asserted-Identity", "it shows %q, asserted %q",
		id.From, id.PAI)
}

func (s *scene) handedOver() {
	s.begin()
	s.press(s.taker, "*1")
	s.rung()
	s.hearsClip(s.caller, "transfer", "the citizen hears the announcement while 12345 rings")
	s.must("12345 answers", s.confirmed(s.partner))
	s.must("the 110 desk is released", s.ended(s.taker))
	s.hears(s.caller, caller, gov)
	s.time("key → caller hears partner (who took 3 s to answer)", s.key, s.firstHeard(s.caller, gov))
	s.hears(s.partner, gov, caller)
	s.unbroken(s.caller, "the citizen")
	s.must("the citizen hangs up", within(s.ctx, s.caller.Hangup))
	s.must("12345 is released", s.ended(s.partner))
	s.entries(ticket.Opened, ticket.Answered)
	s.field("result", "answered")
	s.field("to_agent", "2101")
}

func (s *scene) refused() {
	s.begin()
	s.press(s.taker, "*1")
	s.rung()
	s.must("12345 is busy", s.ended(s.partner))
	s.hears(s.caller, caller, police)
	s.hears(s.taker, police, caller)
	s.unbroken(s.caller, "the citizen")
	s.must("the 110 desk hangs up", within(s.ctx, s.taker.Hangup))
	s.must("the citizen is released", s.ended(s.caller))
	s.entries(ticket.Opened, ticket.Failed)
	s.field("result", "busy")
}

func (s *scene) threeWay() {
	s.begin()
	s.press(s.taker, "*3")
	s.rung()
	s.must("12345 answers", s.confirmed(s.partner))
	s.hears(s.caller, caller, police, gov)
	s.time("key → caller hears partner (who took 1 s to answer)", s.key, s.firstHeard(s.caller, gov))
	s.hears(s.taker, police, caller, gov)
	s.hears(s.partner, gov, caller, police)
	key := s.key
	s.press(s.partner, "*5")
	s.key = key
	s.entries(ticket.Opened, ticket.Answered, ticket.Decided)
	s.field("mode", "three_way")
	s.field("decided_owner", "12345")
	s.field("decision_basis", "agreed")
	s.must("the 110 desk leaves", within(s.ctx, s.taker.Hangup))
	s.hears(s.caller, caller, gov)
	s.hears(s.partner, gov, caller)
	s.unbroken(s.caller, "the citizen")
	s.unbroken(s.partner, "the 12345 desk")
	s.must("the citizen hangs up", within(s.ctx, s.caller.Hangup))
	s.must("12345 is released", s.ended(s.partner))
}

func (s *scene) abandoned() {
	s.begin()
	s.press(s.taker, "*1")
	s.rung()
	s.hearsClip(s.caller, "transfer", "the citizen hears the announcement while 12345 rings")
	s.must("the citizen hangs up", within(s.ctx, s.caller.Hangup))
	s.must("12345 stops ringing", s.ended(s.partner))
	s.check(s.partner.Ending().Code == 487, "12345's phone was called off", "it ended with %+v", s.partner.Ending())
	s.must("the 110 desk is released", s.ended(s.taker))
	s.entries(ticket.Opened, ticket.Abandoned)
	s.field("result", "abandoned")
}

func (s *scene) confirmed(calls ...*phone.Call) error { return s.reach(phone.Confirmed, calls) }

func (s *scene) ended(calls ...*phone.Call) error { return s.reach(phone.Ended, calls) }

func (s *scene) reach(state phone.State, calls []*phone.Call) error {
	for _, c := range calls {
		err := within(s.ctx, func(ctx context.Context) error { return c.WaitState(ctx, state) })
		if err != nil {
			return fmt.Errorf("not %s: %w", state, err)
		}
	}
	return nil
}
