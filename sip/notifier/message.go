package notifier

import (
	"net"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/txn"
)

// notify sends the state as it is now.
func (s *Server) notify(now time.Time, sub *subscription) {
	via := s.via(sub)
	req, err := sub.Dialog.Request(gosip.NOTIFY, sub.Dialog.Next(), via)
	if err != nil { // the phone has given an address that is none
		s.drop(sub)
		return
	}
	add(req, "Event", sub.Event)
	add(req, "Subscription-State", sub.state(now))
	add(req, "Contact", "<"+sub.Local.Contact+">")
	add(req, "Allow-Events", s.Events())
	add(req, "User-Agent", s.cfg.Leg.UserAgent)
	add(req, "Content-Type", sub.pack.Type())
	header.SetBody(req, sub.pack.Write(View{Resource: sub.What.Name, To: sub.To, Version: s.next(sub)}))
	s.stats.Sent++
	sub.Notice = &notice{Branch: via.Params.GetOr("branch", ""), Flow: sub.Flow, Last: sub.Last != ""}
	s.step(now, sub, sub.Notice.Txn.Start(now, s.timing(sub.Flow), req), nil)
}

// state is Subscription-State (RFC 6665 §4.1.3).
func (sub *subscription) state(now time.Time) string {
	if sub.Last != "" {
		return "terminated;reason=" + sub.Last
	}
	return "active;expires=" + seconds(sub.Until.Sub(now))
}

// next is the version of a body: none that this user was sent of the resource is
// as high.
func (s *Server) next(sub *subscription) uint32 {
	key := version{sub.What, sub.User}
	v, ok := s.versions[key]
	if !ok {
		v = s.top
	}
	v++
	s.versions[key], s.top, sub.Version = v, max(s.top, v), v
	return v
}

func (s *Server) timing(f leg.Flow) txn.Timing {
	cfg := s.cfg.Leg
	return txn.Timing{T1: cfg.T1, T2: cfg.T2, T4: cfg.T4, Reliable: !strings.EqualFold(f.Transport, "udp")}
}

// via: RFC 3261 §8.1.1.7, RFC 3581 §3.
func (s *Server) via(sub *subscription) *gosip.ViaHeader {
	via := &gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(sub.Flow.Transport),
		Host:   sub.Local.ViaHost,
		Params: gosip.HeaderParams{{K: "branch", V: "z9hG4bK" + s.word()}, {K: "rport"}},
	}
	if host, port, err := net.SplitHostPort(sub.Local.ViaHost); err == nil {
		via.Host = host
		via.Port, _ = strconv.Atoi(port)
	}
	return via
}

// word is a random token of 64 bits.
func (s *Server) word() string { return strconv.FormatUint(s.cfg.Leg.Rand(), 36) }

// accepted is the 200 to a SUBSCRIBE. RFC 6665 §4.2.1.1: Expires says how long the
// subscription lasts.
func (s *Server) accepted(sub *subscription, p leg.Packet, life time.Duration) *gosip.Response {
	res := leg.Reply(p, 200, "", sub.Dialog.LocalTag)
	add(res, "Contact", "<"+sub.Local.Contact+">")
	add(res, "Expires", seconds(life))
	return s.finished(res, nil)
}

// refuse answers a request without keeping anything of it. It is always false.
func (s *Server) refuse(p leg.Packet, code int, fields ...header.Field) bool {
	if p.Msg.Via() != nil {
		s.put(s.finished(leg.Reply(p, code, "", s.word()), fields), leg.ReplyFlow(p))
	}
	return false
}

func (s *Server) finished(res *gosip.Response, fields []header.Field) *gosip.Response {
	for _, f := range fields {
		add(res, f.Name, f.Value)
	}
	add(res, "Server", s.cfg.Leg.UserAgent)
	header.SetBody(res, nil)
	return res
}

func add(m gosip.Message, name, value string) {
	if value == "" {
		return
	}
	// A phone's own text must not begin a header of ours.
	m.AppendHeader(gosip.NewHeader(name, strings.NewReplacer("\r", " ", "\n", " ").Replace(value)))
}
