package leg

import (
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/txn"
)

// server is a request of the party that we answer, or have answered.
type server struct {
	key  txn.Key
	flow Flow // the way of the responses

	invite txn.ServerInvite // of an INVITE
	other  txn.Server       // of anything else
}

// maxServers bounds what copies are kept for: a party that sends more requests
// than this in 32 s is not served its copies.
const maxServers = 512

func (l *Leg) serve(key txn.Key, p Packet) *server {
	s := &server{key: key, flow: ReplyFlow(p)}
	if key.Method == gosip.INVITE {
		s.invite.Start(l.timing(p.Flow))
	} else {
		s.other.Start(l.timing(p.Flow))
	}
	if len(l.servers) >= maxServers {
		for i, old := range l.servers {
			if old.key.Method != gosip.INVITE {
				l.servers = append(l.servers[:i], l.servers[i+1:]...)
				break
			}
		}
	}
	l.servers = append(l.servers, s)
	return s
}

func (l *Leg) serverOf(key txn.Key) *server {
	for _, s := range l.servers {
		if s.key == key {
			return s
		}
	}
	return nil
}

// respond sends a response in its transaction.
func (l *Leg) respond(now time.Time, s *server, res *gosip.Response) {
	res.SetTransport(transportName(s.flow))
	var step txn.Step
	if s.key.Method == gosip.INVITE {
		step = s.invite.Respond(now, res)
	} else {
		step = s.other.Respond(now, res)
	}
	if step.Send != nil {
		l.put(step.Send, s.flow, "")
	}
}

func (l *Leg) tickServer(now time.Time, s *server) {
	if at, ok := s.deadline(); !ok || !due(at, now) {
		return
	}
	var step txn.Step
	if s.key.Method == gosip.INVITE {
		step = s.invite.Tick(now)
	} else {
		step = s.other.Tick(now)
	}
	if step.Send != nil {
		l.put(step.Send, s.flow, "")
	}
}

func (s *server) deadline() (time.Time, bool) {
	if s.key.Method == gosip.INVITE {
		return s.invite.Deadline()
	}
	return s.other.Deadline()
}

func (s *server) terminated() bool {
	if s.key.Method == gosip.INVITE {
		return s.invite.State() == txn.Terminated
	}
	return s.other.State() == txn.Terminated
}
