package leg

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func required(t *testing.T, lines ...string) *script {
	t.Helper()
	s := inbound(t, append(lines, "Require: 100rel", "Supported: 100rel")...)
	s.take()
	return s
}

// prack acknowledges the last response of the leg.
func (s *script) prack(body string) {
	s.t.Helper()
	invite := 10
	s.request("PRACK", body, fmt.Sprintf("RAck: %s %d INVITE", header1(s.t, s.answer(), "rseq"), invite))
}

// RFC 3262 §3: "the UAS MUST send any non-100 provisional response reliably if
// the initial request contained a Require header field with the option tag
// 100rel"; "it MUST contain a Require header field containing the option tag 100rel, and MUST include an
// RSeq header field. The value of the header field for the first reliable
// provisional response in a transaction MUST be between 1 and 2**31 - 1."
func TestProvisionalIsReliableWhenRequired(t *testing.T) {
	s := required(t)
	s.do(Progress{Code: 180})
	res := s.answer()
	if n, ok := number(res, "rseq"); !ok || n < 1 || !tokens(res, "100rel", "require") {
		t.Errorf("\n%s", res)
	}
	s = inbound(t, "Supported: 100rel")
	s.do(Progress{Code: 180})
	if header1(t, s.answer(), "rseq") != "" {
		t.Error("reliable though nobody requires it")
	}
}

// RFC 3262 §3: "the reliable provisional response is passed to the transaction
// layer periodically with an interval that starts at T1 seconds and doubles for
// each retransmission [...]. If a reliable provisional response is retransmitted
// for 64*T1 seconds without reception of a corresponding PRACK, the UAS SHOULD
// reject the original request with a 5xx response."
func TestReliableProvisionalIsResent(t *testing.T) {
	s := required(t)
	s.do(Progress{Code: 180})
	s.pass(31999 * time.Millisecond)
	s.want(strings.TrimSpace(strings.Repeat("180/INVITE ", 7)), "invited")
	s.take()
	s.pass(time.Millisecond)
	s.want("504/INVITE", "timeout")
	s.wantDone()
}

// RFC 3262 §3: "If a PRACK request is received by the UA core that does not
// match any unacknowledged reliable provisional response, the UAS MUST respond
// to the PRACK with a 481 response. If the PRACK does match an unacknowledged
// reliable provisional response, it MUST be responded to with a 2xx response."
// And: "The UAS MUST NOT send a second reliable provisional response until the
// first is acknowledged."
func TestPrack(t *testing.T) {
	s := required(t)
	s.do(Progress{Code: 180})
	s.do(Progress{Code: 182})
	s.want("180/INVITE", "invited")
	first, _ := number(s.answer(), "rseq")
	s.request("PRACK", "", fmt.Sprintf("RAck: %d 10 INVITE", first+1))
	s.want("180/INVITE 481/PRACK", "")
	s.take()
	s.request("PRACK", "", fmt.Sprintf("RAck: %d 10 INVITE", first))
	s.want("200/PRACK 182/INVITE", "")
	// "the RSeq value [...] MUST be greater by exactly one"
	if n, _ := number(s.answer(), "rseq"); n != first+1 {
		t.Errorf("RSeq %d after %d", n, first)
	}
	s.prack("")
	s.take()
	s.pass(30 * time.Second)
	s.want("", "")
}

// RFC 3262 §3: "The UAS MAY send a final response to the initial request before
// having received PRACKs for all unacknowledged reliable provisional responses,
// unless the final response is 2xx and any of the unacknowledged reliable
// provisional responses contained a session description. In that case, it MUST
// NOT send a final response until those provisional responses are acknowledged."
func TestAnswerWaitsForPrack(t *testing.T) {
	s := required(t)
	s.do(Progress{Code: 183, Media: true})
	s.do(Answer{})
	s.want("183/INVITE", "invited, changed")
	s.prack("")
	s.want("183/INVITE 200/PRACK 200/INVITE", "")
	if len(s.answer().Body()) != 0 {
		t.Error("a second answer in the 200")
	}

	s = required(t)
	s.do(Progress{Code: 180})
	s.do(Answer{})
	s.want("180/INVITE 200/INVITE", "invited, changed")
	// "it MUST be prepared to process PRACK requests for those outstanding
	// responses"
	s.request("PRACK", "", "RAck: "+header1(t, s.sent[0].Msg, "rseq")+" 10 INVITE")
	if s.answer().StatusCode != 200 {
		t.Errorf("late PRACK answered %d", s.answer().StatusCode)
	}
}

