package sdp

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"liandong/media/codec"
)

func count(answer []byte) string {
	var lines []string
	for line := range strings.Lines(string(answer)) {
		if strings.HasPrefix(line, "m=") {
			lines = append(lines, strings.TrimSpace(line[2:]))
		}
	}
	return strings.Join(lines, " | ")
}

// Alice's offers of RFC 3264 §10 and RFC 4317, answered by us.
func TestRFCOffers(t *testing.T) {
	head := "v=0\no=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com\ns=\nc=IN IP4 192.0.2.1\nt=0 0\n"
	for name, c := range map[string]struct {
		offer, lines string
		codec        codec.ID
		remote       string
	}{
		"RFC 3264 §10.1": {
			"m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 51372 RTP/AVP 31\na=rtpmap:31 H261/90000\nm=video 53000 RTP/AVP 32\na=rtpmap:32 MPV/90000\n",
			"audio 20000 RTP/AVP 0 | video 0 RTP/AVP 31 | video 0 RTP/AVP 32", codec.PCMU, "192.0.2.1:49170",
		},
		"RFC 3264 §10.2, one of N codecs": {
			"m=audio 62986 RTP/AVP 0 4 18\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\na=rtpmap:18 G729/8000\na=inactive\n",
			"audio 20000 RTP/AVP 0", codec.PCMU, "192.0.2.1:62986",
		},
		"RFC 4317 §2.1": {
			"m=audio 49170 RTP/AVP 0 8 97\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:97 iLBC/8000\nm=video 51372 RTP/AVP 31 32\na=rtpmap:31 H261/90000\na=rtpmap:32 MPV/90000\n",
			"audio 20000 RTP/AVP 0 8 | video 0 RTP/AVP 31 32", codec.PCMU, "192.0.2.1:49170",
		},
		"RFC 4317 §2.4, two audio streams": {
			"m=audio 49170 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=audio 51372 RTP/AVP 97 101\na=rtpmap:97 iLBC/8000\na=rtpmap:101 telephone-event/8000\n",
			"audio 20000 RTP/AVP 0 | audio 0 RTP/AVP 97 101", codec.PCMU, "192.0.2.1:49170",
		},
		"RFC 4317 §2.4 with the second one first": {
			"m=audio 51372 RTP/AVP 97 101\na=rtpmap:97 iLBC/8000\na=rtpmap:101 telephone-event/8000\na=sendonly\nm=audio 49170 RTP/AVP 0\n",
			"audio 0 RTP/AVP 97 101 | audio 20000 RTP/AVP 0", codec.PCMU, "192.0.2.1:49170",
		},
	} {
		answer, s, err := Answer(us, []byte(head+c.offer))
		if err != nil || count(answer) != c.lines || s.Codec != c.codec || s.Remote != addr(c.remote) {
			t.Errorf("%s: got %q %v %v %v", name, count(answer), s.Codec, s.Remote, err)
		}
	}
}

// RFC 4317 §3.1: hold and resume, both ways round.
func TestHoldAndResume(t *testing.T) {
	for _, c := range []struct {
		attr string
		want Direction
	}{{"a=sendrecv", SendRecv}, {"a=sendonly", RecvOnly}, {"a=sendrecv", SendRecv}, {"a=inactive", Inactive},
		{"a=recvonly", SendOnly}} {
		_, s, err := Answer(us, phone("m=audio 49170 RTP/AVP 8", c.attr))
		if err != nil || s.Direction != c.want {
			t.Errorf("%s: got %v %v", c.attr, s.Direction, err)
		}
	}
	bob := us
	bob.Addr = addr("192.0.2.7:4000")
	for _, want := range []Direction{SendOnly, Inactive, SendRecv, RecvOnly} {
		alice := us
		alice.Direction = want
		answer, theirs, err := Answer(bob, Offer(alice))
		if err != nil {
			t.Fatal(err)
		}
		mine, err := Accept(alice, answer)
		if err != nil || mine.Direction != want || mine.Direction.Sends() != theirs.Direction.Receives() ||
			mine.Direction.Receives() != theirs.Direction.Sends() {
			t.Errorf("%v: we have %v, they have %v, %v", want, mine.Direction, theirs.Direction, err)
		}
	}
}

// The offers in the torture messages.
func TestTorture(t *testing.T) {
	six := us
	six.Addr = addr("[2001:db8::100]:20000")
	for _, c := range []struct {
		file   string
		local  Local
		remote string
		want   error
	}{
		{"rfc4475/sdp01.dat", us, "192.0.2.5:49217", nil},
		{"rfc4475/wsinv.dat", us, "192.0.2.4:49217", nil},
		{"rfc4475/inv2543.dat", us, "192.0.2.5:49217", nil},
		{"rfc5118/ipv6-in-sdp", six, "", ErrNoCodec}, // G.726 alone
		{"rfc5118/mult-ip-in-sdp", us, "192.0.2.1:22334", nil},
		{"rfc5118/mult-ip-in-sdp", six, "", ErrNoCodec},
	} {
		raw, err := os.ReadFile(filepath.Join("../../../shared/testdata", c.file))
		if err != nil {
			t.Skipf("the torture messages are not here: %v", err)
		}
		_, offer, _ := strings.Cut(string(raw), "\r\n\r\n")
		_, s, err := Answer(c.local, []byte(offer))
		if !errors.Is(err, c.want) || s.Remote != addr(c.remote) {
			t.Errorf("%s: got %v %v, want %v %v\n%s", c.file, s.Remote, err, c.remote, c.want, offer)
		}
	}
}
