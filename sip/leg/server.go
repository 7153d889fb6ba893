package leg

import (
	"slices"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/snapshot"
	"liandong/sip/txn"
)

// server is a request of the party that we answer, or have answered.
type server struct {
	Key  txn.Key `cbor:",omitzero"`
	Flow Flow    `cbor:",omitzero"` // the way of the responses

	Invite txn.ServerInvite `cbor:",omitzero"` // of an INVITE
	Other  txn.Server       `cbor:",omitzero"` // of anything else
}

// maxServers bounds what copies are kept for: a party that sends more requests
// than this in 32 s is not served its copies.
const maxServers = 512

func (l *Leg) serve(key txn.Key, p Packet) *server {
	s := &server{Key: key, Flow: ReplyFlow(p)}
	if key.Method == gosip.INVITE {
		s.Invite.Start(l.timing(p.Flow))
	} else {
		s.Other.Start(l.timing(p.Flow))
	}
	if len(l.Servers) >= maxServers {
		for i, old := range l.Servers {
			if old.Other.State == txn.Completed {
				l.Servers = append(l.Servers[:i], l.Servers[i+1:]...)
				break
			}
		}
	}
	l.Servers = append(l.Servers, s)
	return s
}

func (l *Leg) serverOf(key txn.Key) *server {
	for _, s := range l.Servers {
		if s.Key == key {
			return s
		}
	}
	return nil
}

// respond sends a response in its transaction; nil: it is gone.
func (l *Leg) respond(now time.Time, s *server, res *gosip.Response) {
	if s == nil {
		return
	}
	var step txn.Step
	if s.Key.Method == gosip.INVITE {
		step = s.Invite.Respond(now, res)
	} else {
		step = s.Other.Respond(now, res)
	}
	if step.Send != nil {
		l.put(step.Send, step.Text, s.Flow, "")
	}
}

// respondAgain repeats a response that the transaction leaves to its user.
func (l *Leg) respondAgain(key txn.Key, res *gosip.Response) {
	if s := l.serverOf(key); s != nil {
		l.put(res, nil, s.Flow, "")
	}
}

func (l *Leg) tickServer(now time.Time, s *server) {
	if at, ok := s.deadline(); !ok || !due(at, now) {
		return
	}
	var step txn.Step
	if s.Key.Method == gosip.INVITE {
		step = s.Invite.Tick(now)
	} else {
		step = s.Other.Tick(now)
	}
	if step.Send != nil {
		l.put(step.Send, step.Text, s.Flow, "")
	}
}

func (s *server) deadline() (time.Time, bool) {
	if s.Key.Method == gosip.INVITE {
		return s.Invite.Deadline()
	}
	return s.Other.Deadline()
}

func (s *server) terminated() bool {
	if s.Key.Method == gosip.INVITE {
		return s.Invite.State == txn.Terminated
	}
	return s.Other.State == txn.Terminated
}

// received is a request that is answered later: of its headers those that an answer
// needs, and its way.
type received struct {
	Msg  snapshot.Request `cbor:",omitzero"`
	Flow Flow             `cbor:",omitzero"`
}

// answerNeeds are the headers that are copied into answers, or decide about them.
var answerNeeds = [...]string{
	"Via", "Record-Route", "From", "To", "Call-ID", "CSeq", "Timestamp", "Supported", "k", "Require", "Session-Expires",
	"x", "Min-SE",
}

func keep(p Packet) received {
	req := p.Msg.(*gosip.Request)
	short := gosip.NewRequest(req.Method, req.Recipient)
	for _, h := range req.Headers() {
		if slices.ContainsFunc(answerNeeds[:], func(name string) bool { return strings.EqualFold(name, h.Name()) }) {
			short.AppendHeader(h)
		}
	}
	header.SetBody(short, nil)
	return received{snapshot.Keep(short), p.Flow}
}

func (r received) packet() Packet { return Packet{Msg: r.Msg.Msg, Flow: r.Flow} }
