package notifier

import (
	"mime"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
	"liandong/sip/txn"
)

// begin takes the first SUBSCRIBE of a subscription; false: it is refused.
func (s *Server) begin(now time.Time, user string, key txn.Key, p leg.Packet, req *gosip.Request) bool {
	s.begun++
	sub := &subscription{State: State{Begun: s.begun, User: user, Flow: p.Flow, Key: key}}
	sub.Flow.Symmetric = true
	life, ok := s.admit(sub, p, req)
	if !ok {
		return false
	}
	sub.Dialog = dialog.Answering(req, s.word())
	if sub.Local, ok = s.cfg.Local(p.Flow.Network, p.Flow.Transport); !ok {
		return s.refuse(p, 503)
	}
	s.makeRoom(user)
	s.subs[p.CallID()] = sub
	s.held[user]++
	s.list(sub)
	sub.asks(req)
	s.accept(now, sub, p, life)
	return true
}

// admit checks what a SUBSCRIBE asks for, and answers it when it will not do.
func (s *Server) admit(sub *subscription, p leg.Packet, req *gosip.Request) (life time.Duration, ok bool) {
	name, id := eventOf(req)
	pack, known := s.cfg.Packages[name]
	if !known {
		// RFC 6665 §4.2.1.1: "the notifier MUST return a 489 (Bad Event) response"
		return 0, s.refuse(p, 489, header.Field{Name: "Allow-Events", Value: s.Events()})
	}
	if tags := header.First(req, "Require"); tags != nil {
		return 0, s.refuse(p, 420, header.Field{Name: "Unsupported", Value: tags.Value()})
	}
	if !accepts(req, pack.Type()) {
		return 0, s.refuse(p, 406)
	}
	if req.Contact() == nil {
		return 0, s.refuse(p, 400)
	}
	if life, ok = s.lifetime(p, req); !ok {
		return 0, false
	}
	to, err := header.ParseURI(header.URIText(&req.Recipient))
	if err != nil {
		return 0, s.refuse(p, 400)
	}
	found, code := pack.Find(sub.User, to)
	switch {
	case code >= 300:
		return 0, s.refuse(p, code)
	case len(s.subs) >= s.cfg.Total, s.held[sub.User] >= 2*s.cfg.PerUser:
		return 0, s.refuse(p, 503, header.Field{Name: "Retry-After", Value: "60"})
	}
	sub.What, sub.Event, sub.pack, sub.To = resource{name, found}, name, pack, to
	if id != "" {
		sub.Event += ";id=" + id
	}
	return life, true
}

// lifetime is how long a subscription may last; 0: the state is told once (RFC
// 6665 §4.4.3). It is never longer than asked for (§4.2.1.1).
func (s *Server) lifetime(p leg.Packet, req *gosip.Request) (time.Duration, bool) {
	life := s.cfg.MaxExpires
	if h := header.First(req, "Expires"); h != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
		if err != nil {
			return 0, s.refuse(p, 400)
		}
		life = min(life, time.Duration(n)*time.Second)
	}
	if life > 0 && life < s.cfg.MinExpires {
		return 0, s.refuse(p, 423, header.Field{Name: "Min-Expires", Value: seconds(s.cfg.MinExpires)})
	}
	return life, true
}

// makeRoom lets the oldest subscription of a user go who has too many: a phone
// that was started anew has left its former ones behind.
func (s *Server) makeRoom(user string) {
	for len(s.users[user]) >= s.cfg.PerUser {
		s.end(s.users[user][0], "rejected")
	}
}

// accept answers a SUBSCRIBE. RFC 6665 §4.2.1.2: it is followed by a NOTIFY at
// once, the last one if nothing more is wanted.
func (s *Server) accept(now time.Time, sub *subscription, p leg.Packet, life time.Duration) {
	sub.Until = now.Add(life)
	res := s.accepted(sub, p, life)
	sub.Reply = snapshot.Keep(res)
	s.put(res, leg.ReplyFlow(p))
	if life == 0 {
		s.end(sub, "timeout")
		return
	}
	s.owe(sub)
}

