package leg

import (
	"strings"
	"testing"

	"liandong/sip/sdp"
)

// RFC 3264 §8: "the number of 'm=' lines in the new SDP description MUST equal
// the number of 'm=' lines in the old SDP": a phone that offered video sees its
// line again, declined, in every offer of ours.
func TestLaterOfferKeepsTheLines(t *testing.T) {
	s := talkingOut(t)
	s.request("INVITE", peerSDP+"m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n")
	if got := string(s.answer().Body()); strings.Count(got, "m=") != 2 || !strings.Contains(got, "m=video 0 ") {
		t.Fatalf("the answer\n%s", got)
	}
	s.ack(s.seq, "")
	s.do(Modify{Direction: sdp.SendOnly})
	if got := string(s.last("INVITE").Body()); strings.Count(got, "m=") != 2 || !strings.Contains(got, "m=video 0 ") {
		t.Errorf("our later offer\n%s", got)
	}
}
