package notifier

import (
	"slices"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/txn"
)

const (
	retryPause = 5 * time.Second // after a NOTIFY that was refused for the moment
	maxRetries = 3               // in a row; then the phone is taken to be gone
)

// subscription is one phone's look at one resource. Owned by the Server.
type subscription struct {
	user   string
	what   resource
	event  string // as NOTIFYs name it: with the id, if the phone has given one
	pack   Package
	to     header.URI
	local  leg.Local
	dialog dialog.Dialog
	flow   leg.Flow
	until  time.Time

	key   txn.Key         // of the last SUBSCRIBE
	reply *gosip.Response // to it, for its copies

	active    bool      // it is in Server.active
	forgotten bool      // it is in Server.users and Server.watched no more
	owed      bool      // the state is to be told
	last      string    // why the next NOTIFY is the last; "": it is not
	spent     time.Time // NOTIFYs are paid for up to here (see may)
	retry     time.Time // none before
	tries     int       // refused for the moment, in a row
	notice    *notice   // the NOTIFY under way
	over      bool      // nobody is to be told any more
}

// notice is a NOTIFY that waits for its answer.
type notice struct {
	txn    txn.Client
	branch string
	flow   leg.Flow
	last   bool
}

// done says that nothing is left to send.
func (sub *subscription) done() bool { return sub.over && sub.notice == nil }

// owe makes a subscription tell its state as soon as it may.
func (s *Server) owe(sub *subscription) {
	sub.owed = true
	s.activate(sub)
}

func (s *Server) activate(sub *subscription) {
	if !sub.active {
		sub.active = true
		s.active = append(s.active, sub)
	}
}

// end lets a subscription tell its state once more, and no more.
func (s *Server) end(sub *subscription, reason string) {
	if sub.last == "" {
		sub.last = reason
	}
	s.forget(sub)
	s.owe(sub)
}

// drop ends a subscription of which nobody wants to hear.
func (s *Server) drop(sub *subscription) {
	s.forget(sub)
	sub.over, sub.owed, sub.notice = true, false, nil
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
	if s.users[sub.user] = without(s.users[sub.user]); len(s.users[sub.user]) == 0 {
		delete(s.users, sub.user)
	}
	if s.watched[sub.what] = without(s.watched[sub.what]); len(s.watched[sub.what]) == 0 {
		delete(s.watched, sub.what)
	}
}

// may is when the next NOTIFY may go out. Each one costs a Pause, paid in
// advance for a Burst of them at most.
func (sub *subscription) may(cfg Config) time.Time {
	at := sub.retry
	if paid := sub.spent.Add(-time.Duration(cfg.Burst-1) * cfg.Pause); sub.last == "" && paid.After(at) {
		at = paid
	}
	return at
}

// turn sends the state when it is owed, one NOTIFY at a time, so that none
// overtakes another.
func (s *Server) turn(now time.Time, sub *subscription) {
	if !sub.owed || sub.notice != nil || sub.may(s.cfg).After(now) {
		return
	}
	if sub.spent.Before(now) {
		sub.spent = now
	}
	sub.spent = sub.spent.Add(s.cfg.Pause)
	sub.owed = false
	s.notify(now, sub)
}

func (sub *subscription) deadline(cfg Config) (at time.Time) {
	if sub.notice != nil {
		at, _ = sub.notice.txn.Deadline()
		return at
	}
	if sub.owed {
		return sub.may(cfg)
	}
	return time.Time{}
}

// tick lets the transaction of a NOTIFY act.
func (s *Server) tick(now time.Time, sub *subscription) {
	if sub.notice == nil {
		return
	}
	if at, ok := sub.notice.txn.Deadline(); ok && due(at, now) {
		s.step(now, sub, sub.notice.txn.Tick(now), nil)
	}
}

// step carries out what the transaction wants; res is the response it was given.
func (s *Server) step(now time.Time, sub *subscription, step txn.Step, res *gosip.Response) {
	if step.Send != nil {
		s.put(step.Send, sub.notice.flow)
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
	if sub.notice == nil || via == nil || seq == nil || seq.MethodName != gosip.NOTIFY {
		return false
	}
	branch, _ := via.Params.Get("branch")
	return branch == sub.notice.branch
}

func (s *Server) answered(now time.Time, sub *subscription, res *gosip.Response) {
	if sub.awaits(res) {
		s.step(now, sub, sub.notice.txn.Receive(now, res), res)
	}
}

// outcome takes how a NOTIFY has ended.
func (s *Server) outcome(now time.Time, sub *subscription, code int) {
	last := sub.notice.last
	sub.notice = nil
	switch {
	case code < 300 && !last:
		sub.tries, sub.retry = 0, time.Time{}
	case code >= 500 && code != 501 && code < 600 && !last && sub.tries < maxRetries:
		// RFC 5057 §5.1: such an answer is about the NOTIFY, not the subscription.
		sub.tries++
		sub.retry = now.Add(retryPause)
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
	flow.Network, flow.Symmetric = sub.flow.Network, true
	moved := flow != sub.flow
	sub.flow = flow
	switch n := sub.notice; {
	case n == nil || !moved:
	case flow.Transport == "udp" && n.flow.Transport == "udp":
		n.flow = flow
	default:
		sub.notice = nil
		s.owe(sub)
	}
	if !sub.retry.IsZero() { // what could not be sent is tried at once
		sub.retry = now
		s.activate(sub)
	}
}
