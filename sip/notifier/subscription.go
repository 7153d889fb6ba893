package notifier

import (
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/txn"
)

const (
	retryPause = 5 * time.Second // after a NOTIFY that was refused for the moment
	maxRetries = 3               // in a row; then the phone is taken to be gone
)

// subscription is one phone's look at one resource. Owned by the Server.
type subscription struct {
	State
	pack Package

	place     int       // in Server.active, from 1; 0: it is not there
	due       time.Time // when it acts next, as that list has it
	number    uint64    // in which it came there: of several due at once the first
	forgotten bool      // it is in Server.users and Server.watched no more
	touched   bool      // it is in Server.touched
}

// done says that nothing is left to send.
func (sub *subscription) done() bool { return sub.Over && sub.Notice == nil }

// owe makes a subscription tell its state as soon as it may.
func (s *Server) owe(sub *subscription) {
	sub.Owed = true
	s.activate(sub)
}

func (s *Server) activate(sub *subscription) {
	s.touch(sub)
	s.plan(sub)
}

// end lets a subscription tell its state once more, and no more.
func (s *Server) end(sub *subscription, reason string) {
	if sub.Last == "" {
		sub.Last = reason
	}
	s.forget(sub)
	s.owe(sub)
}

// drop ends a subscription of which nobody wants to hear.
func (s *Server) drop(sub *subscription) {
	s.forget(sub)
	sub.Over, sub.Owed, sub.Notice = true, false, nil
	s.activate(sub)
}

// forget takes a subscription out of the books of those that go on.
func (s *Server) forget(sub *subscription) {
	if sub.forgotten {
		return
	}
	sub.forgotten = true
	s.stats.On--
	without := func(list []*subscription) []*subscription {
		return slices.DeleteFunc(list, func(o *subscription) bool { return o == sub })
	}
	if s.users[sub.User] = without(s.users[sub.User]); len(s.users[sub.User]) == 0 {
		delete(s.users, sub.User)
	}
	if s.watched[sub.What] = without(s.watched[sub.What]); len(s.watched[sub.What]) == 0 {
		delete(s.watched, sub.What)
	}
}

// may is when the next NOTIFY may go out. Each one costs a Pause, paid in
// advance for a Burst of them at most.
func (sub *subscription) may(cfg Config) time.Time {
	at := sub.Retry
	if paid := sub.Spent.Add(-time.Duration(cfg.Burst-1) * cfg.Pause); sub.Last == "" && paid.After(at) {
		at = paid
	}
	return at
}

// turn sends the state when it is owed, one NOTIFY at a time, so that none
// overtakes another.
func (s *Server) turn(now time.Time, sub *subscription) {
	if !sub.Owed || sub.Notice != nil || sub.may(s.cfg).After(now) {
		return
	}
	s.touch(sub)
	if sub.Spent.Before(now) {
		sub.Spent = now
	}
	sub.Spent = sub.Spent.Add(s.cfg.Pause)
	sub.Owed = false
	s.notify(now, sub)
}

func (sub *subscription) deadline(cfg Config) (at time.Time) {
	if sub.Notice != nil {
		at, _ = sub.Notice.Txn.Deadline()
		return at
	}
	if sub.Owed {
		return sub.may(cfg)
	}
	return time.Time{}
}

// tick lets the transaction of a NOTIFY act.
func (s *Server) tick(now time.Time, sub *subscription) {
	if sub.Notice == nil {
		return
	}
	if at, ok := sub.Notice.Txn.Deadline(); ok && due(at, now) {
		s.step(now, sub, sub.Notice.Txn.Tick(now), nil)
	}
}

// step carries out what the transaction wants; res is the response it was given.
func (s *Server) step(now time.Time, sub *subscription, step txn.Step, res *gosip.Response) {
	s.touch(sub)
	if step.Send != nil {
		s.put(step.Send, sub.Notice.Flow)
	}
	switch {
	case step.Timeout:
		s.outcome(now, sub, 408)
	case step.Deliver && !res.IsProvisional():
		s.outcome(now, sub, res.StatusCode)
	}
}

// awaits says whether a message belongs to the NOTIFY under way.
func (sub *subscription) awaits(m gosip.Message) bool {
	via, seq := m.Via(), m.CSeq()
	if sub.Notice == nil || via == nil || seq == nil || seq.MethodName != gosip.NOTIFY {
		return false
	}
	branch, _ := via.Params.Get("branch")
	return branch == sub.Notice.Branch
}

func (s *Server) answered(now time.Time, sub *subscription, res *gosip.Response) {
	if sub.awaits(res) {
		s.step(now, sub, sub.Notice.Txn.Receive(now, res), res)
	}
}

// outcome takes how a NOTIFY has ended.
func (s *Server) outcome(now time.Time, sub *subscription, code int) {
	s.touch(sub)
	last := sub.Notice.Last
	sub.Notice = nil
	switch {
	case code < 300 && !last:
		sub.Tries, sub.Retry = 0, time.Time{}
	case code >= 500 && code != 501 && code < 600 && !last && sub.Tries < maxRetries:
		// RFC 5057 §5.1: such an answer is about the NOTIFY, not the subscription.
		sub.Tries++
		sub.Retry = now.Add(retryPause)
		s.owe(sub)
	default:
		// RFC 6665 §4.2.2: who does not answer or knows of none has no subscription.
		if code == 408 {
			s.stats.Silent++
		}
		s.drop(sub)
	}
}

// move follows a phone. A NOTIFY that waits for its answer is repeated there; one
// that would not be repeated, or not there, is given up for a new one.
func (s *Server) move(now time.Time, sub *subscription, flow leg.Flow) {
	flow.Network, flow.Symmetric = sub.Flow.Network, true
	moved := flow != sub.Flow
	if moved {
		s.touch(sub)
	}
	sub.Flow = flow
	switch n := sub.Notice; {
	case n == nil || !moved:
	case flow.Transport == "udp" && n.Flow.Transport == "udp":
		n.Flow = flow
	default:
		sub.Notice = nil
		s.owe(sub)
	}
	if !sub.Retry.IsZero() { // what could not be sent is tried at once
		sub.Retry = now
		s.activate(sub)
	}
}
