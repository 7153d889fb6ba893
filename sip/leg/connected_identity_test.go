package leg

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"liandong/sip/header"
	"liandong/sip/sdp"
)

var wang = []header.Field{field("P-Asserted-Identity", "<sip:13812345678@10.0.0.1>")}

const takesUpdate = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"

// Who the party talks with now is told by UPDATE where the party takes it (RFC 3311
// §5.1: it changes no session), else by a re-INVITE with the session as it is.
func TestIdentifyByUpdateOrInvite(t *testing.T) {
	for method, allow := range map[string]string{"UPDATE": takesUpdate, "INVITE": "Allow: INVITE, ACK, BYE, CANCEL"} {
		s := talkingIn(t, allow)
		s.events = nil
		s.do(ConnectedIdentity{Identity: wang})
		req := s.last(method)
		if got := header1(t, req, "P-Asserted-Identity"); got != wang[0].Value {
			t.Errorf("%s with P-Asserted-Identity %q", method, got)
		}
		if body := string(req.Body()); (method == "UPDATE") != (body == "") || strings.Contains(body, "a=inactive") {
			t.Errorf("%s with the body %q", method, body)
		}
		body := ""
		if method == "INVITE" {
			body = peerSDP
		}
		s.take()
		s.reply(req, 200, body)
		s.told() // what the answer says of the session
		s.want(map[string]string{"UPDATE": "", "INVITE": "ACK"}[method], "")
	}
}

// A party that takes no UPDATE after all gets a re-INVITE, one that is busy gets it
// later, and none that does neither loses its call for it.
func TestIdentifyIsHarmless(t *testing.T) {
	s := talkingIn(t, takesUpdate)
	s.events = nil
	s.do(ConnectedIdentity{Identity: wang})
	s.reply(s.last("UPDATE"), 405, "")
	if got := header1(t, s.last("INVITE"), "P-Asserted-Identity"); got != wang[0].Value {
		t.Errorf("after 405 the re-INVITE has %q", got)
	}
	s.reply(s.last("INVITE"), 491, "")
	s.take()
	for s.names() == "" {
		s.tick()
	}
	if got := header1(t, s.last("INVITE"), "P-Asserted-Identity"); got != wang[0].Value {
		t.Errorf("after 491 the re-INVITE has %q", got)
	}
	s.reply(s.last("INVITE"), 488, "")
	s.take()
	s.pass(time.Minute)
	s.want("", "")

	s = talkingIn(t, takesUpdate)
	s.events = nil
	s.do(ConnectedIdentity{Identity: wang})
	s.pass(time.Minute) // nothing comes
	s.take()
	s.want("", "")
	s.request("INFO", "")
	s.want("200/INFO", "info ")
}

// An identity that waits goes out with the offer that waits, as one request.
func TestModifyBringsAddressAndIdentity(t *testing.T) {
	other := netip.MustParseAddrPort("10.0.0.1:20100")
	s := talkingOut(t)
	s.events = nil
	s.do(Modify{Addr: other, Identity: wang})
	s.want("INVITE", "")
	req := s.last("INVITE")
	if body := string(req.Body()); !strings.Contains(body, "m=audio 20100 ") ||
		header1(t, req, "P-Asserted-Identity") != wang[0].Value {
		t.Errorf("the re-INVITE is\n%s", req)
	}
	s.reply(req, 200, peerSDP)
	e, ok := s.events[0].(MediaChanged)
	if !ok || e.Addr != other {
		t.Errorf("told %+v", s.events)
	}
}

// RFC 3261 §14.1: "If a UA receives a non-2xx final response to a re-INVITE, the
// session parameters MUST remain unchanged, as if no re-INVITE had been issued."
func TestRefusedAddressIsForgotten(t *testing.T) {
	s := talkingOut(t)
	s.events = nil
	s.do(Modify{Addr: netip.MustParseAddrPort("10.0.0.1:20100")})
	s.reply(s.last("INVITE"), 488, "")
	s.take()
	s.want("", "refused 488")
	s.do(Modify{Direction: sdp.SendOnly})
	if body := string(s.last("INVITE").Body()); !strings.Contains(body, "m=audio 20000 ") {
		t.Errorf("the next offer is\n%s", body)
	}
}