// again is a SUBSCRIBE without a To tag for a subscription that there is: a copy,
// or one that makes no sense.
func (s *Server) again(_ time.Time, sub *subscription, key txn.Key, p leg.Packet, _ *gosip.Request) {
	if key == sub.Key {
		s.put(sub.Reply.Msg, leg.ReplyFlow(p))
		return
	}
	s.refuse(p, 482) // RFC 3261 §8.2.2.2
}

// request takes a request with the Call-ID of a subscription.
func (s *Server) request(now time.Time, sub *subscription, p leg.Packet, req *gosip.Request) {
	key, whole := txn.KeyOf(req)
	switch {
	case req.Method == gosip.ACK:
	case !whole || req.To() == nil:
		s.refuse(p, 400)
	case sub != nil && key == sub.Key:
		s.put(sub.Reply.Msg, leg.ReplyFlow(p))
	case sub == nil || sub.Last != "" || !sub.Dialog.Matches(req):
		s.refuse(p, 481)
	case !s.inOrder(sub, req.CSeq().SeqNo):
		s.refuse(p, 500)
	case req.Method == gosip.SUBSCRIBE:
		s.refresh(now, sub, key, p, req)
	case req.Method == gosip.NOTIFY:
		s.refuse(p, 481) // we subscribe to nothing
	default:
		s.refuse(p, 405, header.Field{Name: "Allow", Value: "SUBSCRIBE, NOTIFY"})
	}
}

// inOrder: RFC 3261 §12.2.2.
func (s *Server) inOrder(sub *subscription, seq uint32) bool {
	s.touch(sub)
	return sub.Dialog.InOrder(seq)
}

// refresh prolongs a subscription, or ends it (RFC 6665 §4.1.2).
func (s *Server) refresh(now time.Time, sub *subscription, key txn.Key, p leg.Packet, req *gosip.Request) {
	name, id := eventOf(req)
	if name != sub.What.Event || id != "" && name+";id="+id != sub.Event {
		s.refuse(p, 489, header.Field{Name: "Allow-Events", Value: s.Events()})
		return
	}
	life, ok := s.lifetime(p, req)
	if !ok {
		return
	}
	sub.Dialog.Refresh(req)
	s.move(now, sub, p.Flow)
	sub.Key = key
	if _, code := sub.pack.Find(sub.User, sub.To); code >= 300 { // it may not be watched any more
		s.refuse(p, code)
		s.end(sub, "rejected")
		return
	}
	sub.asks(req)
	s.accept(now, sub, p, life)
}

// asks gives a package what a SUBSCRIBE that was taken asks for besides, before its NOTIFY is written.
func (sub *subscription) asks(req *gosip.Request) {
	if pack, ok := sub.pack.(Asker); ok && len(req.Body()) > 0 {
		pack.Asked(sub.User, sub.What.Name, req.Body())
	}
}

// eventOf is the package and the id in Event (RFC 6665 §8.2.1).
func eventOf(req *gosip.Request) (name, id string) {
	for _, field := range []string{"Event", "o"} {
		if h := header.First(req, field); h != nil {
			name, rest, _ := strings.Cut(h.Value(), ";")
			for param := range strings.SplitSeq(rest, ";") {
				if key, v, _ := strings.Cut(param, "="); strings.EqualFold(strings.TrimSpace(key), "id") {
					id = strings.TrimSpace(v)
				}
			}
			return strings.ToLower(strings.TrimSpace(name)), id
		}
	}
	return "", ""
}

// accepts: RFC 3261 §20.1; without Accept it is what the package says.
func accepts(req *gosip.Request, kind string) bool {
	for h := range header.All(req, "Accept") {
		for entry := range strings.SplitSeq(h.Value(), ",") {
			got, _, err := mime.ParseMediaType(entry)
			if err == nil && (got == kind || got == "*/*" || got == "application/*") {
				return true
			}
		}
	}
	return header.First(req, "Accept") == nil
}
