package leg

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// script is a leg and the test that plays its party, by text as on the wire.
type script struct {
	t      *testing.T
	now    time.Time
	leg    *Leg
	local  Local
	sent   []Packet // by the leg, since the last take
	events []Event

	callID, ourTag, theirTag string // ours: the leg's
	seq                      int    // CSeq of the party
	branch                   int
	way                      Flow
}

const (
	peerSDP = "v=0\r\no=- 7 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 101\r\n" +
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
	badSDP = "v=0\r\no=- 7 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n"
)

func heldSDP() string {
	return strings.NewReplacer("a=sendrecv", "a=sendonly", " 7 1 ", " 7 2 ").Replace(peerSDP)
}

func newScript(t *testing.T) *script {
	t.Helper()
	return &script{
		t: t, now: epoch, local: localAt(addrA, mediaA, "udp"), seq: 10, theirTag: "peer",
		way: Flow{Network: "lab", Transport: "udp", Local: addrA, Remote: addrB},
	}
}

// outbound is a leg that has sent its INVITE.
func outbound(t *testing.T, change ...func(*Config, *Invite)) *script {
	t.Helper()
	s := newScript(t)
	cfg := testConfig(1)
	cfg.SessionExpires = 0
	cmd := inviteTo(t, addrB, "udp")
	for _, f := range change {
		f(&cfg, &cmd)
	}
	s.leg = NewOutbound(cfg, s.local)
	s.callID = s.leg.CallID()
	s.do(cmd)
	s.ourTag = s.leg.Dialog.LocalTag
	return s
}

// inbound is a leg that has got an INVITE with these lines; "-offer" among
// them: without SDP.
func inbound(t *testing.T, lines ...string) *script {
	t.Helper()
	return inboundWith(t, func(*Config) {}, lines...)
}

func inboundWith(t *testing.T, change func(*Config), lines ...string) *script {
	t.Helper()
	s := newScript(t)
	s.callID = "in-1"
	cfg := testConfig(1)
	cfg.SessionExpires = 0
	change(&cfg)
	leg, out := NewInbound(cfg, s.now, s.packet(s.invite(lines...)), s.local)
	s.leg = leg
	s.note(out)
	s.ourTag = leg.Dialog.LocalTag
	return s
}

func (s *script) invite(lines ...string) string {
	body := peerSDP
	kept := lines[:0:0]
	for _, l := range lines {
		if l == "-offer" {
			body = ""
		} else {
			kept = append(kept, l)
		}
	}
	return s.text("INVITE", s.seq, "", body, kept...)
}

// talkingOut is an outbound leg that has been answered.
func talkingOut(t *testing.T, change ...func(*Config, *Invite)) *script {
	t.Helper()
	s := outbound(t, change...)
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.take()
	return s
}

// talkingIn is an inbound leg that has been answered and acknowledged.
func talkingIn(t *testing.T, lines ...string) *script {
	t.Helper()
	s := inbound(t, lines...)
	s.do(Answer{})
	s.ack(s.seq, "")
	s.take()
	return s
}

func (s *script) note(out Out) {
	for _, p := range out.Packets {
		p.Msg = wire(s.t, p.Msg)
		s.sent = append(s.sent, p)
	}
	s.events = append(s.events, out.Events...)
	if s.leg != nil {
		reborn(s.t, s.leg, s.local)
	}
}

func (s *script) do(c Command) { s.note(s.leg.Do(s.now, c)) }

func (s *script) packet(text string) Packet {
	s.t.Helper()
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
	return Packet{Msg: m, Flow: s.way}
}

func (s *script) receive(text string) { s.note(s.leg.Receive(s.now, s.packet(text))) }

// text is a request of the party; totag "" is one outside the dialog.
func (s *script) text(method string, seq int, totag, body string, lines ...string) string {
	s.branch++
	return s.textVia(fmt.Sprintf("z9hG4bKp%d", s.branch), method, seq, totag, body, lines...)
}

func (s *script) textVia(branch, method string, seq int, totag, body string, lines ...string) string {
	to := ""
	if totag != "" {
		to = ";tag=" + totag
	}
	head := []string{
		method + " sip:12345@10.0.0.1:5060 SIP/2.0",
		"Via: SIP/2.0/UDP 10.0.0.2:5060;rport;branch=" + branch,
		"Max-Forwards: 70",
		"From: <sip:110@10.0.0.2>;tag=" + s.theirTag,
		"To: <sip:12345@10.0.0.1>" + to,
		"Call-ID: " + s.callID,
		fmt.Sprintf("CSeq: %d %s", seq, method),
	}
	return message(head, lines, body, "Contact: <sip:110@10.0.0.2:5060>")
}

// message completes a message; a line given replaces the line of the same name
// that comes from us, "-Name" removes it.
func message(head, lines []string, body string, more ...string) string {
	all := append(append([]string{}, head...), more...)
	if body != "" {
		all = append(all, "Content-Type: application/sdp")
	}
	for _, l := range lines {
		name, _, _ := strings.Cut(strings.TrimPrefix(l, "-"), ":")
		own := 0
		for i := 0; i < len(all); i++ {
			if i > 0 && strings.HasPrefix(all[i], name+":") && own == 0 && name != "Record-Route" {
				all = append(all[:i], all[i+1:]...)
				i--
				own++
			}
		}
		if l[0] != '-' {
			all = append(all, l)
		}
	}
	all = append(all, fmt.Sprintf("Content-Length: %d", len(body)))
	return strings.Join(all, "\r\n") + "\r\n\r\n" + body
}

