package leg

import (
	"strings"
	"testing"
	"time"

	"liandong/sip/sdp"
)

func timed(c *Config, _ *Invite)       { c.SessionExpires = 1800 * time.Second }
func timedIn(c *Config)                { c.SessionExpires = 1800 * time.Second }
func allowsUpdate() string             { return "Allow: INVITE, ACK, BYE, CANCEL, UPDATE" }
func (s *script) since() time.Duration { return s.now.Sub(epoch) }

// RFC 4028 §7.1: the request says by Supported that the timer is known, and asks for
// an interval by Session-Expires.
func TestInviteAsksForTimer(t *testing.T) {
	s := outbound(t, timed)
	invite := s.last("INVITE")
	if got := header1(t, invite, "session-expires"); got != "1800" {
		t.Errorf("Session-Expires: %q", got)
	}
	if !tokens(invite, "timer", "supported") {
		t.Error("timer is not supported")
	}
}

// RFC 4028 §7.2: the side that the 2xx names refreshes: "It is RECOMMENDED that this
// refresh be sent once half the session interval has elapsed." §7.4: "It is
// RECOMMENDED that the UPDATE request not contain an offer, but a re-INVITE SHOULD
// contain one, even if the details of the session have not changed."
func TestWeRefresh(t *testing.T) {
	for name, c := range map[string]struct{ allow, method string }{
		"UPDATE": {allowsUpdate(), "UPDATE"}, "INVITE": {"Allow: INVITE, ACK, BYE", "INVITE"},
	} {
		t.Run(name, func(t *testing.T) {
			s := outbound(t, timed)
			s.reply(s.last("INVITE"), 200, peerSDP, "Session-Expires: 600;refresher=uac", "Require: timer", c.allow)
			for range 3 {
				s.take()
				begin := s.now
				for s.names() == "" {
					s.tick()
				}
				req := s.last(c.method)
				if d := s.now.Sub(begin); d != 300*time.Second {
					t.Fatalf("refresh after %v", d)
				}
				if got := header1(t, req, "session-expires"); got != "600;refresher=uac" {
					t.Errorf("Session-Expires: %q", got)
				}
				if c.method == "UPDATE" && len(req.Body()) != 0 {
					t.Error("UPDATE with an offer")
				}
				body := ""
				if c.method == "INVITE" {
					body = peerSDP
				}
				s.reply(req, 200, body, "Session-Expires: 600;refresher=uac", "Require: timer")
			}
			if told := s.told(); told != "answered" {
				t.Errorf("told %q", told)
			}
		})
	}
}

// A refresh by re-INVITE repeats the description: RFC 3264 §8: if the version
// "does not increment, the SDP MUST be identical to the SDP with that version
// number".
func TestRefreshRepeatsTheDescription(t *testing.T) {
	s := outbound(t, timed)
	invite := s.last("INVITE")
	s.reply(invite, 200, peerSDP, "Session-Expires: 600;refresher=uac")
	s.take()
	s.pass(300 * time.Second)
	if a, b := string(invite.Body()), string(s.last("INVITE").Body()); a != b {
		t.Errorf("%s\nbecame\n%s", a, b)
	}
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.do(Modify{Direction: sdp.Inactive})
	a, b := originOf(t, invite.Body()), originOf(t, s.last("INVITE").Body())
	if a[0] != b[0] || a[1] != b[1] || a[2] == b[2] {
		t.Errorf("origin %v became %v", a, b)
	}
}

func originOf(t *testing.T, body []byte) []string {
	t.Helper()
	_, line, _ := strings.Cut(string(body), "o=")
	line, _, _ = strings.Cut(line, "\r\n")
	return strings.Fields(line)
}

// RFC 4028 §10: "if the side not performing refreshes does not receive a session
// refresh request before the session expiration, it SHOULD send a BYE to terminate
// the session, slightly before the session expiration. The minimum of 32 seconds
// and one third of the session interval is RECOMMENDED."
func TestWithoutRefreshTheSessionExpires(t *testing.T) {
	s := outbound(t, timed)
	s.reply(s.last("INVITE"), 200, peerSDP, "Session-Expires: 600;refresher=uas", "Require: timer")
	s.take()
	s.request("UPDATE", "", "Session-Expires: 600;refresher=uac", "Supported: timer")
	if got := header1(t, s.answer(), "session-expires"); got != "600;refresher=uac" {
		t.Errorf("Session-Expires: %q", got)
	}
	s.take()
	s.pass(567 * time.Second)
	s.want("", "answered")
	s.pass(time.Second)
	s.want("BYE", "expired")
	s.wantDone()
}

// RFC 4028 §10: "If the session refresh request transaction times out or
// generates a 408 or 481 response, then the UAC sends a BYE request".
func TestRefreshThatIsLostEndsTheCall(t *testing.T) {
	s := outbound(t, timed)
	s.reply(s.last("INVITE"), 200, peerSDP, "Session-Expires: 600;refresher=uac", allowsUpdate())
	s.pass(333 * time.Second)
	if told := s.told(); told != "answered, lost" {
		t.Errorf("told %q", told)
	}
	s.last("BYE")
	s.wantDone()
}

