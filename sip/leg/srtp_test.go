package leg

import (
	"strings"
	"testing"

	"liandong/sip/sdp"
)

// secureOut is a leg that has sent its INVITE by a transport.
func secureOut(t *testing.T, p sdp.Protection, transport string, change ...func(*Invite)) *script {
	t.Helper()
	s := newScript(t)
	cfg := testConfig(1)
	cfg.SessionExpires = 0
	cmd := inviteTo(t, addrB, transport)
	for _, f := range change {
		f(&cmd)
	}
	local := localAt(addrA, mediaA, transport)
	local.Media.Protection = p
	s.local = local
	s.leg = NewOutbound(cfg, local)
	s.callID = s.leg.CallID()
	s.do(cmd)
	s.ourTag = s.leg.Dialog.LocalTag
	return s
}

// secureIn is a leg that has got an INVITE.
func secureIn(t *testing.T, p sdp.Protection, transport, body string) *script {
	t.Helper()
	s := newScript(t)
	s.callID, s.way.Transport = "in-1", transport
	local := localAt(addrA, mediaA, transport)
	local.Media.Protection = p
	s.local = local
	leg, out := NewInbound(testConfig(1), s.now, s.packet(s.text("INVITE", s.seq, "", body)), local)
	s.leg, s.ourTag = leg, leg.Dialog.LocalTag
	s.note(out)
	return s
}

const (
	cryptoLine = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
	otherLine  = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n"
)

func secureSDP(line string) string {
	return strings.Replace(peerSDP, "RTP/AVP", "RTP/SAVP", 1) + line
}

func profileOf(body []byte) string {
	switch keys, secure := strings.Contains(string(body), "a=crypto:"), strings.Contains(string(body), " RTP/SAVP "); {
	case keys && secure:
		return "secure"
	case keys:
		return "best effort"
	case secure:
		return "broken"
	}
	return "plain"
}

func TestProfileOfOffers(t *testing.T) {
	for _, tt := range []struct {
		protection sdp.Protection
		transport  string
		first      string // of an INVITE
		later      string // of a 2xx to an INVITE without an offer
	}{
		{sdp.Off, "tls", "plain", "plain"},
		{sdp.Preferred, "tls", "secure", "best effort"},
		{sdp.Preferred, "udp", "plain", "plain"}, // keys are not said where they could be read
		{sdp.Required, "tls", "secure", "secure"},
	} {
		out := secureOut(t, tt.protection, tt.transport)
		if got := profileOf(out.last("INVITE").Body()); got != tt.first {
			t.Errorf("%d by %s: INVITE %s, want %s", tt.protection, tt.transport, got, tt.first)
		}
		in := secureIn(t, tt.protection, tt.transport, "")
		in.do(Answer{})
		if got := profileOf(in.sent[len(in.sent)-1].Msg.Body()); got != tt.later {
			t.Errorf("%d by %s: 2xx %s, want %s", tt.protection, tt.transport, got, tt.later)
		}
	}
}

// SRTP that is preferred is offered by RTP/SAVP at first, and by a second INVITE
// without it to who refuses that; SRTP that is required is not given up.
func TestOfferInTheOpenAfterARefusal(t *testing.T) {
	s := secureOut(t, sdp.Preferred, "tls")
	first := s.last("INVITE")
	s.reply(first, 488, "")
	second := s.last("INVITE")
	if second == first || profileOf(second.Body()) != "plain" || second.CSeq().SeqNo != first.CSeq().SeqNo+1 {
		t.Fatalf("second INVITE\n%s", second)
	}
	s.reply(second, 200, peerSDP)
	if a, ok := s.events[len(s.events)-1].(Answered); !ok || !a.Media.Seal.IsZero() {
		t.Fatalf("events %v", s.events)
	}
	s.take()
	s.do(Modify{Direction: sdp.SendOnly})
	if got := profileOf(s.last("INVITE").Body()); got != "plain" {
		t.Errorf("later offers are %s", got)
	}

	s = secureOut(t, sdp.Preferred, "tls")
	s.reply(s.last("INVITE"), 488, "")
	s.reply(s.last("INVITE"), 488, "") // for another reason then
	if f, ok := s.events[len(s.events)-1].(Failed); !ok || f.Code != 488 {
		t.Errorf("events %v", s.events)
	}

	s = secureOut(t, sdp.Required, "tls")
	first = s.last("INVITE")
	s.reply(first, 488, "")
	if f, ok := s.events[len(s.events)-1].(Failed); !ok || f.Code != 488 || s.last("INVITE") != first {
		t.Errorf("events %v", s.events)
	}
}

// RFC 4568 §8.3: without TLS the keys could be read, so SRTP that is required has no use.
func TestRequiredSRTPNeedsTLS(t *testing.T) {
	s := secureOut(t, sdp.Required, "udp")
	if f, ok := s.events[len(s.events)-1].(Failed); !ok || f.Code != 488 || len(s.sent) != 0 {
		t.Errorf("events %v, sent %s", s.events, s.names())
	}
	for _, body := range []string{"", peerSDP, secureSDP(cryptoLine)} {
		s := secureIn(t, sdp.Required, "udp", body)
		res := s.sent[len(s.sent)-1].Msg
		if !strings.HasPrefix(res.String(), "SIP/2.0 488 ") || !strings.Contains(value(res, "warning"), "TLS") {
			t.Errorf("answer\n%s", res)
		}
	}
}

// RFC 4568 §7.1.4: our key stays the same through all offers, and theirs may change.
func TestRekeyByReinvite(t *testing.T) {
	s := secureIn(t, sdp.Required, "tls", secureSDP(cryptoLine))
	s.do(Answer{})
	s.ack(s.seq, "")
	before := s.events[len(s.events)-1].(MediaChanged).Media
	s.request("INVITE", strings.Replace(secureSDP(otherLine), " 7 1 ", " 7 2 ", 1))
	s.ack(s.seq, "")
	after := s.events[len(s.events)-1].(MediaChanged).Media
	if before.Seal != after.Seal || before.Open == after.Open || after.Open.IsZero() {
		t.Error("keys are not as offered")
	}
	s.request("INVITE", peerSDP) // in the open: refused, and the session goes on as it was
	res := s.sent[len(s.sent)-1].Msg
	if !strings.HasPrefix(res.String(), "SIP/2.0 488 ") || !strings.HasPrefix(value(res, "warning"), "302 ") {
		t.Errorf("answer\n%s", res)
	}
	s.ack(s.seq, "")
	s.take()
	s.do(Modify{Direction: sdp.SendOnly})
	if got := profileOf(s.last("INVITE").Body()); got != "secure" {
		t.Errorf("our offer is %s", got)
	}
}