// request sends the next request of the party in the dialog.
func (s *script) request(method, body string, lines ...string) {
	s.t.Helper()
	s.seq++
	s.receive(s.text(method, s.seq, s.ourTag, body, lines...))
}

// ack acknowledges a 2xx of the leg.
func (s *script) ack(seq int, body string) {
	s.receive(s.text("ACK", seq, s.ourTag, body))
}

// reply answers a request of the leg.
func (s *script) reply(req *gosip.Request, code int, body string, lines ...string) {
	s.t.Helper()
	s.note(s.leg.Receive(s.now, s.packet(s.response(req, code, body, lines...))))
}

func (s *script) response(req *gosip.Request, code int, body string, lines ...string) string {
	tag := ";tag=" + s.theirTag
	if _, ok := req.To().Params.Get("tag"); ok || code == 100 {
		tag = ""
	}
	head := []string{
		fmt.Sprintf("SIP/2.0 %d Whatever", code),
		"Via: " + req.Via().Value(),
		"From: " + req.From().Value(),
		"To: " + req.To().Value() + tag,
		"Call-ID: " + req.CallID().Value(),
		"CSeq: " + req.CSeq().Value(),
	}
	contact := "X-Nothing: 1"
	if code > 100 && code < 300 {
		contact = "Contact: <sip:110@10.0.0.2:5060>"
	}
	return message(head, lines, body, contact)
}

// tick goes to the leg's next timer.
func (s *script) tick() bool {
	at, ok := s.leg.Deadline()
	if !ok {
		return false
	}
	s.now = later(s.now, at)
	s.note(s.leg.Tick(s.now))
	if next, ok := s.leg.Deadline(); ok && !next.After(s.now) {
		s.t.Fatalf("deadline %v not after %v", next.Sub(epoch), s.now.Sub(epoch))
	}
	return true
}

// pass lets time pass.
func (s *script) pass(d time.Duration) {
	end := s.now.Add(d)
	for at, ok := s.leg.Deadline(); ok && !at.After(end); at, ok = s.leg.Deadline() {
		s.tick()
	}
	s.now = end
}

// take gives what the leg has sent since the last take.
func (s *script) take() []Packet {
	sent := s.sent
	s.sent = nil
	return sent
}

// last is the last request of a method that the leg has sent.
func (s *script) last(method string) *gosip.Request {
	s.t.Helper()
	for i := len(s.sent) - 1; i >= 0; i-- {
		if req, ok := s.sent[i].Msg.(*gosip.Request); ok && string(req.Method) == method {
			return req
		}
	}
	s.t.Fatalf("no %s was sent but %s", method, s.names())
	return nil
}

// answer is the last response that the leg has sent.
func (s *script) answer() *gosip.Response {
	s.t.Helper()
	for i := len(s.sent) - 1; i >= 0; i-- {
		if res, ok := s.sent[i].Msg.(*gosip.Response); ok {
			return res
		}
	}
	s.t.Fatalf("no response was sent but %s", s.names())
	return nil
}

// names is what has been sent, in short: "BYE 200/INVITE".
func (s *script) names() string {
	var list []string
	for _, p := range s.sent {
		switch m := p.Msg.(type) {
		case *gosip.Request:
			list = append(list, string(m.Method))
		case *gosip.Response:
			list = append(list, fmt.Sprintf("%d/%s", m.StatusCode, m.CSeq().MethodName))
		}
	}
	return strings.Join(list, " ")
}

// told is what has been told, in short.
func (s *script) told() string {
	var list []string
	for _, e := range s.events {
		switch e := e.(type) {
		case Progressed:
			list = append(list, fmt.Sprintf("progressed %d", e.Code))
		case Failed:
			list = append(list, fmt.Sprintf("failed %d", e.Code))
		case ModifyRefused:
			list = append(list, fmt.Sprintf("refused %d", e.Code))
		case Invited:
			list = append(list, "invited")
		case InfoReceived:
			list = append(list, "info "+e.Keys)
		default:
			list = append(list, kindOf(e))
		}
	}
	s.events = nil
	return strings.Join(list, ", ")
}

func (s *script) want(sent, told string) {
	s.t.Helper()
	if got := s.names(); got != sent {
		s.t.Errorf("sent %q, want %q", got, sent)
	}
	if got := s.told(); got != told {
		s.t.Errorf("told %q, want %q", got, told)
	}
}

// wantDone lets time pass until the leg is Done.
func (s *script) wantDone() {
	s.t.Helper()
	begin := s.now
	for !s.leg.Done() {
		if !s.tick() {
			s.t.Fatal("not done, and waits for nothing")
		}
	}
	if d := s.now.Sub(begin); d > 5*32*time.Second {
		s.t.Errorf("done only after %v", d)
	}
	if _, ok := s.leg.Deadline(); ok {
		s.t.Error("done, and still waits for something")
	}
}

func header1(t *testing.T, m gosip.Message, name string) string {
	t.Helper()
	list := m.GetHeaders(name)
	if len(list) == 0 {
		return ""
	}
	return list[0].Value()
}

func direction(t *testing.T, body []byte) string {
	t.Helper()
	for _, d := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
		if strings.Contains(string(body), "a="+d) {
			return d
		}
	}
	return "sendrecv"
}