// RFC 3261 §13.2.1 with RFC 3262 §5: without an offer in the INVITE the first
// reliable provisional response carries ours, and the PRACK the answer.
func TestOfferInReliableProvisional(t *testing.T) {
	s := required(t, "-offer")
	s.do(Progress{Code: 180})
	if len(s.answer().Body()) == 0 {
		t.Fatal("no offer")
	}
	s.prack(peerSDP)
	s.want("180/INVITE 200/PRACK", "invited, changed")
	s.take()
	s.do(Answer{})
	if len(s.answer().Body()) != 0 {
		t.Error("another offer in the 200")
	}
	s.ack(10, "")
	s.want("200/INVITE", "")
}

// RFC 3262 §4: "The UAC [...] MUST create a new request with method PRACK [...]
// sent within the dialog"; RAck holds "the value from the RSeq header in the
// provisional response that is being acknowledged" and "the number [and method]
// from the CSeq in the response". "If [...] the UAC receives another reliable
// provisional response to the same request, and its RSeq value is not one higher
// than the value of the sequence number, that response MUST NOT be acknowledged
// with a PRACK, and MUST NOT be processed further by the UAC."
func TestReliableProvisionalIsAcknowledged(t *testing.T) {
	s := outbound(t)
	invite := s.last("INVITE")
	s.take()
	s.reply(invite, 183, peerSDP, "Require: 100rel", "RSeq: 71")
	s.want("PRACK", "progressed 183")
	prack := s.last("PRACK")
	if want := fmt.Sprintf("71 %d INVITE", invite.CSeq().SeqNo); header1(t, prack, "rack") != want {
		t.Errorf("RAck %q, want %q", header1(t, prack, "rack"), want)
	}
	if prack.CSeq().SeqNo != invite.CSeq().SeqNo+1 || prack.Recipient.String() != "sip:110@10.0.0.2:5060" {
		t.Errorf("\n%s", prack)
	}
	s.reply(prack, 200, "")
	s.take()
	s.reply(invite, 183, peerSDP, "Require: 100rel", "RSeq: 71") // a copy
	s.reply(invite, 180, "", "Require: 100rel", "RSeq: 73")      // 72 is missing
	s.want("", "")
	s.reply(invite, 180, "", "Require: 100rel", "RSeq: 72")
	s.want("PRACK", "progressed 180")
	s.take()
	s.reply(invite, 200, "")
	s.want("ACK", "answered")
	// The PRACKs count: RFC 3261 §13.2.2.4, the ACK has the INVITE's CSeq, §12.2.1.1,
	// the next request one more than the last.
	if ack := s.last("ACK"); ack.CSeq().SeqNo != invite.CSeq().SeqNo {
		t.Errorf("ACK %s", ack.CSeq().Value())
	}
	s.do(End{})
	if bye := s.last("BYE"); bye.CSeq().SeqNo != invite.CSeq().SeqNo+3 {
		t.Errorf("BYE %s", bye.CSeq().Value())
	}
}

// RFC 3262 §5: "If the UAC receives a reliable provisional response with an
// offer [...], it MUST generate an answer in the PRACK."
func TestPrackAnswersAnOffer(t *testing.T) {
	s := outbound(t, func(_ *Config, i *Invite) { i.DelayedOffer = true })
	invite := s.last("INVITE")
	s.reply(invite, 183, peerSDP, "Require: 100rel", "RSeq: 1")
	if len(s.last("PRACK").Body()) == 0 {
		t.Error("no answer in the PRACK")
	}
	s.take()
	s.reply(invite, 200, "")
	s.want("ACK", "progressed 183, answered")
	if len(s.last("ACK").Body()) != 0 {
		t.Error("another answer in the ACK")
	}
}

// RFC 3262 §7.1: RSeq is a number of 32 bits; only the first one of a server that follows
// §3 is below 2^31.
func TestHighRSeqIsAcknowledged(t *testing.T) {
	for _, rseq := range []string{"1", "2147483647", "2147483648", "4294967295"} {
		s := outbound(t)
		s.reply(s.last("INVITE"), 180, "", "Require: 100rel", "RSeq: "+rseq)
		if rack := header1(t, s.last("PRACK"), "rack"); !strings.HasPrefix(rack, rseq+" ") {
			t.Errorf("RSeq %s: RAck %q", rseq, rack)
		}
	}
	s := outbound(t)
	s.reply(s.last("INVITE"), 180, "", "Require: 100rel", "RSeq: 4294967296")
	s.want("INVITE", "progressed 180")
}