// RFC 4028 §10: if "a response other than 408 or 481 is received, the UAC SHOULD
// follow the rules specific to that response code and retry if possible."
func TestRefusedRefreshIsTriedAgain(t *testing.T) {
	s := outbound(t, timed)
	s.reply(s.last("INVITE"), 200, peerSDP, "Session-Expires: 600;refresher=uac", allowsUpdate())
	s.pass(300 * time.Second)
	s.reply(s.last("UPDATE"), 500, "")
	s.take()
	s.pass(134 * time.Second)
	s.reply(s.last("UPDATE"), 200, "", "Session-Expires: 600;refresher=uac")
	if told := s.told(); told != "answered" {
		t.Errorf("told %q", told)
	}
}

// RFC 4028 §7.3: "If the response to a session refresh request is a 422 (Session
// Interval Too Small) response message, then the UAC MAY retry the request": with
// the interval and the Min-SE of the response, the same Call-ID and a higher CSeq.
func TestIntervalTooSmallIsMended(t *testing.T) {
	s := outbound(t, timed)
	invite := s.last("INVITE")
	s.take()
	s.reply(invite, 422, "", "Min-SE: 3600")
	s.want("ACK INVITE", "")
	again := s.last("INVITE")
	if header1(t, again, "session-expires") != "3600" || header1(t, again, "min-se") != "3600" {
		t.Errorf("\n%s", again)
	}
	if again.CallID().Value() != invite.CallID().Value() || again.CSeq().SeqNo != invite.CSeq().SeqNo+1 ||
		again.From().Value() != invite.From().Value() || len(again.Body()) == 0 {
		t.Errorf("\n%s", again)
	}
	for range 5 { // a party that is never content is not asked for ever
		s.reply(s.last("INVITE"), 422, "", "Min-SE: 7200")
	}
	if told := s.told(); told != "failed 422" {
		t.Errorf("told %q", told)
	}
}

// RFC 4028 §9: "If an incoming request contains a Supported header field with a
// value timer and a Session Expires header field, the UAS MAY reject the INVITE
// request with a 422 [...] if the session interval [...] is smaller than the
// minimum interval [...] the 422 response MUST contain a Min-SE header field".
// The mended INVITE has the same Call-ID.
func TestTooSmallIntervalGets422(t *testing.T) {
	s := inboundWith(t, timedIn, "Supported: timer", "Session-Expires: 60")
	s.want("422/INVITE", "")
	if got := header1(t, s.answer(), "min-se"); got != "90" {
		t.Errorf("Min-SE: %q", got)
	}
	s.receive(s.textVia("z9hG4bKp1", "ACK", s.seq, s.ourTag, ""))
	s.take()
	s.seq++
	s.receive(s.invite("Supported: timer", "Session-Expires: 90", "Min-SE: 90"))
	s.want("100/INVITE", "invited")
	s.do(Answer{})
	s.ack(s.seq, "")
	s.do(End{})
	s.want("100/INVITE 200/INVITE BYE", "changed")
	// A caller that does not know the timer cannot mend it.
	s = inboundWith(t, timedIn, "Session-Expires: 60")
	s.want("100/INVITE", "invited")
}

// RFC 4028 §9: "The UAS MUST NOT increase the value of the Session-Expires header
// field." "The UAS MUST set the value of the refresher parameter in the
// Session-Expires header field in the 2xx response": as the request says; if it says
// nothing the UAS chooses, and is itself the refresher for a caller that does not
// know the timer. If it is "uac, the UAS MUST place a Require header field into the
// response with the value timer."
func TestTimerInAnswer(t *testing.T) {
	cases := []struct {
		name    string
		lines   []string
		want    string
		require bool
	}{
		{"the caller refreshes", []string{"Supported: timer", "Session-Expires: 600"}, "600;refresher=uac", true},
		{"as it says", []string{"Supported: timer", "Session-Expires: 600;refresher=uac"}, "600;refresher=uac", true},
		{"we refresh", []string{"Supported: timer", "Session-Expires: 600;refresher=uas"}, "600;refresher=uas", false},
		{"lowered", []string{"Supported: timer", "Session-Expires: 7200"}, "1800;refresher=uac", true},
		{"not under its minimum", []string{"Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"},
			"3600;refresher=uac", true},
		{"a proxy asks", []string{"Session-Expires: 600"}, "600;refresher=uas", false},
		{"nobody asks", []string{"Supported: timer"}, "1800;refresher=uac", true},
		{"nobody knows", nil, "1800;refresher=uas", false},
		{"compact", []string{"k: timer", "x: 600"}, "600;refresher=uac", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := inboundWith(t, timedIn, c.lines...)
			s.do(Answer{})
			if got := header1(t, s.answer(), "session-expires"); got != c.want {
				t.Errorf("Session-Expires: %q, want %q", got, c.want)
			}
			if got := tokens(s.answer(), "timer", "require"); got != c.require {
				t.Errorf("Require: timer %v", got)
			}
		})
	}
}

// A party without timers is asked by us whether it is still there.
func TestPartyWithoutTimerIsRefreshedAllTheSame(t *testing.T) {
	s := outbound(t, timed)
	s.reply(s.last("INVITE"), 200, peerSDP)
	s.take()
	s.pass(900 * time.Second)
	s.reply(s.last("INVITE"), 405, "")
	s.take()
	s.pass(900 * time.Second)
	s.reply(s.last("INVITE"), 200, peerSDP)
	if told := s.told(); told != "answered" || s.since() != 1800*time.Second {
		t.Errorf("told %q", told)
	}
}
